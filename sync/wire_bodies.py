"""Bodies on the wire: compressed, and unpacked within the limits, for both ends."""

from __future__ import annotations

import zlib

import zstandard

from sync.wire import WireError

MAX_BODY_BYTES = 1024 * 1024
"""Largest request body head office reads, as sent: a full batch, escaped and uncompressed, with room to spare."""
MAX_DECODED_BYTES = 4 * 1024 * 1024
"""Largest body after decompression, so that a small body cannot unpack into all of memory."""
MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""Largest zstd window: what RFC 8878 3.1.1.1.2 asks decoders to support; a header may ask for far more memory."""
ZSTD_LEVEL = 1
"""5:1 on journal entries at half a millisecond per thousand; higher levels cost more than they save."""


class TooLarge(WireError):
    """A body that is, or unpacks to, more than the protocol allows."""


def compress(body: bytes) -> bytes:
    """zstd at the level that pays."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(body)


def decompress(body: bytes, encoding: str | None) -> bytes:
    """Undo a Content-Encoding of zstd, gzip or identity, within `MAX_DECODED_BYTES`.

    Raises:
        TooLarge: more than the limit.
        WireError: unknown encoding, or damaged data.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name == "zstd":
        decoded = _unzstd(body)
    elif name == "gzip":
        decoded = _gunzip(body)
    else:
        raise WireError(f"expected Content-Encoding zstd, gzip or identity, got '{name[:20]}'")
    if len(decoded) > MAX_DECODED_BYTES:
        raise TooLarge(f"expected at most {MAX_DECODED_BYTES} bytes after decompression")
    return decoded


def _unzstd(body: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(body)
        reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(body)
        decoded = reader.read(MAX_DECODED_BYTES + 1)
        if len(decoded) > MAX_DECODED_BYTES:
            return decoded
        # The reader gives what there is and does not say that more was to come. Senders that compressed a stream could
        # not state its size: those bodies are unpacked a second time, by what knows where the end is.
        whole = len(decoded) == size if size >= 0 else _ends(body)
    except zstandard.ZstdError as error:
        raise WireError("expected a body compressed with zstd, got something else") from error
    if not whole:
        raise WireError("expected a whole zstd body, got a truncated one")
    return decoded


def _ends(body: bytes) -> bool:
    engine = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    engine.decompress(body)
    return engine.eof


def _gunzip(body: bytes) -> bytes:
    engine = zlib.decompressobj(wbits=31)
    try:
        decoded = engine.decompress(body, MAX_DECODED_BYTES + 1)
    except zlib.error as error:
        raise WireError("expected a body compressed with gzip, got something else") from error
    if not engine.eof and len(decoded) <= MAX_DECODED_BYTES:
        raise WireError("expected a whole gzip body, got a truncated one")
    return decoded
