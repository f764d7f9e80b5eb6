"""The camera over real PNG sequences through OpenCV, and which sightings count."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st

from drivers.build import build_device
from drivers.camera.device import CameraDevice
from drivers.camera.settings import CameraSettings
from drivers.camera.sightings import SAME_SHOWING_NS, Sightings
from drivers.device import Device
from drivers.errors import BadDeviceSettings, DeviceMissing
from drivers.events import DataEvent, PaymentCardRefused, ScanDataType
from drivers.recognition.guard import CardPattern
from drivers.recognition.symbols import Symbol
from drivers.simulators.channels import VirtualCamera
from drivers.supervisor import Supervisor

Run = Callable[[Sequence[Device]], Supervisor]


@pytest.fixture
def hardware(tmp_path: Path) -> Iterator[VirtualCamera]:
    camera = VirtualCamera(tmp_path)
    yield camera
    camera.close()


@pytest.fixture
def device(hardware: VirtualCamera, patterns: tuple[CardPattern, ...]) -> Device:
    return build_device("eye", CameraSettings(hardware.path, fps=30), patterns)


def sequence(folder: Path, *pictures: tuple[str, str]) -> str:
    """Write numbered PNG files, each with one (text, symbology), or blank for no text; return their pattern."""
    folder.mkdir()
    for number, (text, symbology) in enumerate(pictures):
        picture = np.full((240, 320), 255, np.uint8)
        if text:
            code = np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[symbology]).to_image(scale=2))
            picture[10 : 10 + code.shape[0], 10 : 10 + code.shape[1]] = code
        assert cv2.imwrite(str(folder / f"frame_{number:04d}.png"), picture)
    return str(folder / "frame_%04d.png")


def test_qr_codes_shown_one_after_another(hardware: VirtualCamera, device: Device, run: Run, till: Any) -> None:
    run([device])
    for step in range(3):
        hardware.show_qr(f"S1.k7.5760012{step}.04711815")
        event = till.next(DataEvent)
        assert (event.device, event.kind, event.scan_data_type, event.aim) == ("eye", "scan", "QR", "]Q1")
        assert event.scan_data_label == f"S1.k7.5760012{step}.04711815"
    assert till.nothing_more()


def test_bar_code_needs_two_frames_that_agree(
    tmp_path: Path, patterns: tuple[CardPattern, ...], run: Run, till: Any
) -> None:
    one, two = ("2800000000011", "EAN13"), ("4006381333931", "EAN13")
    source = sequence(tmp_path / "s", ("", ""), two, one, one, ("", ""))
    run([CameraDevice("eye", CameraSettings(source, fps=60), patterns)])
    assert till.next(DataEvent).scan_data_label == "2800000000011"
    assert till.nothing_more()


def test_qr_counts_in_one_frame(tmp_path: Path, run: Run, till: Any) -> None:
    source = sequence(tmp_path / "s", ("", ""), ("hello", "QRCode"), ("", ""))
    run([CameraDevice("eye", CameraSettings(source, fps=60), ())])
    assert till.next(DataEvent).scan_data_label == "hello"


def test_video_file(tmp_path: Path, run: Run, till: Any) -> None:
    source = sequence(tmp_path / "s", ("hello", "QRCode"))
    picture = cv2.imread(source % 0)
    assert picture is not None
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 15, (320, 240))
    for _ in range(3):
        writer.write(picture)
    writer.release()
    run([CameraDevice("eye", CameraSettings(str(film)), ())])
    assert till.next(DataEvent).scan_data_label == "hello"


def test_bank_number_in_a_qr_is_refused_once(hardware: VirtualCamera, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.show_qr("4111111111111111")
    assert till.next(PaymentCardRefused).device == "eye"
    assert till.nothing_more()


def test_unplugged_and_plugged_in_again(hardware: VirtualCamera, device: Device, run: Run, till: Any) -> None:
    run([device])
    hardware.unplug()
    till.wait_status("offline")
    hardware.plug()
    till.wait_status("online")
    hardware.show_qr("again")
    assert till.next(DataEvent).scan_data_label == "again"


def test_showing_ends(hardware: VirtualCamera, device: Device, run: Run, till: Any) -> None:
    hardware.show_qr("too early", seconds=60)
    hardware.blank()
    run([device])
    assert till.nothing_more()


def test_no_camera(tmp_path: Path) -> None:
    for source in ("97", "/dev/video97", str(tmp_path / "frame_%04d.png")):
        with pytest.raises(DeviceMissing, match="no such camera"):
            CameraDevice("eye", CameraSettings(source), ()).claim()


def test_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "frame_0000.png").write_bytes(b"no picture")
    for source in ("frame_0000.png", "frame_%04d.png"):
        device = CameraDevice("eye", CameraSettings(str(tmp_path / source)), ())
        with pytest.raises(BadDeviceSettings, match="not a camera"):
            play(device)


def play(device: CameraDevice) -> None:
    device.claim()
    device.enable(lambda event: None)
    device.run(threading.Event())


@pytest.mark.parametrize("wrong", [{"source": ""}, {"source": "0", "fps": 0}, {"source": "0", "formats": ("EAN",)}])
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadDeviceSettings, match="expected"):
        CameraSettings(**wrong)


def test_opencv_is_not_loaded_before_a_camera_is_claimed() -> None:
    code = "import sys, drivers.build, drivers.simulators.channels; raise SystemExit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def qr(text: str) -> Symbol:
    return Symbol(ScanDataType.QR, "]Q1", text, text.encode())


def ean(text: str) -> Symbol:
    return Symbol(ScanDataType.EAN_13, "]E0", text, text.encode())


def test_held_for_five_seconds_is_one_event_and_shown_again_is_another() -> None:
    sightings, frame = Sightings(), SAME_SHOWING_NS // 15
    held = [sightings.accept([qr("a")], at * frame) for at in range(75)]
    assert held[0] == [qr("a")]
    assert not any(held[1:])
    assert sightings.accept([], 75 * frame) == []
    assert sightings.accept([qr("a")], 74 * frame + SAME_SHOWING_NS) == [qr("a")]


def test_frames_that_agree_must_be_near() -> None:
    sightings = Sightings()
    assert sightings.accept([ean("1")], 0) == []
    assert sightings.accept([ean("1")], SAME_SHOWING_NS) == []
    assert sightings.accept([ean("2"), ean("1")], SAME_SHOWING_NS + 1) == [ean("1")]


@given(st.lists(st.tuples(st.integers(0, 300_000_000), st.lists(st.integers(0, 200), max_size=5)), max_size=80))
def test_memory_is_bounded_and_bar_codes_never_count_at_once(frames: list[tuple[int, list[int]]]) -> None:
    sightings, now, before = Sightings(), 0, set[int]()
    for wait, codes in frames:
        now += wait
        for counted in sightings.accept([ean(str(code)) for code in codes], now):
            assert int(counted.text) in before
        before |= set(codes)
        assert len(sightings._seen) <= 64
