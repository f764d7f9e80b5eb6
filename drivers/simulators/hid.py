"""Simulated HID readers: the reports of HID-POS scanners, HID-POS stripe readers and MagTeks, into a pipe.

The stream carries the report descriptor before each scan, so that a till that starts late knows what it reads.
"""

from __future__ import annotations

from pathlib import Path

from drivers.hid.reports import MAGTEK, MsrLayout, layout_of
from drivers.hid.source import DESCRIPTOR, REPORT, record
from drivers.simulators.channels import VirtualPipe

__all__ = ["SCANNER_DESCRIPTOR", "STRIPE_DESCRIPTOR", "VirtualHidScanner", "VirtualHidStripe", "scanner_reports"]

_DATA_BYTES = 56
_REPORT_BYTES = 64

# HID 1.11 short items. Byte count, three symbology identifiers, 56 bytes of data, padding, "data continued": the report
# of 64 bytes that most makers send (HID Point of Sale Usage Tables 1.02, page 0x8C).
SCANNER_DESCRIPTOR = bytes.fromhex(
    "058c 0902 a101 8502 1500 26ff00 7508 9501 0501 093b 8102 058c 09fb 8102 09fc 8102 09fd 8102"
    "9538 09fe 820201 9502 8103 7501 9501 09ff 8102 9507 8103 c0"
)
# Three lengths, then three tracks of 110 bytes (page 0x8E).
STRIPE_DESCRIPTOR = bytes.fromhex(
    "058e 0901 a101 8501 1500 26ff00 7508 9501 0911 8102 0912 8102 0913 8102956e 0921 820201 0922 820201 0923 820201 c0"
)


def scanner_reports(text: bytes, aim: str = "]E0") -> list[bytes]:
    """Return the reports of one scan, 64 bytes each; all but the last say that more follows."""
    parts = [text[at : at + _DATA_BYTES] for at in range(0, len(text), _DATA_BYTES)] or [b""]
    reports = []
    for number, part in enumerate(parts):
        report = bytearray(_REPORT_BYTES)
        report[0], report[1] = 2, len(part)
        report[2 : 2 + len(aim)] = aim.encode("ascii")
        report[5 : 5 + len(part)] = part
        report[63] = number < len(parts) - 1
        reports.append(bytes(report))
    return reports


class VirtualHidScanner(VirtualPipe):
    """A HID-POS scanner."""

    def __init__(self, folder: Path, name: str = "hid-scanner") -> None:
        super().__init__(folder, name)

    def scan(self, text: str, aim: str = "]E0") -> None:
        """Send one scan as UTF-8. Raises what `send` raises."""
        self.send_reports(scanner_reports(text.encode(), aim))

    def send_reports(self, reports: list[bytes]) -> None:
        """Send reports as they are. Raises what `send` raises."""
        self.send(record(DESCRIPTOR, SCANNER_DESCRIPTOR) + b"".join(record(REPORT, each) for each in reports))


class VirtualHidStripe(VirtualPipe):
    """A magstripe reader: MagTek's report of 337 bytes, or a HID-POS one whose descriptor says what it sends."""

    def __init__(self, folder: Path, name: str = "hid-stripe", *, magtek: bool = False) -> None:
        super().__init__(folder, name)
        self._magtek = magtek
        stated = MAGTEK if magtek else layout_of(STRIPE_DESCRIPTOR)
        assert isinstance(stated, MsrLayout)
        self._layout = stated

    def swipe(self, *tracks: str) -> None:
        """Swipe a card: up to three tracks with their sentinels, empty for an absent one, `E` for one unread.

        Raises what `send` raises, and ValueError for a track that is too long.
        """
        self.send_report(self.report(*tracks))

    def report(self, *tracks: str) -> bytes:
        """Return the report of such a swipe. Raises ValueError for a track that is too long."""
        at = self._layout
        report = bytearray(at.size)
        report[0] = at.report_id
        for number, text in enumerate(tracks):
            first, capacity = at.tracks[number]
            if len(text) > capacity:
                raise ValueError(f"expected at most {capacity} characters on a track, got {len(text)}")
            if text == "E" and at.statuses:
                report[at.statuses[number]] = 1
                continue
            report[at.lengths[number]] = len(text)
            report[first : first + len(text)] = text.encode("ascii")
        return bytes(report)

    def send_report(self, report: bytes) -> None:
        """Send a report as it is. Raises what `send` raises."""
        stated = b"" if self._magtek else record(DESCRIPTOR, STRIPE_DESCRIPTOR)
        self.send(stated + record(REPORT, report))
