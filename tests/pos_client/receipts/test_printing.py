"""Receipts printed as sales are booked, on a simulated printer over a real pty and a real socket."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from drivers.errors import PrinterNotReady
from drivers.events import StatusUpdateEvent
from drivers.printing.escpos_job import compose
from drivers.printing.receipt_printer import ReceiptPrinter
from drivers.simulators.printer import VirtualPrinter
from drivers.supervisor import Supervisor
from loyalty.ledger import EntryKind
from pos_client.app import build_runtime, open_store
from pos_client.cli import main
from pos_client.config import Config
from pos_client.device_settings import build_devices
from pos_client.events import EventKind, TillEvent
from pos_client.plugin.api import create_api
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.token import read_or_create
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.layout import lay_out
from pos_client.receipts.printing import MAX_WAITING, was_printed
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from tests.pos_client.plugin.conftest import serving
from tests.pos_client.receipts.conftest import BASKET, DOCUMENT, sell
from tests.support.till import FORMATS, SANNE, make_runtime

WAIT_S = 10.0
ROOT = Path(__file__).parents[3]


class Paper:
    """A till with a receipt printer at work, and what it says of its receipts."""

    def __init__(self, runtime: Runtime, hardware: VirtualPrinter) -> None:
        self.runtime = runtime
        self.hardware = hardware
        self.said: queue.Queue[TillEvent] = queue.Queue()
        self._statuses: queue.Queue[StatusUpdateEvent] = queue.Queue()
        runtime.bus.listen(self._note)
        devices = build_devices(runtime.config)
        (self.printer,) = [device for device in devices if isinstance(device, ReceiptPrinter)]
        self.supervisor = Supervisor(devices, self._hear)

    def start(self) -> None:
        self.supervisor.start()
        self.wait_status("online")
        self.runtime.printing.start(self.printer)

    def stop(self) -> None:
        self.runtime.printing.stop()
        self.supervisor.stop()
        self.hardware.close()
        self.runtime.store.close()

    def wait_status(self, status: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while self._statuses.get(timeout=max(0.0, deadline - time.monotonic())).status != status:
            pass

    def wait(self, kind: EventKind) -> TillEvent:
        event = self.said.get(timeout=WAIT_S)
        assert event.kind is kind, event
        return event

    def _note(self, event: TillEvent) -> None:
        if event.kind in (EventKind.RECEIPT_PRINTED, EventKind.RECEIPT_NOT_PRINTED):
            self.said.put(event)

    def _hear(self, event: object) -> None:
        if isinstance(event, StatusUpdateEvent):
            self._statuses.put(event)


def till_with(folder: Path, hardware: VirtualPrinter, **changes: Any) -> Runtime:
    devices = {"bonnen": {"kind": "printer", "port": hardware.port, "columns": 48}}
    return make_runtime(folder, programme=DOCUMENT, devices=devices, **changes)


@pytest.fixture(params=["pty", "tcp"])
def paper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Paper]:
    hardware = VirtualPrinter(tmp_path / "devices" if request.param == "pty" else None)
    made = Paper(till_with(tmp_path / "till", hardware), hardware)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def on_tcp(tmp_path: Path) -> Iterator[Paper]:
    hardware = VirtualPrinter()
    made = Paper(till_with(tmp_path / "till", hardware), hardware)
    made.start()
    yield made
    made.stop()


def expected(runtime: Runtime, session: str, kind: EntryKind = EntryKind.SALE, *, copy: bool = False) -> bytes:
    entry = runtime.journal.find_all(session=session)[kind]
    made = ReceiptDesk(runtime.store, runtime.terminal, runtime.config).receipt(entry, copy=copy)
    return compose(lay_out(made, "nl", 48))


def test_a_receipt_for_every_booking(paper: Paper) -> None:
    till = paper.runtime.till
    sell(paper.runtime, "bon-1")
    assert paper.wait(EventKind.RECEIPT_PRINTED).data == {"session": "bon-1"}
    assert paper.hardware.tear_off() == expected(paper.runtime, "bon-1")
    till.corrections.return_goods("retour-1", "bon-1", {"1": 1000})
    paper.wait(EventKind.RECEIPT_PRINTED)
    assert paper.hardware.tear_off() == expected(paper.runtime, "retour-1", EntryKind.RETURN)
    sell(paper.runtime, "bon-2")
    paper.wait(EventKind.RECEIPT_PRINTED)
    paper.hardware.tear_off()
    till.bookings.void("bon-2")
    paper.wait(EventKind.RECEIPT_PRINTED)
    assert paper.hardware.tear_off() == expected(paper.runtime, "bon-2", EntryKind.VOID)
    assert paper.runtime.printing.unprinted is None


def test_the_paper_ends_in_the_middle_of_a_receipt(paper: Paper) -> None:
    paper.hardware.run_out_after(200)
    booked = sell(paper.runtime)
    assert paper.wait(EventKind.RECEIPT_NOT_PRINTED).data == {"session": "bon-1", "code": "paper_out"}
    assert len(paper.hardware.tear_off()) == 200
    assert paper.runtime.journal.find(booked.entry.id) == booked.entry, "the sale stands"
    assert not was_printed(paper.runtime.store, booked.entry.id)
    with pytest.raises(PrinterNotReady, match="out of paper"):
        paper.runtime.printing.again().result(WAIT_S)
    paper.wait(EventKind.RECEIPT_NOT_PRINTED)
    paper.hardware.paper = "ok"
    assert paper.runtime.printing.again().result(WAIT_S) is False, "half a receipt is no copy"
    assert paper.hardware.tear_off() == expected(paper.runtime, "bon-1")
    assert paper.runtime.printing.unprinted is None
    assert paper.runtime.printing.again().result(WAIT_S) is True
    assert paper.hardware.tear_off() == expected(paper.runtime, "bon-1", copy=True)


def test_once_a_later_customer_has_a_receipt_the_missed_one_is_no_longer_offered(on_tcp: Paper) -> None:
    on_tcp.hardware.paper = "out"
    sell(on_tcp.runtime, "bon-1")
    on_tcp.wait(EventKind.RECEIPT_NOT_PRINTED)
    assert on_tcp.runtime.printing.unprinted is not None
    on_tcp.hardware.paper = "ok"
    sell(on_tcp.runtime, "bon-2")
    on_tcp.wait(EventKind.RECEIPT_PRINTED)
    assert on_tcp.hardware.tear_off() == expected(on_tcp.runtime, "bon-2")
    assert on_tcp.runtime.printing.unprinted is None


def test_a_printer_that_is_unplugged_holds_no_sale_up(on_tcp: Paper) -> None:
    on_tcp.hardware.unplug()
    on_tcp.wait_status("offline")
    began = time.monotonic()
    for number in range(MAX_WAITING + 4):
        sell(on_tcp.runtime, f"bon-{number}")
    assert time.monotonic() - began < WAIT_S
    event = on_tcp.wait(EventKind.RECEIPT_NOT_PRINTED)
    assert event.data["code"] == "away"
    on_tcp.hardware.plug()
    on_tcp.wait_status("online")
    while on_tcp.runtime.printing.unprinted is not None:
        with contextlib.suppress(TillError):  # too many still wait: they are printed meanwhile
            on_tcp.runtime.printing.again().result(WAIT_S)
    assert on_tcp.hardware.tear_off()


def test_more_receipts_than_can_wait(on_tcp: Paper) -> None:
    """The thread that prints is kept busy by a printer that never answers; the rest is told, and nobody waits."""
    on_tcp.hardware.cover_open = True
    entry = sell(on_tcp.runtime).entry
    on_tcp.wait(EventKind.RECEIPT_NOT_PRINTED)
    waiting = []
    with pytest.raises(TillError, match="too many receipts wait"):
        for _ in range(10 * MAX_WAITING):
            waiting.append(on_tcp.runtime.printing.print(entry))  # noqa: PERF401 - those made before the error count
    for each in waiting:
        with pytest.raises(PrinterNotReady, match="cover is open"):
            each.result(WAIT_S)


def test_the_switch_and_no_printer_at_all(tmp_path: Path) -> None:
    hardware = VirtualPrinter()
    quiet = Paper(till_with(tmp_path / "till", hardware, receipts={"print": False}), hardware)
    quiet.start()
    try:
        entry = sell(quiet.runtime).entry
        assert quiet.runtime.printing.print(entry).result(WAIT_S) is False
        quiet.wait(EventKind.RECEIPT_PRINTED)
        assert quiet.hardware.tear_off() == expected(quiet.runtime, "bon-1"), "once: nothing prints by itself"
    finally:
        quiet.stop()
    bare = make_runtime(tmp_path / "bare", programme=DOCUMENT)
    bare.printing.start(None)
    with pytest.raises(TillError, match="no receipt printer"):
        bare.printing.print(entry)
    with pytest.raises(TillError, match="no receipt was made"):
        bare.printing.again()
    bare.printing.stop()
    bare.store.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from drivers.supervisor import Supervisor
from drivers.simulators.printer import VirtualPrinter
from pos_client.device_settings import build_devices
from tests.pos_client.receipts.conftest import sell
from tests.pos_client.receipts.test_printing import till_with
hardware = VirtualPrinter()
runtime = till_with(Path(sys.argv[1]), hardware)
devices = build_devices(runtime.config)
Supervisor(devices, print).start()
runtime.printing.start(devices[0])
sell(runtime, "bon-9")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_power_cut_between_booking_and_receipt(tmp_path: Path) -> None:
    folder = tmp_path / "till"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    hardware = VirtualPrinter()
    config: Any = {"data_dir": folder}
    devices: Any = {"bonnen": {"kind": "printer", "port": hardware.port, "columns": 48}}
    made = Config(card_formats=FORMATS, till=config, devices=devices)
    again = Paper(build_runtime(made, open_store(made)), hardware)
    again.start()
    try:
        left = again.runtime.printing.unprinted
        assert left is not None
        assert (left.session, left.code) == ("bon-9", "interrupted")
        assert again.runtime.printing.again().result(WAIT_S) is False
        assert again.hardware.tear_off() == expected(again.runtime, "bon-9")
        again.runtime.printing.stop()
    finally:
        again.stop()
    # What was printed is not offered once more.
    with contextlib.closing(open_store(made)) as store:
        calm = build_runtime(made, store)
        calm.printing.start(again.printer)
        assert calm.printing.unprinted is None
        calm.printing.stop()


def test_by_the_api(on_tcp: Paper) -> None:
    token = read_or_create(on_tcp.runtime.config.plugin_token_file)
    entry = sell(on_tcp.runtime).entry
    on_tcp.wait(EventKind.RECEIPT_PRINTED)
    on_tcp.hardware.tear_off()
    with serving(create_api(on_tcp.runtime, token)) as url, TillClient(url, token) as client:
        for name in ("bon-1", entry.id):
            said = client.print_receipt(name)
            assert (said.receipt, said.entry, said.kind, said.is_copy) == ("bon-1", entry.id, "sale", True)
            assert on_tcp.hardware.tear_off() == expected(on_tcp.runtime, "bon-1", copy=True)
        with pytest.raises(PluginProblem) as unknown:
            client.print_receipt("bon-2")
        assert (unknown.value.code, unknown.value.status) == ("unknown_receipt", 404)
        on_tcp.hardware.cover_open = True
        with pytest.raises(PluginProblem, match="cover is open") as open_cover:
            client.print_receipt("bon-1")
        assert (open_cover.value.code, open_cover.value.status) == ("printer_not_ready", 503)


@pytest.mark.parametrize("beside", [False, True], ids=["no till runs", "beside a running till"])
def test_by_the_command(tmp_path: Path, beside: bool) -> None:
    hardware = VirtualPrinter()
    paper = Paper(till_with(tmp_path / "till", hardware), hardware)
    runtime = paper.runtime
    sell(runtime)
    wanted = expected(runtime, "bon-1")
    config = tmp_path / "spaarpunt.toml"
    formats = "".join(
        f'[[card_formats]]\nname = "{form.name}"\nprefix = "{form.prefix}"\nlength = {form.length}\n'
        f'check = "{form.check.value}"\n'
        for form in FORMATS
    )

    def printed(port: int, code: int = 0) -> str:
        config.write_text(
            f'[till]\nname = "kassa 2"\ndata_dir = "{tmp_path / "till"}"\n[screen]\nport = {port}\n{formats}'
            f'[devices.bonnen]\nkind = "printer"\nport = "{hardware.port}"\ncolumns = 48\n'
        )
        result = CliRunner().invoke(main, ["--config", str(config), "receipt", "bon-1", "--print", "--json"])
        assert result.exit_code == code, result.output
        return result.output

    try:
        if beside:
            paper.start()
            token = read_or_create(runtime.config.plugin_token_file)
            with serving(create_api(runtime, token)) as url:
                assert json.loads(printed(int(url.rsplit(":", 1)[1])))["printed"] is True
        else:
            runtime.store.close()
            assert json.loads(printed(1))["printed"] is True
        assert hardware.tear_off() == wanted
        if not beside:
            hardware.unplug()
            assert "not connected" in printed(1, code=1).replace("\n", " ")
    finally:
        paper.stop()


def test_what_was_bought_with(paper: Paper) -> None:
    """The receipt has the goods: a picture of nothing would pass the tests above."""
    sell(paper.runtime, card=SANNE.card)
    paper.wait(EventKind.RECEIPT_PRINTED)
    printed = paper.hardware.tear_off().decode("cp437", "replace")
    for line in BASKET.lines:
        assert line.text[:20] in printed
