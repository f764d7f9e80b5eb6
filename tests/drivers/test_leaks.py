"""Bank cards through every driver, and then a search of all that came out for their digits."""

from __future__ import annotations

import logging
import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from drivers.build import build_device
from drivers.errors import DriverError
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused, StatusUpdateEvent
from drivers.formats.framing import FrameError, Framer
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.recognition.guard import CardPattern, classify_digits, luhn_valid
from drivers.recognition.recognise import recognise_frame, recognise_typed
from drivers.simulators.channels import VirtualSerialScanner
from drivers.supervisor import MAX_QUEUED, Supervisor
from tests.drivers.channels import CHANNELS, Channel

OURS = (CardPattern("paper card", "28", 13), CardPattern("stripe card", "9876", 16))
# Fewer digits than this are shared with times and dates.
RUN = 7


def windows(pans: list[str]) -> set[str]:
    return {pan[at : at + RUN] for pan in pans for at in range(len(pan) - RUN + 1)}


def leaked(output: str, pans: list[str]) -> list[str]:
    sought = windows(pans)
    runs = re.findall(rf"[0-9]{{{RUN},}}", output)
    return [run for run in runs if any(run[at : at + RUN] in sought for at in range(len(run) - RUN + 1))]


@dataclass(frozen=True)
class Bank:
    """Generated account numbers, and what a wedge types for one."""

    pans: list[str]
    swipe_of: Callable[[str], str]


@pytest.fixture
def bank(pans: list[str], swipe_of: Callable[[str], str]) -> Bank:
    return Bank(pans, swipe_of)


