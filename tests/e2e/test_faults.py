"""What goes wrong in a shop: each time one clear line, the till sells on where it can, and nothing booked is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import serial

from loyalty.basket import Basket
from pos_client.demo.members import FORMATS, card_number, members
from pos_client.demo.morning import Ears
from pos_client.demo.world import World
from pos_client.plugin.client import PluginProblem, TillClient
from tests.e2e.conftest import eventually
from tests.support.process import command

PERSON = members()[0]
BREAD = Basket.model_validate({"lines": [{"line_id": "1", "sku": "BREAD", "gross_minor": 1000}]})


def sell(client: TillClient, card: str = PERSON.card) -> int:
    """Sell ten euros of bread; returns the entry's sequence."""
    session = client.open_session().session
    client.set_basket(session, BREAD, 0)
    client.identify(session, card)
    booked = client.commit(session)
    assert booked.entry is not None
    return booked.entry.seq


def device(client: TillClient, name: str) -> tuple[str, str]:
    return next((found.status, found.text) for found in client.status().devices if found.name == name)


def one_line(text: str) -> str:
    """The only line of an error: no traceback, nothing else."""
    (line,) = [line for line in text.splitlines() if line.strip()]
    assert line.startswith("✗ ")
    return line


def test_a_missing_port_is_said_and_the_till_sells(stopped: World) -> None:
    world = stopped
    world.scanner.unplug()
    client = world.start_till(wait_for_devices=False)
    eventually(lambda: assert_offline(client, "scanner", str(world.scanner.path)))
    sell(client)
    ears = Ears(client)
    world.scanner.plug()
    eventually(lambda: assert_online(client, "scanner"))
    world.scanner.scan(PERSON.card)
    assert ears.expect("card_presented").data["known"] is True


def test_a_taken_port_is_said_and_comes_up_when_it_is_free(stopped: World) -> None:
    world = stopped
    holder = serial.Serial(str(world.scanner.path), exclusive=True)
    try:
        client = world.start_till(wait_for_devices=False)
        eventually(lambda: assert_offline(client, "scanner", str(world.scanner.path)))
        sell(client)
    finally:
        holder.close()
    eventually(lambda: assert_online(client, "scanner"))


def test_a_device_unplugged_in_the_middle_leaves_the_others_alone(world: World, client: TillClient) -> None:
    ears = Ears(client)
    world.scanner.unplug()
    assert ears.expect("device_status").data["device"] == "scanner"
    swiped = next(person for person in members() if person.card.startswith("9528"))
    world.wedge.swipe(f";{swiped.card}?")
    assert ears.expect("card_presented").data["known"] is True
    world.scanner.plug()
    eventually(lambda: assert_online(client, "scanner"))


def test_a_second_till_on_the_same_folder_is_refused(world: World, client: TillClient) -> None:
    done = command(world.config, "till", SPAARPUNT_SCREEN__PORT="8399")
    assert done.returncode == 1
    assert client.status().till == "kassa 2"
    assert "another till already runs" in one_line(done.stderr)


def test_a_taken_screen_port_is_said(world: World, client: TillClient) -> None:
    done = command(world.config, "till")
    assert done.returncode == 1
    assert client.status().till == "kassa 2"
    assert "screen.port" in one_line(done.stderr)


def test_head_office_away_and_another_version(world: World, client: TillClient) -> None:
    world.line.cut()
    seq = sell(client)
    try:
        client.sync()
    except PluginProblem as error:
        assert "no connection" in error.detail
    else:
        raise AssertionError("expected the exchange to fail with the line cut")
    assert client.status().queue_length >= 1
    world.line.mend()
    eventually(lambda: assert_sent(client))
    assert sell(client) == seq + 1


def test_an_unknown_card_earns_and_an_unknown_text_is_an_article(world: World, client: TillClient) -> None:
    stranger = card_number(FORMATS[0], 99_999_999)
    assert command(world.config, "balance", stranger).returncode == 1
    session = client.open_session().session
    client.set_basket(session, BREAD, 0)
    answer = client.identify(session, stranger)
    assert answer.member is not None
    assert not answer.member.known
    assert client.commit(session).state == "booked"
    ears = Ears(client)
    world.scanner.scan("8710400280507")
    assert ears.expect("label_scanned").data["text"] == "8710400280507"


