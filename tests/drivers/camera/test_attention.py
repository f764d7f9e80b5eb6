"""How a camera spends its time: newest frames, the share of a core, light, and doubts that several frames settle."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.camera.attention import SHARE, Attention
from drivers.camera.device import CameraDevice
from drivers.camera.exposure import ExposureControl, evened, is_glaring
from drivers.camera.frames import NewestFrame
from drivers.camera.settings import CameraSettings
from drivers.camera.sightings import Sightings
from drivers.decoding.decode import decode
from drivers.errors import BadDeviceSettings
from drivers.events import DataEvent, Event, ScanDataType
from drivers.recognition.symbols import Symbol
from tests.support.hard_set import sample, samples

Gray = NDArray[np.uint8]
BUSY = np.asarray(cv2.resize(sample("work", "QR", 3).image, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)
EMPTY = np.full((180, 320), 140, np.uint8)


def film(path: Path, *pictures: Gray) -> str:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, pictures[0].shape[::-1])
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    return str(path)


def code(text: str, symbology: str = "QRCode") -> Gray:
    return np.asarray(zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat[symbology]).to_image(scale=3), np.uint8)


def test_newest_frame_only(tmp_path: Path) -> None:
    levels = [np.full((48, 64), level, np.uint8) for level in range(0, 250, 10)]
    newest = NewestFrame(cv2.VideoCapture(film(tmp_path / "film.avi", *levels)), "eye")
    # The film has been read to its end before anybody looks: 24 frames are stale, the last one is left.
    newest._thread.join(5)
    frame = newest.take()
    assert frame is not None
    assert abs(float(frame.mean()) - 240) < 4
    assert newest.dropped == len(levels) - 1
    assert newest.take() is None
    assert newest.cpu_s > 0
    newest.close()


def test_waiting_for_a_frame_ends_when_woken(tmp_path: Path) -> None:
    newest = NewestFrame(cv2.VideoCapture(film(tmp_path / "film.avi", EMPTY)), "eye")
    assert newest.take() is not None
    threading.Timer(0.05, newest.wake).start()
    began = time.monotonic()
    assert newest.take() is None
    assert time.monotonic() - began < 2
    newest.close()


@pytest.mark.parametrize("scene", [BUSY, EMPTY], ids=["busy", "empty"])
@pytest.mark.parametrize("light_s", [0.004, 0.02, 0.2])
@pytest.mark.parametrize("reads", [True, False])
def test_the_share_of_a_core_is_kept_whatever_a_look_costs(scene: Gray, light_s: float, reads: bool) -> None:
    attention, spent = Attention(), 0.0
    for frame in range(600):
        limit = attention.limit(np.roll(scene, 20 * frame, axis=1), frame / 15)
        cost = 0.001 if limit is None else light_s + limit
        attention.spent(cost, read=reads)
        spent += cost
    assert spent / 40 <= SHARE + 0.02


def test_nothing_like_a_code_is_not_looked_at() -> None:
    assert Attention().limit(EMPTY, 0.0) is None
    assert Attention().limit(BUSY, 0.0) == 0.0


def test_a_still_scene_gets_hard_looks_and_then_a_rest() -> None:
    attention = Attention()
    limits = []
    for frame in range(90):
        limit = attention.limit(BUSY, frame / 15)
        limits.append(limit)
        attention.spent(0.01 if limit is not None else 0.0, read=False)
    # Three while the scene is new; then one in three seconds, of the five that are left.
    assert [bool(limit) for limit in limits[:30]].count(True) == 3
    assert [bool(limit) for limit in limits[30:]].count(True) == 1
    later = limits[-30:]
    assert later.count(None) > 20
    assert later.count(0.0) >= 3


def test_what_a_hard_look_read_gets_another_one_at_once() -> None:
    attention = Attention()
    frame, limit = 0, 0.0
    while not limit:
        limit = attention.limit(BUSY, frame / 15) or 0.0
        attention.spent(limit or 0.005, read=bool(limit))
        frame += 1
    again = attention.limit(BUSY, frame / 15)
    assert again is not None
    assert again > 0
    attention.spent(again, read=True)
    assert not attention.limit(BUSY, (frame + 1) / 15)


def test_what_is_read_is_looked_at_in_every_frame() -> None:
    attention = Attention()
    for frame in range(60):
        assert attention.limit(BUSY, frame / 15) == 0.0
        attention.spent(0.01, read=True)


def test_a_region_counts_and_the_rest_does_not(tmp_path: Path) -> None:
    inside, outside = code("inside"), code("outside")
    picture = np.full((240, 480), 255, np.uint8)
    picture[20 : 20 + inside.shape[0], 20 : 20 + inside.shape[1]] = inside
    picture[20 : 20 + outside.shape[0], 300 : 300 + outside.shape[1]] = outside
    source = film(tmp_path / "film.avi", *[picture] * 6)
    device = CameraDevice("eye", CameraSettings(source, fps=60, region=(0.0, 0.0, 0.5, 1.0)), ())
    assert [event.scan_data_label for event in played(device, 1) if isinstance(event, DataEvent)] == ["inside"]


def played(device: CameraDevice, wanted: int) -> list[Event]:
    """Run the device until it has sent `wanted` events, fifteen seconds at most."""
    stop, events = threading.Event(), list[Event]()

    def sink(event: Event) -> None:
        events.append(event)
        if len(events) >= wanted:
            stop.set()

    device.claim()
    device.enable(sink)
    timer = threading.Timer(15, stop.set)
    timer.start()
    device.run(stop)
    timer.cancel()
    device.disable()
    device.release()
    return events


def test_a_code_that_only_hard_tries_read_comes_through_the_loop(tmp_path: Path) -> None:
    # A small EAN-13 in a large frame, which neither engine reads.
    small = (each for each in samples("work", "EAN-13", 200) if each.trouble == "small")
    # On a busy machine a tenth of a second is not always enough for what it usually is: the loop has hundreds of goes.
    each = next(
        each
        for each in small
        if not engines_read(each.image) and any(decode(each.image, limit_s=0.1) for _ in range(8))
    )
    source = film(tmp_path / "film.avi", *[each.image] * 240)
    events = played(CameraDevice("eye", CameraSettings(source, formats=("EAN-13",)), ()), 1)
    assert [event.scan_data_label for event in events if isinstance(event, DataEvent)] == [each.text]


def engines_read(image: Gray) -> bool:
    from drivers.decoding.engines import by_pyzbar, by_zxing

    return bool(by_zxing(image, (ScanDataType.EAN_13,)) or by_pyzbar(image, (ScanDataType.EAN_13,)))


@pytest.mark.parametrize("region", [(0, 0, 0, 1), (0.5, 0, 0.2, 1), (-0.1, 0, 1, 1), (0, 0, 1, 1.2)])
def test_region_that_cannot_be(region: tuple[float, float, float, float]) -> None:
    with pytest.raises(BadDeviceSettings, match="region"):
        CameraSettings("0", region=region)


class Sensor:
    """A camera's settings as V4L2 shows them, and what its picture of a bright screen on a dark counter comes to."""

    def __init__(self, brightness: float, takes: bool = True) -> None:
        self.brightness = brightness
        self.takes = takes
        self.values = {cv2.CAP_PROP_EXPOSURE: 400.0, cv2.CAP_PROP_AUTO_EXPOSURE: 3.0}

    def get(self, propId: int, /) -> float:  # noqa: N803 - OpenCV's name
        return self.values.get(propId, -1.0)

    def set(self, propId: int, value: float, /) -> bool:  # noqa: N803
        if self.takes:
            self.values[propId] = value
        return self.takes

    def picture(self) -> Gray:
        frame = np.full((240, 320), 60.0)
        frame[60:180, 100:220] = self.brightness
        return np.clip(frame * self.values[cv2.CAP_PROP_EXPOSURE] / 400, 0, 255).astype(np.uint8)