@pytest.fixture(autouse=True)
def debug_to_output() -> Iterator[None]:
    """Everything at debug level on stdout, through structlog and through logging, as support asks for it."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG), cache_logger_on_first_use=False
    )
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, force=True)
    yield
    structlog.reset_defaults()
    logging.basicConfig(force=True)


def test_the_search_finds_digits() -> None:
    assert leaked("x 00411111199 y", ["4111111111111111"]) == ["00411111199"]
    assert leaked("x 411111 y", ["4111111111111111"]) == []


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_bank_cards_through_every_driver(
    channel: Channel, tmp_path: Path, bank: Bank, till: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    rig = channel.build(tmp_path)
    supervisor = Supervisor([build_device(channel.name, rig.settings, OURS)], till.events.put)
    supervisor.start()
    till.wait_status("online")
    shown = []
    for number, pan in enumerate(bank.pans[: channel.cards]):
        grouped = " ".join(pan[at : at + 4] for at in range(0, len(pan), 4))
        ways: list[Callable[[], object]] = []
        if rig.scan is not None:
            scan = rig.scan
            for text, aim in ((pan, "]C0"), (pan, ""), (grouped, "]Q1"), (pan, "]C1")):
                ways.append(partial(scan, text, aim))
        if rig.swipe is not None:
            ways.append(partial(rig.swipe, bank.swipe_of(pan)))
        ways[number % len(ways)]()
        shown.append(repr(till.next(PaymentCardRefused)))
    assert till.nothing_more()
    # Unplugged: the exception, the status and the log are on their way as well.
    rig.hardware.unplug()
    shown.append(repr(till.wait_status("offline")))
    supervisor.stop()
    rig.hardware.close()
    printed = capfd.readouterr()
    assert "device_status" in printed.out, "the log is captured"
    assert leaked("\n".join(shown) + printed.out + printed.err, bank.pans) == []


def test_bank_cards_that_come_faster_than_anyone_swipes(
    tmp_path: Path,
    bank: Bank,
    patterns: tuple[CardPattern, ...],
    till: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    supervisor = Supervisor([SerialScanner("s", SerialSettings(str(hardware.path)), patterns)], till.events.put)
    supervisor.start()
    till.wait_status("online")
    # No more at once than the supervisor's queue holds, whatever else the machine is doing.
    shown = []
    for start in range(0, len(bank.pans), MAX_QUEUED // 2):
        batch = bank.pans[start : start + MAX_QUEUED // 2]
        for number, pan in enumerate(batch):
            text = pan if number % 2 else bank.swipe_of(pan)
            hardware.scan(text, aim="", suffix=[b"\r", b"\r\n", b"\x03"][number % 3])
        shown += [repr(till.next(PaymentCardRefused)) for _ in batch]
    hardware.send(f"%B{bank.pans[0]}^JAN".encode())
    hardware.unplug()
    shown.append(repr(till.wait_status("offline")))
    supervisor.stop()
    printed = capfd.readouterr()
    assert leaked("\n".join(shown) + printed.out + printed.err, bank.pans) == []


def test_typed_bank_cards(bank: Bank, patterns: tuple[CardPattern, ...]) -> None:
    for number, pan in enumerate(bank.pans):
        size = 3 + number % 4
        groups = [pan[at : at + size] for at in range(0, len(pan), size)]
        for text in (pan, " ".join(groups), "-".join(groups), ".".join(groups), f" {pan} ", bank.swipe_of(pan)):
            event = recognise_typed("field", text, patterns, 0)
            assert isinstance(event, PaymentCardRefused)
            assert leaked(repr(event), [pan]) == []


def test_bank_cards_cut_and_garbled(
    pans: list[str], swipe_of: Callable[[str], str], chance: random.Random, patterns: tuple[CardPattern, ...]
) -> None:
    for pan in pans:
        swipe = swipe_of(pan)
        at = chance.randrange(1, len(swipe))
        for part in (swipe[:at], swipe[at:], swipe.replace("=", "-"), swipe.replace(";", "ş").replace("?", ":")):
            event = recognise_frame("w", bytearray(part.encode()), patterns, 0)
            assert leaked(repr(event), [pan]) == []
            if pan in part:
                assert isinstance(event, PaymentCardRefused | ErrorEvent), f"{type(event).__name__}: a whole number"


@given(st.data())
def test_any_stream_cut_anywhere_yields_no_payment_card(data: st.DataObject) -> None:
    pieces = st.sampled_from(
        ["4111111111111111", "%B", ";", "=26012011234", "?", "\r", "\r\n", "]E0", "]C0", "^", "\x02"]
    )
    stream = "".join(data.draw(st.lists(pieces | st.text(max_size=3), max_size=20))).encode()
    cut = data.draw(st.integers(0, len(stream)))
    framer = Framer()
    frames = [*framer.feed(stream[:cut]), *framer.feed(stream[cut:]), *framer.finish()]
    for frame in frames:
        if isinstance(frame, FrameError):
            continue
        event = recognise_frame("x", frame, (), 0)
        assert frame == bytes(len(frame)), "the buffer is wiped"
        if isinstance(event, DataEvent):
            assert classify_digits(event.scan_data_label, ()) != "payment" or event.aim == "]E0"
            for run in re.findall("[0-9]{15,19}", event.scan_data_label):
                assert not (run.startswith("4") and luhn_valid(run))


def test_exceptions_and_their_frames_carry_no_digits(
    tmp_path: Path, pans: list[str], patterns: tuple[CardPattern, ...]
) -> None:
    pan = pans[0]
    hardware = VirtualSerialScanner(tmp_path)
    device = SerialScanner("s", SerialSettings(str(hardware.path)), patterns)
    device.claim()
    device.enable(lambda event: None)
    hardware.send(f"{pan}\r%B{pan}^".encode())
    timer = threading.Timer(0.2, hardware.unplug)
    timer.start()
    with pytest.raises(DriverError) as lost:
        device.run(threading.Event())
    timer.join()
    # A crash report may print the locals of every frame, and those of the exception that led to this one.
    shown, error, frames = [str(lost.value)], lost.value, 0
    chain: list[BaseException | None] = [error, error.__context__]
    for each in chain:
        step = each.__traceback__ if each is not None else None
        while step is not None:
            if step.tb_frame.f_globals["__name__"].startswith("drivers."):
                frames += 1
                shown.append(repr(step.tb_frame.f_locals))
            step = step.tb_next
    assert frames >= 1
    assert "plug it in again" in shown[0]
    assert leaked("\n".join(shown), [pan]) == []
    device.release()


def test_a_defect_in_the_recognition_shows_nothing() -> None:
    # An encoding that does not exist is a defect of the caller; what it was reading must not come out with it.
    event = recognise_frame("x", bytearray(b"4111111111111111"), (), 0, encoding="none")
    assert isinstance(event, ErrorEvent)
    assert event.code == "internal"
    assert "LookupError" in event.text
    assert leaked(repr(event), ["4111111111111111"]) == []


def test_reprs_show_four_characters_at_most() -> None:
    event = recognise_frame(
        "x", bytearray(b"%L9876000000000001^X/Y?;9876000000000001?"), [CardPattern("c", "9876", 16)], 5
    )
    assert isinstance(event, DataEvent)
    assert "9876" not in repr(event)
    assert "…0001" in repr(event)
    assert repr(recognise_frame("x", bytearray(b"1234567"), (), 0)).count("…") == 2
    assert "StatusUpdateEvent" in repr(StatusUpdateEvent("x", "online", "ready"))
