"""AIM identifiers and what they say about the data behind them. Pure, on biip.

Sources: ISO/IEC 15424:2008 (identifiers); GS1 General Specifications 5.1.2 (which of them carry GS1 data).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from biip import ParseError
from biip.symbology import GS1Symbology, ISOSymbology, SymbologyIdentifier

from drivers.events import ScanDataType
from drivers.masking import mask

__all__ = ["Box", "Symbol", "scan_data_type"]

# Left, top, right, bottom in pixels.
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, repr=False)
class Symbol:
    """One symbol as a scanner or a camera read it.

    `data` is what it holds, `text` the same decoded; the AIM identifier
    is in neither. `box` is where in the image: left, top, right, bottom in pixels. The repr is masked."""

    kind: ScanDataType
    aim: str | None
    text: str
    data: bytes
    box: Box | None = None

    def __repr__(self) -> str:
        return f"Symbol(kind={str(self.kind)!r}, aim={self.aim!r}, text={mask(self.text)!r}, box={self.box})"


_GS1_TYPES: dict[GS1Symbology, ScanDataType] = {
    GS1Symbology.EAN_13: ScanDataType.EAN_13,
    GS1Symbology.EAN_13_WITH_ADD_ON: ScanDataType.EAN_13,
    GS1Symbology.EAN_8: ScanDataType.EAN_8,
    GS1Symbology.ITF_14: ScanDataType.ITF,
    GS1Symbology.GS1_128: ScanDataType.GS1_128,
    GS1Symbology.GS1_DATABAR: ScanDataType.DATABAR,
    GS1Symbology.GS1_DATAMATRIX: ScanDataType.GS1_DATA_MATRIX,
    GS1Symbology.GS1_QR_CODE: ScanDataType.GS1_QR,
}
_ISO_TYPES: dict[ISOSymbology, ScanDataType] = {
    ISOSymbology.CODE_39: ScanDataType.CODE_39,
    ISOSymbology.CODE_93: ScanDataType.CODE_93,
    ISOSymbology.CODE_128: ScanDataType.CODE_128,
    ISOSymbology.CODABAR: ScanDataType.CODABAR,
    ISOSymbology.ITF: ScanDataType.ITF,
    ISOSymbology.PDF417: ScanDataType.PDF417,
    ISOSymbology.QR_CODE: ScanDataType.QR,
    ISOSymbology.DATA_MATRIX: ScanDataType.DATA_MATRIX,
    ISOSymbology.AZTEC_CODE: ScanDataType.AZTEC,
}
# There are 52 code letters with 62 modifiers each: the cache cannot outgrow that.
_AIM_IDENTIFIERS = 52 * 62


@lru_cache(maxsize=_AIM_IDENTIFIERS)
def scan_data_type(aim: str | None) -> ScanDataType:
    """Return what kind of symbol the AIM identifier names; UNKNOWN for None or one that is in no table here."""
    if aim is None:
        return ScanDataType.UNKNOWN
    try:
        identifier = SymbologyIdentifier.extract(aim)
    except ParseError:
        # The scanner sent an identifier that ISO/IEC 15424 does not have: the data behind it is still data.
        return ScanDataType.UNKNOWN
    gs1 = _GS1_TYPES.get(identifier.gs1_symbology) if identifier.gs1_symbology else None
    return gs1 or _ISO_TYPES.get(identifier.iso_symbology, ScanDataType.UNKNOWN)
