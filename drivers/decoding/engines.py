"""The engines that read symbols out of an image: zxing-cpp, which is always there, and pyzbar where libzbar is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import structlog
import zxingcpp

from drivers.events import ScanDataType
from drivers.recognition.symbols import Symbol, scan_data_type

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

__all__ = ["FORMATS", "LINEAR", "Corners", "by_pyzbar", "by_zxing"]

# Top left, top right, bottom right, bottom left of a symbol as it is read, each x and y in pixels.
Corners = tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]

log = structlog.get_logger(__name__)

_Zxing = zxingcpp.BarcodeFormat
# What a configuration may ask for, and what each engine calls it. GS1 forms come with their carrier: the AIM identifier
# tells them apart. Of QR codes only Model 2, the one in use (ISO/IEC 18004): Micro QR has too little redundancy, and
# engines see one in noise. pyzbar has no DataMatrix and no Aztec.
FORMATS: dict[ScanDataType, tuple[zxingcpp.BarcodeFormat, str | None]] = {
    ScanDataType.QR: (_Zxing.QRCodeModel2, "QRCODE"),
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
LINEAR = frozenset(
    {
        ScanDataType.EAN_13,
        ScanDataType.EAN_8,
        ScanDataType.CODE_128,
        ScanDataType.GS1_128,
        ScanDataType.CODE_39,
        ScanDataType.CODE_93,
        ScanDataType.CODABAR,
        ScanDataType.ITF,
        ScanDataType.DATABAR,
    }
)
"""One-dimensional kinds: at most one check character between a wrong read and the till."""

# pyzbar gives no AIM identifier; where the symbology has only one, it is known all the same (ISO/IEC 15424).
_SOLE_AIM = {ScanDataType.EAN_13: "]E0", ScanDataType.EAN_8: "]E4"}


def by_zxing(image: Image, formats: Sequence[ScanDataType]) -> list[tuple[Symbol, Corners]]:
    """Return what zxing-cpp reads in `image`, (h, w) or BGR (h, w, 3) bytes, and where."""
    wanted = zxingcpp.BarcodeFormats([FORMATS[kind][0] for kind in formats])
    # TextMode.Plain: the default would print GS as `<GS>`.
    found = zxingcpp.read_barcodes(image, formats=wanted, text_mode=zxingcpp.TextMode.Plain)
    symbols = []
    for each in found:
        corners = _corners(each.position)
        across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
        aim = each.symbology_identifier or None
        box = (min(across), min(down), max(across), max(down))
        symbols.append((Symbol(scan_data_type(aim), aim, each.text, each.bytes, box), corners))
    return symbols


def by_pyzbar(image: Image, formats: Sequence[ScanDataType]) -> list[Symbol]:
    """Return what libzbar reads in `image`; nothing where it is not installed, or knows none of the `formats`."""
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


def _corners(position: zxingcpp.Position) -> Corners:
    first, second, third, fourth = (
        (point.x, point.y)
        for point in (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    )
    return first, second, third, fourth


@cache
def _pyzbar() -> Any:
    """Return the pyzbar module, or None where Debian's libzbar0 is not installed."""
    try:
        from pyzbar import pyzbar
    except ImportError:
        log.info("second_decoder_missing", hint="install libzbar0 to read damaged codes more often")
        return None
    return pyzbar
