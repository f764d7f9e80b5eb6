"""The supervisor: reconnecting, one event per gesture, a bounded queue, and devices that leave each other alone."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import serial

from drivers.device import Device, Sink
from drivers.errors import BadDeviceSettings
from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, StatusUpdateEvent
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.lines.serial_scanner import SerialScanner, SerialSettings
from drivers.simulators.channels import VirtualSerialScanner, VirtualWedge
from drivers.supervisor import MAX_QUEUED, Supervisor

Run = Callable[[Sequence[Device]], Supervisor]


def scanner_on(hardware: VirtualSerialScanner, name: str = "counter") -> SerialScanner:
    return SerialScanner(name, SerialSettings(str(hardware.path)), ())


class Recorded:
    """A device with a fixed stream of events, or a defect. Implements the protocol; needs no hardware."""

    def __init__(self, name: str, events: Sequence[Event] = (), defect: Exception | None = None) -> None:
        self.name = name
        self.claimed = 0
        self._events, self._defect = events, defect
        self._sink: Sink | None = None

    def open(self) -> None: ...

    def claim(self) -> None:
        self.claimed += 1

    def enable(self, sink: Sink) -> None:
        self._sink = sink

    def run(self, stop: threading.Event) -> None:
        assert self._sink is not None
        for event in self._events:
            self._sink(event)
        if self._defect is not None:
            raise self._defect
        stop.wait()

    def interrupt(self) -> None: ...

    def disable(self) -> None: ...

    def release(self) -> None: ...

    def close(self) -> None: ...


def scan(label: str, at_ns: int = 0, device: str = "r") -> DataEvent:
    return DataEvent(device, "scan", label.encode(), label, "UNKNOWN", None, None, at_ns)


def test_waits_for_a_device_that_comes_later(tmp_path: Path, till: Any) -> None:
    late = tmp_path / "late"
    supervisor = Supervisor([KeyboardWedge("stripe", WedgeSettings(str(late / "wedge")), ())], till.events.put)
    supervisor.start()
    assert "no such reader" in till.wait_status("offline").text
    hardware = VirtualWedge(late)
    till.wait_status("online")
    hardware.swipe(";123456?")
    assert till.next(DataEvent).scan_data_label == "123456"
    supervisor.stop()
    hardware.close()


def test_port_taken_is_told_once_and_taken_over_when_free(tmp_path: Path, till: Any) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    supervisor = Supervisor([scanner_on(hardware)], till.events.put)
    with serial.Serial(str(hardware.path), exclusive=True):
        supervisor.start()
        failed = till.events.get(timeout=5)
        assert failed.status == "failed"
        assert "the port is taken" in failed.text
        assert till.nothing_more(within=0.8), "a status is sent on change only"
    till.wait_status("online")
    supervisor.stop()
    hardware.close()


def test_wrong_settings_end_that_device_alone(tmp_path: Path, till: Any) -> None:
    (tmp_path / "file").write_text("no port")
    hardware = VirtualSerialScanner(tmp_path)
    wrong = SerialScanner("wrong", SerialSettings(str(tmp_path / "file")), ())
    supervisor = Supervisor([wrong, scanner_on(hardware)], till.events.put)
    supervisor.start()
    told = {event.device: event.status for event in (till.events.get(timeout=5), till.events.get(timeout=5))}
    assert told == {"wrong": "failed", "counter": "online"}
    hardware.scan("4006381333931")
    assert till.next(DataEvent).device == "counter"
    supervisor.stop()
    hardware.close()


def test_a_driver_with_a_defect_touches_no_other(tmp_path: Path, till: Any) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    broken = Recorded("broken", defect=ZeroDivisionError("4111111111111111"))
    supervisor = Supervisor([scanner_on(hardware), broken], till.events.put)
    supervisor.start()
    status = [till.next(StatusUpdateEvent) for _ in range(3)]
    assert {(event.device, event.status) for event in status} == {
        ("counter", "online"),
        ("broken", "online"),
        ("broken", "failed"),
    }
    failed = next(event for event in status if event.status == "failed")
    assert failed.device == "broken"
    assert failed.text.startswith("ZeroDivisionError at Recorded.run")
    assert "4111" not in failed.text
    hardware.scan("4006381333931")
    assert till.next(DataEvent).device == "counter"
    supervisor.stop()
    assert broken.claimed >= 1
    hardware.close()


class Stubborn(Recorded):
    """Breaks its promise: it raises where no device may."""

    def release(self) -> None:
        raise OSError(5, "4111111111111111")


def test_a_device_that_does_not_let_go_is_looked_for_again_and_touches_no_other(
    tmp_path: Path, till: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    hardware = VirtualSerialScanner(tmp_path)
    stubborn = Stubborn("stubborn", defect=ZeroDivisionError())
    supervisor = Supervisor([stubborn, scanner_on(hardware)], till.events.put)
    supervisor.start()
    for _ in range(2):
        till.wait_status("failed", "stubborn")
        till.wait_status("online", "stubborn")
    hardware.scan("4006381333931")
    assert till.next(DataEvent).device == "counter"
    supervisor.stop()
    hardware.close()
    assert stubborn.claimed >= 2
    assert "411111" not in capsys.readouterr().out


def test_one_scan_arriving_on_two_channels_is_one_event(tmp_path: Path, run: Run, till: Any) -> None:
    serial_side, wedge_side = VirtualSerialScanner(tmp_path), VirtualWedge(tmp_path)
    run([scanner_on(serial_side), KeyboardWedge("stripe", WedgeSettings(str(wedge_side.path)), ())])
    serial_side.scan("4006381333931")
    wedge_side.swipe("]E04006381333931")
    serial_side.scan("4006381333931")
    assert till.next(DataEvent).scan_data_label == "4006381333931"
    assert till.nothing_more()
    serial_side.close()
    wedge_side.close()


def test_the_same_card_a_second_later_is_another_event(run: Run, till: Any) -> None:
    second = 1_000_000_000
    run([Recorded("r", [scan("a", 0), scan("a", second - 1), scan("b", second - 1), scan("a", second)])])
    assert [till.next(DataEvent).scan_data_label for _ in range(3)] == ["a", "b", "a"]
    assert till.nothing_more()


def test_full_queue_drops_the_oldest_scan_and_says_so() -> None:
    free, taken = threading.Event(), threading.Event()
    seen: queue.Queue[Event] = queue.Queue()

    def busy(event: Event) -> None:
        taken.set()
        assert free.wait(10)
        seen.put(event)

    refused = PaymentCardRefused("r", "bank card")
    count = MAX_QUEUED + 50
    device = Recorded("r", [refused, *(scan(str(number)) for number in range(count))])
    done = threading.Event()
    last = Recorded("last")
    supervisor = Supervisor([device, last], busy)
    supervisor.start()
    assert taken.wait(5)
    deadline = time.monotonic() + 5
    while not supervisor._overrun and time.monotonic() < deadline:
        done.wait(0.01)
    done.wait(0.1)
    free.set()
    supervisor.stop()
    events = []
    while not seen.empty():
        events.append(seen.get())
    labels = [int(event.scan_data_label) for event in events if isinstance(event, DataEvent)]
    assert refused in events
    assert [event.code for event in events if isinstance(event, ErrorEvent)] == ["overrun"]
    assert labels == list(range(count - len(labels), count)), "the newest are kept, in order"
    assert 0 < len(labels) <= MAX_QUEUED + 1


def test_a_sink_that_fails_loses_one_event_and_no_digits(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    seen: queue.Queue[Event] = queue.Queue()

    def sink(event: Event) -> None:
        if isinstance(event, DataEvent) and event.scan_data_label == "2800000000011":
            raise ValueError(f"cannot book {event.scan_data_label}")
        seen.put(event)

    supervisor = Supervisor([Recorded("r", [scan("2800000000011"), scan("next")])], sink)
    supervisor.start()
    while not isinstance(event := seen.get(timeout=5), DataEvent):
        assert isinstance(event, StatusUpdateEvent)
    assert event.scan_data_label == "next"
    supervisor.stop()
    printed = capsys.readouterr()
    assert "ValueError" in printed.out
    assert "2800000000011" not in printed.out + printed.err


def test_two_devices_of_one_name_are_refused() -> None:
    with pytest.raises(BadDeviceSettings, match="two devices have one name"):
        Supervisor([Recorded("r"), Recorded("r")], lambda event: None)


def test_stop_delivers_what_is_queued_and_ends_all_threads(tmp_path: Path, till: Any) -> None:
    hardware, wedge = VirtualSerialScanner(tmp_path), VirtualWedge(tmp_path)
    before = threading.active_count()
    devices: list[Device] = [scanner_on(hardware), KeyboardWedge("stripe", WedgeSettings(str(wedge.path)), ())]
    supervisor = Supervisor([*devices, Recorded("r", [scan(str(n)) for n in range(500)])], till.events.put)
    supervisor.start()
    for _ in range(3):
        till.wait_status("online", None)
    began = time.monotonic()
    supervisor.stop()
    supervisor.stop()
    assert time.monotonic() - began < 1
    assert threading.active_count() == before
    with serial.Serial(str(hardware.path), exclusive=True):
        pass
    hardware.close()
    wedge.close()


def test_stop_from_within_the_sink() -> None:
    stopped = threading.Event()

    def sink(event: Event) -> None:
        supervisor.stop()
        stopped.set()

    supervisor = Supervisor([Recorded("r", [scan("a")])], sink)
    supervisor.start()
    assert stopped.wait(5)
