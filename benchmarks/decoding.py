"""Codes that are hard to read: ours beside pyzbar, zxing-cpp and OpenCV alone, on the part nobody tuned on."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Literal

import cv2
import numpy as np
import zxingcpp
from pyzbar import pyzbar

from benchmarks.result import Result
from drivers.decoding.decode import decode, parse_formats
from tests.support.hard_set import KINDS, NOTHING, samples
from tests.support.labels import Gray

COUNT = 120
"""Pictures of each kind: one more read right is a bit less than one per cent."""

OPENCV_LIMIT_S = 2.0
"""For one picture: OpenCV's detectors can hang, and are stopped from outside."""

Reader = Callable[[Gray, str], set[str]]

_ZXING = {
    "QR": zxingcpp.BarcodeFormat.QRCodeModel2,
    "EAN-13": zxingcpp.BarcodeFormat.EAN13,
    "CODE-128": zxingcpp.BarcodeFormat.Code128,
}
_ZBAR = {
    "QR": pyzbar.ZBarSymbol.QRCODE,
    "EAN-13": pyzbar.ZBarSymbol.EAN13,
    "CODE-128": pyzbar.ZBarSymbol.CODE128,
}


def measure() -> list[Result]:
    """For each kind: pictures read right, pictures with nothing read wrong, mean milliseconds."""
    results = []
    for kind in (*KINDS, NOTHING):
        with _OpenCv() as opencv:
            readers: dict[str, Reader] = {"ours": _ours, "zxing-cpp": _zxing, "pyzbar": _pyzbar, "opencv": opencv}
            if kind in ("CODE-128", NOTHING):
                # OpenCV has no Code 128; what it makes of nothing is its two detectors' time twice.
                del readers["opencv"]
            results += _one_kind(kind, readers)
    return results


def _one_kind(kind: str, readers: dict[str, Reader]) -> list[Result]:
    right = dict.fromkeys(readers, 0)
    wrong = dict.fromkeys(readers, 0)
    spent = dict.fromkeys(readers, 0.0)
    at_once: list[float] = []
    for each in samples("held_out", kind, COUNT):
        for name, read in readers.items():
            began = time.perf_counter()
            texts = read(each.image, kind)
            took = time.perf_counter() - began
            spent[name] += took
            right[name] += each.text in texts
            wrong[name] += bool(texts - {each.text})
            if name == "ours":
                ours = took
            elif name == "zxing-cpp" and each.text in texts:
                at_once.append(ours)

    def result(what: str, unit: str, values: dict[str, float], better: Literal["higher", "lower"] = "lower") -> Result:
        peers = {name: value for name, value in values.items() if name != "ours"}
        return Result(f"decoding {kind}, {what}", values["ours"], unit, better, peers)

    found = [result("none wrong", f"of {COUNT}", {name: float(COUNT - bad) for name, bad in wrong.items()}, "higher")]
    if kind != NOTHING:
        found.insert(0, result("right", f"of {COUNT}", {name: float(count) for name, count in right.items()}, "higher"))
        mean_ms = float(np.mean(at_once)) * 1000
        found.append(Result(f"decoding {kind}, mean time where zxing-cpp reads at once", mean_ms, "ms", "lower"))
    found.append(result("mean time", "ms", {name: 1000 * value / COUNT for name, value in spent.items()}))
    return found


def _kinds(kind: str) -> tuple[str, ...]:
    return KINDS if kind == NOTHING else (kind,)


def _ours(image: Gray, kind: str) -> set[str]:
    return {symbol.text for symbol in decode(image, parse_formats(_kinds(kind)))}


def _zxing(image: Gray, kind: str) -> set[str]:
    wanted = zxingcpp.BarcodeFormats([_ZXING[name] for name in _kinds(kind)])
    return {each.text for each in zxingcpp.read_barcodes(image, formats=wanted, text_mode=zxingcpp.TextMode.Plain)}


def _pyzbar(image: Gray, kind: str) -> set[str]:
    found = pyzbar.decode(image, symbols=[_ZBAR[name] for name in _kinds(kind)])
    return {each.data.decode("utf-8", "replace") for each in found}


class _OpenCv:
    """OpenCV's detectors in a process of their own, started anew when one hangs or dies."""

    def __enter__(self) -> _OpenCv:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def __call__(self, image: Gray, kind: str) -> set[str]:
        try:
            self._ours.send((image, kind))
            if self._ours.poll(OPENCV_LIMIT_S):
                answer: set[str] = self._ours.recv()
                return answer
        except (EOFError, OSError):
            # The detector took its process along: nothing was read.
            pass
        self._stop()
        self._start()
        return set()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve_opencv, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.send((np.full((64, 64), 255, np.uint8), "QR"))
        self._ours.recv()

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()


def _serve_opencv(channel: Connection) -> None:
    squares, bars = cv2.QRCodeDetector(), cv2.barcode.BarcodeDetector()
    while True:
        image, kind = channel.recv()
        try:
            found, texts, *_ = (squares if kind == "QR" else bars).detectAndDecodeMulti(image)
        except (cv2.error, UnicodeDecodeError):
            found, texts = False, ()
        channel.send({text for text in texts if text} if found else set())
