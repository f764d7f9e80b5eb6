"""Framing and recognition of one scan, from bytes to event, beside biip's parsing of the same text alone.

biip does less (it knows no frames, no swipes, no cards and no bank cards), and is what everyone else would call first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from biip import ParseError
from biip import parse as biip_parse

from benchmarks.result import Result
from drivers.formats.framing import FrameError, Framer
from drivers.recognition.guard import CardPattern
from drivers.recognition.recognise import recognise_frame

TARGET_US = 50.0
"""The most that a scan may take on average: the floor is what we promised, not what could be."""
ROUNDS = 9
REPEATS = 200

PATTERNS = (CardPattern("spaarpas", "2910", 13), CardPattern("sleutelhanger", "SP", 12), CardPattern("pas", "9528", 16))
SCANS: dict[str, bytes] = {
    "EAN-13 card": b"]E02910000000017\r",
    "EAN-13 article": b"]E04006381333931\r\n",
    "EAN-8": b"]E496385074\r",
    "EAN-13 without AIM": b"8712345678906\r",
    "Code 128 card": b"]C0SP1234567897\r",
    "GS1-128 coupon": b"]C12558712345678906123\x1d81110100\r",
    "GS1-128 membership": b"]C18018871234567890123451\x1d80191\r",
    "QR credential": b"]Q1S1.k7.57600123.04711815.MFRGGZDFMZTWQ2LK\r",
    "Digital Link": b"]Q1https://id.gs1.org/8018/871234567890123451\r",
    "swipe": b"%L9876000000000001^DE VRIES/A^99121200000?;9528123412341239=99121200000?\r",
    "bank card": b"%B4111111111111111^DOE/JANE^26012011234?;4111111111111111=26012011234?\r",
}
"""What a shop's scanner sends in a day."""
SWIPES = ("swipe", "bank card")
"""Which of them biip knows nothing of."""


def measure() -> list[Result]:
    """Microseconds a scan: the mean over `SCANS`, each as often as the other; and the slowest kind of them."""
    ours = {name: _median(partial(_ours, scan)) for name, scan in SCANS.items()}
    parsed = {name: scan.decode().strip() for name, scan in SCANS.items() if name not in SWIPES}
    peers = {name: _median(partial(_biip, text)) for name, text in parsed.items()}
    slowest = max(ours, key=lambda name: ours[name])
    return [
        Result("recognition_scan", statistics.fmean(ours.values()), "µs", "lower", floor=TARGET_US),
        Result(
            "recognition_bar_code",
            statistics.fmean(ours[name] for name in parsed),
            "µs",
            "lower",
            {"biip.parse alone": statistics.fmean(peers.values())},
        ),
        Result(f"recognition_slowest ({slowest})", ours[slowest], "µs", "lower", floor=TARGET_US),
    ]


def _ours(scan: bytes) -> None:
    framer = Framer()
    for _ in range(REPEATS):
        for frame in framer.feed(scan):
            if isinstance(frame, FrameError):
                raise TypeError("expected a whole scan")
            recognise_frame("bench", frame, PATTERNS, 0)


def _biip(text: str) -> None:
    for _ in range(REPEATS):
        try:
            biip_parse(text)
        except ParseError:
            # A text that is not GS1's: finding that out is the work.
            continue


def _median(work: Callable[[], None]) -> float:
    """Microseconds a scan, the median over `ROUNDS`."""
    taken: Sequence[float] = [_timed(work) for _ in range(ROUNDS)]
    return statistics.median(taken) / REPEATS * 1e6


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
