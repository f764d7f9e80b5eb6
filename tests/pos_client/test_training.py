"""A till in training: real process, real screen; nothing counts, nothing leaves, and the shop's file is untouched."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from drivers.simulators.printer import VirtualPrinter
from loyalty.cards import CardNumber
from loyalty.programme import Programme
from pos_client.app import build_runtime
from pos_client.config import Config
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.samples import sample
from pos_client.training import practice_cards, training_config, training_store
from sync.errors import StoreTaken
from sync.mirror import Mirror
from sync.terminal import load_terminal
from tests.support.browser import chromium
from tests.support.process import TillProcess
from tests.support.till import FORMATS, make_runtime

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TillProcess, VirtualPrinter]]:
    folder = tmp_path_factory.mktemp("training")
    printer = VirtualPrinter(folder)
    till = TillProcess(folder, devices={"receipts": {"kind": "printer", "port": printer.port}})
    yield till, printer
    till.stop()
    printer.close()


def shop_files(till: TillProcess) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in till.data.iterdir() if path.is_file()}


def office_port(till: TillProcess) -> int:
    url = tomllib.loads(till.config.read_text(encoding="utf-8"))["till"]["head_office_url"]
    return int(url.rsplit(":", 1)[1])


def test_a_day_of_training(place: tuple[TillProcess, VirtualPrinter]) -> None:
    till, printer = place
    before = shop_files(till)
    training = till.data / "training"
    with socket.create_server(("127.0.0.1", office_port(till))) as head_office:
        head_office.settimeout(0)
        till.start("--training")
        token = (training / "plugin.token").read_text(encoding="ascii")
        client = TillClient(till.address, token.strip())
        try:
            with chromium() as browser:
                practise(browser.new_page(viewport={"width": 1024, "height": 600}), till.address)
            assert printer.wait_for(b"OEFENING - GEEN BON", 10)
            shop_software_is_not_let_in(till)
            with pytest.raises(PluginProblem, match="head_office_unreachable"):
                client.sync()
            assert client.status().terminal == "training"
            assert connections(till) == set()
        finally:
            client.close()
            code = till.end()
        assert code == 0
        with pytest.raises(BlockingIOError):  # nobody came to head office's door
            head_office.accept()
    assert shop_files(till) == before
    assert (training / "logs" / "till.log").exists()


def practise(page: Page, url: str) -> None:
    """A sale with a reward on the practice card, a blocked card, and a real card that nobody knows here."""
    page.goto(f"{url}/?lang=nl")
    page.wait_for_function("() => window.did_handshake && document.querySelector('.till') !== null")
    till = page.locator(".till")
    expect(page.locator(".badge")).to_have_text("Oefenen: niets telt")
    expect(page.locator(".practice button")).to_have_count(3)
    page.screenshot(path=PICTURES / "training-idle.png", animations="disabled")
    page.keyboard.press("F4")
    expect(page.locator(".message")).to_have_attribute("data-mood", "stop")
    page.keyboard.press("F2")
    expect(page.locator(".first-name")).to_have_text("Oefenlid")
    expect(page.locator(".balance")).to_have_text("2.000")
    page.keyboard.press("F12")
    expect(till).to_have_attribute("data-pad", "amount")
    page.keyboard.type("2340", delay=110)
    page.keyboard.press("F12")
    expect(page.locator(".pay .amount")).to_contain_text("23,40")
    page.keyboard.press("F3")
    expect(page.locator(".pay .amount")).to_contain_text("18,40")
    page.keyboard.press("F12")
    expect(till).to_have_attribute("data-phase", "booked")
    expect(page.locator(".message")).to_have_attribute("data-mood", "ok")
    page.screenshot(path=PICTURES / "training-booked.png", animations="disabled")
    page.keyboard.press("Escape")
    expect(till).to_have_attribute("data-phase", "idle")
    page.keyboard.press("F3")
    expect(page.locator(".first-name")).to_have_text("Nieuwe kaart")
    page.keyboard.press("Escape")
    expect(till).to_have_attribute("data-phase", "idle")


def shop_software_is_not_let_in(till: TillProcess) -> None:
    """The shop's token opens nothing here: a till software that runs on would book real sales as training."""
    (till.data / "plugin.token").write_text("shop-token-of-the-till-itself-0123456789-0123456\n", encoding="ascii")
    (till.data / "plugin.token").chmod(0o600)
    with (
        TillClient(till.address, "shop-token-of-the-till-itself-0123456789-0123456") as client,
        pytest.raises(PluginProblem, match="unauthorized"),
    ):
        client.status()
    (till.data / "plugin.token").unlink()


def connections(till: TillProcess) -> set[str]:
    """Addresses beyond this machine that the process is connected to."""
    found = psutil.Process(till.pid).net_connections()
    return {each.raddr.ip for each in found if each.raddr} - {"127.0.0.1"}


def test_each_start_is_a_fresh_one_and_a_running_till_is_left_alone(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path / "till")
    config = runtime.config
    with pytest.raises(StoreTaken, match="another till already runs"), training_store(config, training_config(config)):
        raise AssertionError("not reached")
    runtime.store.close()
    for _ in range(2):
        with training_store(config, training_config(config)) as store:
            practice = build_runtime(training_config(config), store, training=True)
            assert practice.terminal.store_name == "Bakkerij De Molen"
            programme = practice.mirror.programme()
            assert programme is not None
            assert programme.id == "molen"
            assert practice.journal.head().seq == 0
            practice.till.open_session("bon-1")
            practice.till.identify("bon-1", practice_cards(config.card_formats).member)
            practice.till.bookings.commit("bon-1")


def test_a_till_that_cannot_be_read_practises_with_a_sample(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    with training_store(config, training_config(config)) as store:
        programme = Mirror(store).programme()
        assert programme is not None
        assert programme.id == Programme.from_document(tomllib.loads(sample("bakery"))).id
        for card_format in FORMATS:
            card = CardNumber.parse(practice_cards((card_format,)).member, FORMATS)
            assert Mirror(store).find(card.token(load_terminal(store).card_key)).account == "practice"


def make_config(folder: Path) -> Config:
    return Config(card_formats=FORMATS, till={"data_dir": folder / "till"})