def test_exposure_goes_down_before_a_bright_screen_and_up_again_after() -> None:
    sensor = Sensor(900)
    control = ExposureControl(sensor)
    for _ in range(60):
        control.see(sensor.picture())
    assert not is_glaring(sensor.picture())
    assert sensor.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1.0
    sensor.brightness = 60
    for _ in range(60):
        control.see(sensor.picture())
    assert sensor.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 3.0


def test_a_camera_that_refuses_is_left_alone() -> None:
    sensor = Sensor(900, takes=False)
    control = ExposureControl(sensor)
    for _ in range(10):
        control.see(sensor.picture())
    assert not control.works
    assert sensor.values[cv2.CAP_PROP_EXPOSURE] == 400.0


def test_evened_brings_detail_out_of_the_bright_part() -> None:
    picture = np.full((200, 200), 30, np.uint8)
    picture[50:150, 50:150] = 235
    picture[70:130:8, 70:130] = 250
    bright = picture[60:140, 60:140]
    assert evened(picture)[60:140, 60:140].std() > 1.5 * bright.std()


def ean(text: str) -> Symbol:
    return Symbol(ScanDataType.EAN_13, "]E0", text, text.encode())


def test_four_frames_settle_a_doubt() -> None:
    sightings = Sightings()
    for frame in range(3):
        assert sightings.accept([], frame, [ean("1")]) == []
    assert sightings.accept([], 3, [ean("1")]) == [ean("1")]
    assert sightings.accept([], 4, [ean("1")]) == []


@given(st.lists(st.sampled_from("12"), min_size=1, max_size=12))
def test_frames_that_disagree_settle_nothing(texts: list[str]) -> None:
    sightings, counted = Sightings(), []
    for frame, text in enumerate(["1", "2", *texts]):
        counted += sightings.accept([], frame, [ean(text)])
    assert counted == []
