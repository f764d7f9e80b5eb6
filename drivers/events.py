"""What a device says to the till, in UnifiedPOS 1.16 terms: DataEvent, ErrorEvent, StatusUpdateEvent.

Beside those three, `PaymentCardRefused`: a bank card was presented and its data is gone already.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from drivers.formats.gs1 import Gs1
from drivers.formats.tracks import Tracks
from drivers.masking import mask

__all__ = ["DataEvent", "ErrorEvent", "Event", "PaymentCardRefused", "ScanDataType", "StatusUpdateEvent"]


class ScanDataType(StrEnum):
    """What kind of symbol or card the data came from (UnifiedPOS Scanner, ScanDataType; MSR for a stripe)."""

    EAN_13 = "EAN-13"
    EAN_8 = "EAN-8"
    CODE_128 = "CODE-128"
    GS1_128 = "GS1-128"
    CODE_39 = "CODE-39"
    CODE_93 = "CODE-93"
    CODABAR = "CODABAR"
    ITF = "ITF"
    DATABAR = "DATABAR"
    PDF417 = "PDF417"
    QR = "QR"
    GS1_QR = "GS1-QR"
    DATA_MATRIX = "DATA-MATRIX"
    GS1_DATA_MATRIX = "GS1-DATA-MATRIX"
    AZTEC = "AZTEC"
    MSR = "MSR"
    UNKNOWN = "UNKNOWN"
    """The device does not say: no AIM identifier, or one that no listed symbology owns."""


@dataclass(frozen=True, slots=True, repr=False)
class DataEvent:
    """A card or label was read. Never a payment card: those become `PaymentCardRefused`.

    `scan_data` is the data as received, without AIM identifier and terminator; `scan_data_label` the text of it, or for
    a swipe the number on the track that matched; `scan_data_type` a `ScanDataType`; `aim` the AIM identifier (`]E0`)
    where the device sent one; `tracks` the usable tracks of a swipe; `received_at` is `time.monotonic_ns()` at the last
    byte, or when the frame of a camera arrived; `gs1` what a label says in GS1's terms, None where it is not GS1's.
    The repr shows the last four characters of the data at most.
    """

    device: str
    kind: Literal["scan", "swipe", "typed"]
    scan_data: bytes
    scan_data_label: str
    scan_data_type: str
    aim: str | None
    tracks: Tracks | None
    received_at: int
    gs1: Gs1 | None = None

    def __repr__(self) -> str:
        return (
            f"DataEvent(device={self.device!r}, kind={self.kind!r}, scan_data={mask(self.scan_data)!r}, "
            f"scan_data_label={mask(self.scan_data_label)!r}, scan_data_type={str(self.scan_data_type)!r}, "
            f"aim={self.aim!r}, tracks={self.tracks!r}, received_at={self.received_at}, gs1={self.gs1!r})"
        )


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """Something was presented and could not be read. `code` is stable and short; `text` is for a person; no data."""

    device: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class PaymentCardRefused:
    """A bank card was presented. Carries no digit of it, not even the last four (PCI DSS 4.0.1, 3.3.1)."""

    device: str
    text: str


@dataclass(frozen=True, slots=True)
class StatusUpdateEvent:
    """A device came, went, or needs a person. Sent on change only; `text` says what and what to do."""

    device: str
    status: Literal["online", "offline", "failed"]
    text: str


Event = DataEvent | ErrorEvent | PaymentCardRefused | StatusUpdateEvent
