"""The keyboard wedge on a real FIFO, a recording, and, where the kernel lets us make one, an evdev node."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from evdev import UInput, ecodes

from drivers.build import build_device
from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceBusy, DeviceMissing
from drivers.events import DataEvent, ErrorEvent, PaymentCardRefused
from drivers.keyboard.keymap import EV_SYN, EVENT, SYN_DROPPED, type_text
from drivers.keyboard.wedge import KeyboardWedge, WedgeSettings
from drivers.recognition.guard import CardPattern
from drivers.recognition.reader import ReaderSettings
from drivers.simulators.channels import VirtualWedge
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[VirtualWedge]:
    wedge = VirtualWedge(tmp_path)
    yield wedge
    wedge.close()


@pytest.fixture
def device(hardware: VirtualWedge, patterns: tuple[CardPattern, ...]) -> Device:
    return build_device("stripe", WedgeSettings(str(hardware.path)), patterns)


def test_loyalty_swipe(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.swipe("%L9876000000000001^DE VRIES/A?;9876000000000001?")
    event = till.next(DataEvent)
    assert (event.device, event.kind, event.scan_data_type) == ("stripe", "swipe", "MSR")
    assert event.scan_data_label == "9876000000000001"
    assert event.tracks is not None
    assert event.tracks.track1 == "L9876000000000001^DE VRIES/A"
    assert event.tracks.track2 == "9876000000000001"


def test_bank_card_is_refused(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.swipe("%B4111111111111111^DOE/JANE^26012011234?;4111111111111111=26012011234?")
    assert till.next(PaymentCardRefused).device == "stripe"
    assert till.nothing_more()


def test_bank_track_beside_ours_is_dropped(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.swipe("%B4111111111111111^DOE/JANE^26012011234?;2800000000015?")
    event = till.next(DataEvent)
    assert event.scan_data_label == "2800000000015"
    assert event.tracks is not None
    assert event.tracks.track1 is None
    assert b"4111" not in event.scan_data


def test_unread_track_beside_a_good_one(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.swipe("%E?;2800000000015?")
    assert till.next(DataEvent).scan_data_label == "2800000000015"
    hardware.swipe("%E?;E?")
    event = till.next(ErrorEvent)
    assert event.code == "unreadable-swipe"
    assert "track 1 unreadable, track 2 unreadable" in event.text


def test_bar_code_wedge_with_aim_identifier(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.swipe("]E02800000000022")
    event = till.next(DataEvent)
    assert (event.kind, event.scan_data_type, event.scan_data_label) == ("scan", "EAN-13", "2800000000022")


def test_whole_swipe_without_enter_ends_at_the_gap(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    *strokes, _enter = type_text(";2800000000039?")
    hardware.send(b"".join(strokes))
    assert till.next(DataEvent).scan_data_label == "2800000000039"


def test_half_a_swipe_is_an_error_and_its_tail_is_nothing(
    hardware: VirtualWedge, device: Device, run: Run, till: Any
) -> None:
    run([device])
    strokes = list(type_text(";4111111111111111=26012011234?"))
    hardware.send(b"".join(strokes[:9]))
    assert till.next(ErrorEvent).code == "cut"
    hardware.send(b"".join(strokes[9:]))
    assert till.nothing_more()


def test_records_cut_anywhere(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    records = b"".join(type_text(";2800000000046?"))
    for at in range(0, len(records), 7):
        hardware.send(records[at : at + 7])
    assert till.next(DataEvent).scan_data_label == "2800000000046"


def test_records_that_lost_their_step(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.send(b"\xff" * 5 * EVENT.size)
    assert till.next(ErrorEvent).code == "garbled"
    hardware.swipe(";2800000000053?")
    assert till.next(DataEvent).scan_data_label == "2800000000053"


def test_kernel_buffer_that_ran_over(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    strokes = list(type_text(";2800000000060?"))
    hardware.send(b"".join(strokes[:6]) + EVENT.pack(0, 0, EV_SYN, SYN_DROPPED, 0) + b"".join(strokes[7:]))
    assert till.next(ErrorEvent).code == "cut"
    hardware.swipe(";2800000000077?")
    assert till.next(DataEvent).scan_data_label == "2800000000077"


def test_unplugged_and_plugged_in_again(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.unplug()
    till.wait_status("offline")
    hardware.plug()
    till.wait_status("online")
    hardware.swipe(";2800000000084?")
    assert till.next(DataEvent).scan_data_label == "2800000000084"


def test_recording_in_a_file_is_played_once(
    tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    recording = tmp_path / "swipes.bin"
    recording.write_bytes(b"".join(type_text(";2800000000015?")) + b"".join(type_text(";2800000000022?")))
    run([KeyboardWedge("file", WedgeSettings(str(recording)), patterns)])
    assert [till.next(DataEvent).scan_data_label for _ in range(2)] == ["2800000000015", "2800000000022"]
    assert till.nothing_more()


def test_writers_that_come_and_go(hardware: VirtualWedge, device: Device, run: Run, till: Any) -> None:
    run([device])
    for number in ("2800000000015", "2800000000022"):
        with hardware.path.open("wb") as pipe:
            pipe.write(b"".join(type_text(f";{number}?")))
        assert till.next(DataEvent).scan_data_label == number


def test_missing_and_unfit_paths(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissing, match="no such reader"):
        KeyboardWedge("w", WedgeSettings(str(tmp_path / "none")), ()).open()
    with pytest.raises(BadDeviceSettings, match="expected an input node"):
        KeyboardWedge("w", WedgeSettings(str(tmp_path)), ()).open()
    with pytest.raises(BadDeviceSettings, match="not an input device"):
        KeyboardWedge("w", WedgeSettings("/dev/null"), ()).claim()
    with pytest.raises(BadDeviceSettings, match="expected a path"):
        WedgeSettings("")


def test_every_state_may_be_left_twice(device: Device) -> None:
    device.interrupt()
    for _ in range(2):
        device.disable()
        device.release()
        device.close()
    before = len(list(Path("/proc/self/fd").iterdir()))
    device.open()
    device.claim()
    device.release()
    device.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(not os.access("/dev/uinput", os.W_OK), reason="no /dev/uinput: the kernel makes no evdev node here")
def test_evdev_node_is_grabbed_and_read(patterns: tuple[CardPattern, ...], run: Run, till: Any) -> None:
    keys = [code for code in range(1, 128) if code in ecodes.KEY]
    with UInput({ecodes.EV_KEY: keys}, name="spaarpunt-test-reader") as reader:
        node = str(reader.device.path)
        assert stat.S_ISCHR(Path(node).stat().st_mode)
        run([KeyboardWedge("node", WedgeSettings(node), patterns)])
        with pytest.raises(DeviceBusy):
            KeyboardWedge("second", WedgeSettings(node), patterns).claim()
        for _, _, kind, code, value in EVENT.iter_unpack(b"".join(type_text(";2800000000015?"))):
            reader.write(kind, code, value)
        assert till.next(DataEvent).scan_data_label == "2800000000015"


def test_stop_wakes_a_quiet_reader(device: Device) -> None:
    device.claim()
    device.enable(lambda event: None)
    stop = threading.Event()
    reader = threading.Thread(target=device.run, args=(stop,))
    reader.start()
    stop.set()
    device.interrupt()
    reader.join(2)
    assert not reader.is_alive()
    device.release()


def test_tracks_on_lines_of_their_own_are_one_swipe(
    hardware: VirtualWedge, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    settings = WedgeSettings(str(hardware.path), reader=ReaderSettings(line_per_track=True))
    run([build_device("stripe", settings, patterns)])
    hardware.send(b"".join(type_text("%L9876000000000001^X/Y?")) + b"".join(type_text(";9876000000000001?")))
    event = till.next(DataEvent)
    assert event.tracks is not None
    assert (event.tracks.track1, event.tracks.track2) == ("L9876000000000001^X/Y", "9876000000000001")
    assert till.nothing_more()


def test_what_the_reader_is_set_to_type_around_a_swipe(
    hardware: VirtualWedge, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    reader = ReaderSettings(prefix="<<", suffix=">>", track_prefix="T", track_suffix="/")
    run([build_device("stripe", WedgeSettings(str(hardware.path), reader=reader), patterns)])
    hardware.swipe("<<T%LX^Y?/T;2800000000015?/>>")
    event = till.next(DataEvent)
    assert event.scan_data_label == "2800000000015"
    assert event.tracks is not None
    assert event.tracks.errors == ()
