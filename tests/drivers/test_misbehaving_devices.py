"""Each complaint there is about scanners and readers, made to happen on a real pty, pipe or socket."""

from __future__ import annotations

import errno
import itertools
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.device import Device
from drivers.errors import DeviceLost
from drivers.events import DataEvent, ErrorEvent
from drivers.formats.layouts import recover
from drivers.keyboard.keymap import EV_KEY, EVENT, type_text
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.recognition.guard import CardPattern
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]
CARD = "2800000000015"


@pytest.fixture
def scanner(tmp_path: Path) -> Iterator[VirtualSerialScanner]:
    hardware = VirtualSerialScanner(tmp_path)
    yield hardware
    hardware.close()


@pytest.fixture
def wedge(tmp_path: Path) -> Iterator[VirtualWedge]:
    hardware = VirtualWedge(tmp_path)
    yield hardware
    hardware.close()


def on(hardware: VirtualSerialScanner, **settings: Any) -> SerialScanner:
    return SerialScanner("counter", SerialSettings(str(hardware.path), **settings), ())


def typed_at(text: str, key_s: float, start_s: int = 1_000_000_000) -> bytes:
    """What a hand or a slow reader types: one key each `key_s`, by the records' own clock."""
    out = b""
    for number, stroke in enumerate(type_text(text)):
        micros = start_s * 1_000_000 + int(number * key_s * 1_000_000)
        for _, _, kind, code, value in EVENT.iter_unpack(stroke):
            out += EVENT.pack(micros // 1_000_000, micros % 1_000_000, kind, code, value)
    return out


def test_characters_dropped_or_split_across_reads(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([on(scanner)])
    for piece in (b"]E", b"0280", b"0000000", b"015", b"\r"):
        scanner.send(piece)
        assert till.events.empty() or piece == b"\r"
        # Each piece is in a read of its own: the one before it has been taken.
        threading.Event().wait(0.03)
    assert till.next(DataEvent).scan_data_label == CARD
    scanner.send(b"]E02800")
    assert till.next(ErrorEvent).code == "cut", "characters that never came: no half a card"
    threading.Event().wait(0.6)
    scanner.scan("2800000000022")
    assert till.next(DataEvent).scan_data_label == "2800000000022", "and nothing of it is left for the next one"


def test_a_prefix_lost_to_an_input_method(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([on(scanner, prefix=b"~]")])
    scanner.send(b"~]2800000000015\r")
    assert till.next(DataEvent).scan_data_label == CARD
    scanner.send(b"2800000000022\r")
    assert till.next(DataEvent).scan_data_label == "2800000000022"


@pytest.mark.parametrize(("layout", "number"), [("be-azerty", "004HQ3"), ("fr", "SP00A0"), ("tr", "SPIQ00")])
def test_another_keyboard_layout(wedge: VirtualWedge, run: Run, till: Any, layout: str, number: str) -> None:
    run([KeyboardWedge("stripe", WedgeSettings(str(wedge.path), layout=layout), ())])
    wedge.send(b"".join(type_text(number, layout=layout)))
    assert till.next(DataEvent).scan_data_label == number


def test_another_keyboard_layout_after_the_fact() -> None:
    # DEVICES' own vectors: what a Belgian and a Turkish till showed of a reader left at US.
    assert recover("àà'HA\"", "be-azerty") == "004HQ3"
    assert recover("& ş - :", "tr").split(" ") == ["^", ";", "=", "?"]


def test_human_typing_taken_for_a_scan(wedge: VirtualWedge, run: Run, till: Any) -> None:
    run([KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    wedge.send(typed_at("2800000000015", 0.15))
    wedge.send(typed_at("12345", 0.01))
    assert till.nothing_more(), "too slow, and too short: a hand"
    wedge.send(typed_at("2800000000022", 0.09))
    assert till.next(DataEvent).scan_data_label == "2800000000022", "a slow scanner is still one"
    wedge.send(typed_at(";123?", 0.02))
    assert till.next(DataEvent).scan_data_label == "123", "a swipe is known by its sentinel"


def test_human_typing_that_stops_half_way_is_no_error(wedge: VirtualWedge, run: Run, till: Any) -> None:
    run([KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    *keys, _enter = itertools.islice(type_text("hello"), 6)
    wedge.send(b"".join(keys))
    assert till.nothing_more(within=0.5)


def test_one_scan_arriving_on_two_channels(
    scanner: VirtualSerialScanner, wedge: VirtualWedge, run: Run, till: Any
) -> None:
    run([on(scanner), KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    scanner.scan(CARD)
    wedge.swipe(f"]E0{CARD}")
    assert till.next(DataEvent).scan_data_label == CARD
    assert till.nothing_more()


def test_the_same_card_read_twice_in_a_second(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([on(scanner)])
    scanner.scan(CARD)
    first = till.next(DataEvent)
    scanner.scan(CARD)
    assert till.nothing_more()
    threading.Event().wait(max(0.0, 1.05 - (time.monotonic_ns() - first.received_at) / 1e9))
    scanner.scan(CARD)
    assert till.next(DataEvent).scan_data_label == CARD, "a second later it is another gesture"


def test_crlf_giving_an_empty_second_scan(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([on(scanner)])
    scanner.send(b"]E02800000000015\r")
    # The LF comes in a read of its own, and after the silence that ends a frame.
    assert till.next(DataEvent).scan_data_label == CARD
    threading.Event().wait(0.6)
    scanner.send(b"\n")
    assert till.nothing_more()
    scanner.send(b"\r\n\r\n]E02800000000022\r\n")
    assert till.next(DataEvent).scan_data_label == "2800000000022"
    assert till.nothing_more()


def test_hidden_gs_lost(scanner: VirtualSerialScanner, wedge: VirtualWedge, run: Run, till: Any) -> None:
    run([on(scanner), KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    data = "8018871234512345678904\x1d10AB"
    scanner.scan(data, aim="]C1")
    assert b"\x1d10AB" in till.next(DataEvent).scan_data
    wedge.swipe("]C1" + data.replace("AB", "CD"))
    assert b"\x1d10CD" in till.next(DataEvent).scan_data, "a wedge sends it as Ctrl and ]"


def test_unplug_and_sleep(scanner: VirtualSerialScanner, wedge: VirtualWedge, run: Run, till: Any) -> None:
    run([on(scanner), KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    scanner.unplug()
    wedge.unplug()
    gone = {till.wait_status("offline").device for _ in range(2)}
    assert gone == {"counter", "stripe"}
    scanner.plug()
    wedge.plug()
    back = {till.wait_status("online").device for _ in range(2)}
    assert back == {"counter", "stripe"}
    scanner.scan(CARD)
    assert till.next(DataEvent).device == "counter"
    wedge.swipe(";2800000000022?")
    assert till.next(DataEvent).device == "stripe"


def test_a_closed_pty_raises_in_more_than_one_way() -> None:
    own, other = pty.openpty()
    tty.setraw(other)
    path = os.ttyname(other)
    port = serial.Serial(path, timeout=0.2)
    os.close(other)
    os.close(own)
    with pytest.raises(OSError) as waiting:
        _ = port.in_waiting
    assert waiting.value.errno == errno.EIO
    assert not isinstance(waiting.value, serial.SerialException)
    with pytest.raises(serial.SerialException):
        port.read(1)
    port.close()


def test_the_port_not_closed_before_reopening(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    supervisor = run([on(scanner)])
    for number in range(3):
        scanner.unplug()
        till.wait_status("offline")
        scanner.plug()
        till.wait_status("online")
        scanner.scan(f"280000000001{number}")
        assert till.next(DataEvent).scan_data_label == f"280000000001{number}"
        held = [
            link for link in map(os.path.realpath, Path("/proc/self/fd").iterdir()) if str(link).startswith("/dev/pts")
        ]
        ours = os.path.realpath(scanner.path)
        assert held.count(ours) == 2, "the simulated hardware's end and one of the driver's"
    supervisor.stop()
    with serial.Serial(str(scanner.path), exclusive=True):
        pass


def test_a_time_out_that_returns_half_a_frame(scanner: VirtualSerialScanner, run: Run, till: Any) -> None:
    run([on(scanner)])
    scanner.send(b"]E0280000")
    threading.Event().wait(0.2)
    scanner.send(b"0000015\r")
    assert till.next(DataEvent).scan_data_label == CARD, "slower than one read, quicker than the gap"
    scanner.send(b"]E0280000")
    assert till.next(ErrorEvent).code == "cut"
    scanner.send(b"0000015\r")
    assert till.nothing_more(), "half a number is never a card"


def test_event_lost_while_the_last_one_is_unread(scanner: VirtualSerialScanner) -> None:
    free, busy = threading.Event(), threading.Event()
    seen: list[str] = []
    done = threading.Event()

    def slow(event: object) -> None:
        if isinstance(event, DataEvent):
            busy.set()
            assert free.wait(5)
            seen.append(event.scan_data_label)
            if len(seen) == 50:
                done.set()

    supervisor = Supervisor([on(scanner)], slow)
    supervisor.start()
    scanner.scan("first-card", aim="]C0")
    deadline = time.monotonic() + 5
    while not busy.is_set() and time.monotonic() < deadline:
        # Sent before the till had opened the port it is lost, as with real hardware: scan again.
        busy.wait(0.2) or scanner.scan("first-card", aim="]C0")
    for number in range(49):
        scanner.scan(f"waiting{number:03}", aim="]C0")
    free.set()
    assert done.wait(5)
    assert seen == ["first-card", *(f"waiting{number:03}" for number in range(49))]
    supervisor.stop()


def test_a_key_held_down_types_nothing(wedge: VirtualWedge, run: Run, till: Any) -> None:
    run([KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())])
    wedge.send(b"".join(EVENT.pack(0, 0, EV_KEY, 30, 2) for _ in range(500)))
    wedge.swipe(f";{CARD}?")
    assert till.next(DataEvent).scan_data_label == CARD


def test_lost_is_told_apart_from_wrong(scanner: VirtualSerialScanner, patterns: tuple[CardPattern, ...]) -> None:
    device = on(scanner)
    device.claim()
    device.enable(lambda event: None)
    threading.Timer(0.1, scanner.unplug).start()
    with pytest.raises(DeviceLost):
        device.run(threading.Event())
    device.release()