def test_the_wrong_key_stops_the_till_and_harms_nothing(world: World, client: TillClient) -> None:
    seq = sell(client)
    world.stop_till()
    key_file = world.folder / "till" / "store.key"
    right = key_file.read_text(encoding="ascii")
    before = (world.folder / "till" / "store.db").read_bytes()
    key_file.write_text("00" * 32, encoding="ascii")
    try:
        done = command(world.config, "till")
    finally:
        key_file.write_text(right, encoding="ascii")
    assert done.returncode == 1
    assert "does not open with this key" in one_line(done.stderr)
    assert (world.folder / "till" / "store.db").read_bytes() == before
    assert sell(world.start_till()) == seq + 1


def test_a_token_open_to_others_is_said(world: World, client: TillClient) -> None:
    client.close()
    world.stop_till()
    token = world.folder / "till" / "plugin.token"
    token.chmod(0o644)
    try:
        done = command(world.config, "till")
    finally:
        token.chmod(0o600)
    assert done.returncode == 1
    assert str(token) in one_line(done.stderr)


def test_a_folder_that_cannot_be_written_is_said(stopped: World) -> None:
    folder = stopped.folder / "till"
    # A read-only mount holds for root too, which file permissions do not.
    script = f'mount --bind "{folder}" "{folder}" && mount -o remount,ro,bind "{folder}" && exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-m",
            "pos_client",
            "--config",
            stopped.config,
            "till",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "cannot be written" in one_line(done.stderr)
    sell(stopped.start_till())


def test_balance_beside_a_running_till_and_without_one(world: World, client: TillClient) -> None:
    eventually(lambda: assert_sent(client))
    world.line.cut()
    sell(client)
    beside = command(world.config, "balance", PERSON.card, "--json")
    world.stop_till()
    without = command(world.config, "balance", PERSON.card, "--json")
    assert beside.returncode == without.returncode == 0
    assert beside.stdout == without.stdout
    assert '"queued": 15' in beside.stdout  # ten euros, silver: 10 + 5


def test_not_a_head_office_at_all(stopped: World) -> None:
    other = serve_something_else()
    try:
        done = command(
            stopped.config, "sync", "now", SPAARPUNT_TILL__HEAD_OFFICE_URL=f"http://127.0.0.1:{other.server_port}"
        )
    finally:
        other.shutdown()
    assert done.returncode == 1
    assert "no Spaarpunt head office" in one_line(done.stderr)


def test_a_bank_card_number_is_never_looked_up_or_repeated(world: World) -> None:
    done = command(world.config, "balance", "4111111111111111")
    assert done.returncode == 1
    assert "bank card" in one_line(done.stderr)
    assert "111111" not in done.stdout + done.stderr


def test_kill_9_in_the_middle_of_selling_loses_nothing_booked(world: World, client: TillClient) -> None:
    world.line.cut()
    booked: list[int] = []

    def sell_until_killed() -> None:
        try:
            while True:
                booked.append(sell(client))
        except PluginProblem as error:
            assert error.code == "till_unreachable"

    seller = threading.Thread(target=sell_until_killed)
    seller.start()
    eventually(lambda: assert_more_than(booked, 20))
    world.kill_till()
    seller.join()
    status = world.run("sync", "status", "--json")
    assert status["seq"] in {booked[-1], booked[-1] + 1}  # one may have been booked whose answer never came
    world.line.mend()
    assert world.run("sync", "nightly", "--json")["agrees"] is True


def assert_offline(client: TillClient, name: str, text: str) -> None:
    status, said = device(client, name)
    assert status != "online"
    assert text in said


def assert_online(client: TillClient, name: str) -> None:
    assert device(client, name)[0] == "online"


def assert_sent(client: TillClient) -> None:
    client.sync()
    assert client.status().queue_length == 0


def assert_more_than(items: list[int], count: int) -> None:
    assert len(items) > count


def serve_something_else() -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
