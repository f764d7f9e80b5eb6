"""Messages and their encodings, within their limits."""

from __future__ import annotations

import gzip
import json
import os
import zlib

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from sync.wire import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENTRIES,
    Batch,
    BatchAnswer,
    ClockReading,
    Message,
    Problem,
    Record,
    WireError,
    fit_batch,
    key_bytes,
    key_text,
)
from sync.wire_bodies import MAX_DECODED_BYTES, TooLarge, compress, decompress
from sync.wire_mirror import CardChange, ChangesPage

BATCH = Batch(
    terminal="t-1",
    epoch=1,
    from_seq=3,
    to_seq=4,
    prev_digest="0" * 64,
    head_digest="f" * 64,
    clock=ClockReading(wall_ms=1, monotonic_ms=2, boot_id="b"),
    entries=('{"é": "€"}', "{}"),
)


# -- encodings --------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=5000))
@example(b"")
def test_compress_and_back(body: bytes) -> None:
    assert decompress(compress(body), "zstd") == body
    assert decompress(gzip.compress(body), "gzip") == body
    assert decompress(body, None) == body
    assert decompress(body, " Identity ") == body


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_the_limit_is_met_exactly_and_not_passed(encoding: str) -> None:
    pack = compress if encoding == "zstd" else gzip.compress
    assert len(decompress(pack(bytes(MAX_DECODED_BYTES)), encoding)) == MAX_DECODED_BYTES
    with pytest.raises(TooLarge, match="expected at most 4194304 bytes after decompression"):
        decompress(pack(bytes(MAX_DECODED_BYTES + 1)), encoding)


def test_a_small_body_cannot_take_all_memory() -> None:
    bomb = compress(bytes(200 * 1024 * 1024))
    assert len(bomb) < 50_000
    with pytest.raises(TooLarge):
        decompress(bomb, "zstd")
    with pytest.raises(TooLarge):
        decompress(zlib.compress(bytes(50 * 1024 * 1024), wbits=31), "gzip")


def test_a_window_larger_than_decoders_must_support_is_refused() -> None:
    settings = zstandard.ZstdCompressionParameters(window_log=27)
    far = zstandard.ZstdCompressor(compression_params=settings).compressobj()
    with pytest.raises(WireError, match="compressed with zstd"):
        decompress(far.compress(b"x" * 100) + far.flush(), "zstd")


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
@pytest.mark.parametrize("body", [b"no such thing", b"\x00" * 40, os.urandom(60)], ids=["text", "zeros", "noise"])
def test_another_encoding_than_said(encoding: str, body: bytes) -> None:
    with pytest.raises(WireError, match=f"compressed with {encoding}, got something else"):
        decompress(body, encoding)


def test_a_truncated_body_is_no_message() -> None:
    with pytest.raises(WireError, match="truncated"):
        decompress(gzip.compress(BATCH.encode())[:-9], "gzip")
    with pytest.raises(WireError):
        Batch.decode(decompress(compress(os.urandom(3000) + BATCH.encode())[:-9], "zstd"))


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd, gzip", "x" * 100])
def test_an_unknown_encoding(encoding: str) -> None:
    with pytest.raises(WireError, match="expected Content-Encoding zstd, gzip or identity, got ") as caught:
        decompress(b"", encoding)
    assert len(str(caught.value)) < 100


# -- batches ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 120_000), min_size=1, max_size=30), st.integers(1, 40))
def test_a_batch_is_as_large_as_allowed_and_no_larger(sizes: list[int], most: int) -> None:
    raws = [bytes(size) for size in sizes]
    count = fit_batch(raws, most)
    assert 1 <= count <= min(len(raws), most)
    total = sum(sizes[:count])
    assert total <= MAX_BATCH_BYTES or count == 1
    if count < min(len(raws), most):
        assert total + sizes[count] > MAX_BATCH_BYTES


def test_a_batch_may_be_exactly_full() -> None:
    half = bytes(MAX_BATCH_BYTES // 2)
    assert fit_batch([half, half, b"x"]) == 2


def test_one_entry_always_fits() -> None:
    assert fit_batch([bytes(MAX_BATCH_BYTES + 1), b""]) == 1
    assert fit_batch([b""] * (MAX_BATCH_ENTRIES + 1)) == MAX_BATCH_ENTRIES


def test_a_batch_keeps_the_text_of_entries_as_it_is() -> None:
    text = json.loads(BATCH.encode())
    assert (text["from"], text["to"], text["schema"]) == (3, 4, 1)
    assert text["entries"][0] == '{"é": "€"}'
    assert Batch.decode(BATCH.encode()) == BATCH
    assert BATCH.encode() == Batch.decode(BATCH.encode()).encode()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"from": 0}, "from"),
        ({"from": "3"}, "from"),
        ({"to": 4.5}, "to"),
        ({"prev_digest": "F" * 64}, "prev_digest"),
        ({"head_digest": "f" * 63}, "head_digest"),
        ({"entries": []}, "entries"),
        ({"entries": ["x"] * (MAX_BATCH_ENTRIES + 1)}, "entries"),
        ({"entries": [{"a": 1}]}, "entries"),
        ({"schema": 2}, "schema"),
        ({"clock": None}, "clock"),
        ({"surprise": True}, "body"),
    ],
    ids=str,
)
def test_a_batch_that_cannot_be_is_refused_by_path(change: dict[str, object], where: str) -> None:
    body = json.dumps({**json.loads(BATCH.encode()), **change}).encode()
    with pytest.raises(WireError) as caught:
        Batch.decode(body)
    assert str(caught.value).startswith(f"expected Batch: {where}")


@pytest.mark.parametrize("kind", [Batch, BatchAnswer, ChangesPage, Problem])
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_message_or_a_wire_error(kind: type[Message | Record], body: bytes) -> None:
    with pytest.raises(WireError, match=f"expected {kind.__name__}: "):
        kind.decode(body)


def test_an_error_shows_paths_and_no_values() -> None:
    with pytest.raises(WireError) as caught:
        CardChange.decode(b'{"token": "4242424242424242", "account": 1, "blocked": "4242"}')
    assert "token" in str(caught.value)
    assert "4242" not in str(caught.value)


# -- keys -------------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32))
def test_keys_and_back(raw: bytes) -> None:
    assert key_bytes(key_text(raw)) == raw


@pytest.mark.parametrize("text", ["", "AAAA", "é", key_text(bytes(31)), key_text(bytes(33)), "*" * 44])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(WireError, match="expected a key "):
        key_bytes(text)
