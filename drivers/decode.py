"""An image becomes the symbols in it: zxing-cpp first, pyzbar where that finds nothing and libzbar is there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
import zxingcpp

from drivers.errors import BadDeviceSettings
from drivers.events import ScanDataType
from drivers.symbols import Symbol, scan_data_type

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["DEFAULT_FORMATS", "FORMATS", "decode", "parse_formats"]

log = structlog.get_logger(__name__)

_Zxing = zxingcpp.BarcodeFormat
# What a configuration may ask for, and what each engine calls it. GS1 forms come with their carrier: the AIM identifier
# tells them apart. pyzbar has no DataMatrix and no Aztec.
FORMATS: dict[ScanDataType, tuple[zxingcpp.BarcodeFormat, str | None]] = {
    ScanDataType.QR: (_Zxing.QRCode, "QRCODE"),
    ScanDataType.EAN_13: (_Zxing.EAN13, "EAN13"),
    ScanDataType.EAN_8: (_Zxing.EAN8, "EAN8"),
    ScanDataType.CODE_128: (_Zxing.Code128, "CODE128"),
    ScanDataType.CODE_39: (_Zxing.Code39, "CODE39"),
    ScanDataType.CODE_93: (_Zxing.Code93, "CODE93"),
    ScanDataType.CODABAR: (_Zxing.Codabar, "CODABAR"),
    ScanDataType.ITF: (_Zxing.ITF, "I25"),
    ScanDataType.DATA_MATRIX: (_Zxing.DataMatrix, None),
    ScanDataType.PDF417: (_Zxing.PDF417, None),
    ScanDataType.AZTEC: (_Zxing.Aztec, None),
}
DEFAULT_FORMATS: tuple[ScanDataType, ...] = (ScanDataType.QR, ScanDataType.EAN_13, ScanDataType.CODE_128)
# pyzbar gives no AIM identifier; where the symbology has only one, it is known all the same (ISO/IEC 15424).
_SOLE_AIM = {ScanDataType.EAN_13: "]E0", ScanDataType.EAN_8: "]E4"}


def parse_formats(names: Sequence[str]) -> tuple[ScanDataType, ...]:
    """Return the formats of those names. Raises BadDeviceSettings for an unknown name, or none at all."""
    known = {str(kind): kind for kind in FORMATS}
    for name in names:
        if name not in known:
            raise BadDeviceSettings(
                f"expected symbologies out of {', '.join(known)}, got {name!r}", "formats", "correct the name"
            )
    if not names:
        raise BadDeviceSettings("expected at least one symbology, got none", "formats", "name those your cards carry")
    return tuple(known[name] for name in names)


def decode(image: Image, formats: Sequence[ScanDataType] = DEFAULT_FORMATS) -> list[Symbol]:
    """Return the symbols of the given `formats` in `image`, a grayscale (h, w) or BGR (h, w, 3) array of bytes.

    Symbols that overlap and disagree are all left out: one of them is a ghost, and nothing tells which.
    """
    if not image.size:
        return []
    symbols = _by_zxing(image, formats) or _by_pyzbar(image, formats)
    return [one for one in symbols if not any(_contradict(one, other) for other in symbols)]


def _by_zxing(image: Image, formats: Sequence[ScanDataType]) -> list[Symbol]:
    wanted = zxingcpp.BarcodeFormats([FORMATS[kind][0] for kind in formats])
    # TextMode.Plain: the default would print GS as `<GS>`.
    found = zxingcpp.read_barcodes(image, formats=wanted, text_mode=zxingcpp.TextMode.Plain)
    symbols = []
    for each in found:
        corners = [
            each.position.top_left,
            each.position.top_right,
            each.position.bottom_left,
            each.position.bottom_right,
        ]
        across, down = [corner.x for corner in corners], [corner.y for corner in corners]
        aim = each.symbology_identifier or None
        box = (min(across), min(down), max(across), max(down))
        symbols.append(Symbol(scan_data_type(aim), aim, each.text, each.bytes, box))
    return symbols


def _by_pyzbar(image: Image, formats: Sequence[ScanDataType]) -> list[Symbol]:
    engine = _pyzbar()
    names = {FORMATS[kind][1]: kind for kind in formats}
    names.pop(None, None)
    if engine is None or not names:
        return []
    # libzbar reads gray only; the green of a BGR image is the nearest single channel to its brightness.
    gray = image if image.ndim == 2 else image[:, :, 1]
    symbols = []
    for each in engine.decode(gray, symbols=[engine.ZBarSymbol[name] for name in names]):
        # pyzbar re-encodes what is not ASCII and there is no undoing it; our own codes are ASCII.
        if not each.data.isascii():
            continue
        kind = names[each.type]
        left, top, width, height = each.rect
        box = (left, top, left + width, top + height)
        symbols.append(Symbol(kind, _SOLE_AIM.get(kind), each.data.decode("ascii"), each.data, box))
    return symbols


@cache
def _pyzbar() -> Any:
    """Return the pyzbar module, or None where Debian's libzbar0 is not installed."""
    try:
        from pyzbar import pyzbar
    except ImportError:
        log.info("second_decoder_missing", hint="install libzbar0 to read damaged codes more often")
        return None
    return pyzbar


def _contradict(one: Symbol, other: Symbol) -> bool:
    if one.text == other.text or one.box is None or other.box is None:
        return False
    (left, top, right, bottom), (left2, top2, right2, bottom2) = one.box, other.box
    return left <= right2 and left2 <= right and top <= bottom2 and top2 <= bottom
