"""The signed code on a receipt: a sale, as far as a return must know it, for any till of the chain and without a line.

`R1:`, Base45 (RFC 9285), a full stop. The bytes: the terminal's public key (32), head office's signature over its
certificate (64), the terminal's signature (64) over the key and what follows, and that: terminal, epoch and sale as
MessagePack of an array, deflated (RFC 1951). A till knows head office's key since it was enrolled.
"""

from __future__ import annotations

import uuid
import zlib
from datetime import date
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from drivers.recognition.guard import classify_digits
from loyalty import base45
from loyalty.basket import Basket, Line
from loyalty.counting import LineCount, Progress
from loyalty.ledger import Entry
from loyalty.returns import Sold
from pos_client.reckoning import TillError
from sync.certificates import Certificate, Certificates, signed
from sync.store import Store

MARK = "R1:"
END = "."
"""Base45 may end in a space, which readers and people drop."""
MAX_CODE = 1990
"""Characters: QR version 26 at level L (ISO/IEC 18004, table 7), 45 mm wide at three dots a module. Some 60 lines."""
MAX_INFLATED = 128 * 1024
"""Bytes of a sale; what fits in a code inflates to a few thousand."""
TEXT_KEPT = 20
"""Characters of a line's text: enough for a cashier to know it again."""

_PURPOSE = b"spaarpunt receipt R1\x00"
_KEY, _SIGNATURE = 32, 64
_DEFLATES = (9, 6, 1)
"""Levels: the next is taken when the text of one holds what a payment guard would take for a bank card."""

log = structlog.get_logger("spaarpunt.receipts")

Sixteen = Annotated[bytes, Meta(min_length=16, max_length=16)]


class _Line(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A line, with what it earned, cost and was reduced by."""

    line_id: str
    sku: str
    text: str
    quantity: int
    gross_minor: int
    earned: int
    spent: int
    off_minor: int


class _Sale(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A sale; ids and card tokens as their bytes, the date as its day number (`date.toordinal`).

    `counters`: the name of each, and of which line (by its place) how many count.
    """

    terminal: str
    epoch: int
    entry: Sixteen
    card: Sixteen
    account: str | None
    programme: str
    programme_version: int
    tier: str
    day: int
    at_ms: int
    payable_minor: int
    currency: str
    counters: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    lines: tuple[_Line, ...]


_DECODER = msgspec.msgpack.Decoder(_Sale)


def is_code(text: str) -> bool:
    """Whether a text means to be such a code, right or wrong."""
    return text.startswith(MARK)


class ReceiptCodes:
    """Writes the codes of this till's sales, and reads those of the whole chain."""

    def __init__(self, store: Store) -> None:
        self._certificates = Certificates(store)

    def write(self, entry: Entry) -> str | None:
        """The code for a sale; None while head office has not certified this till's key, or when it is too long."""
        if (own := self._certificates.own()) is None:
            return None
        certificate, key = own
        sold = Sold.of(entry)
        for texts in (True, False):
            raw = msgspec.msgpack.encode(_packed(sold, certificate, texts=texts))
            for level in _DEFLATES:
                body = _deflate(raw, level)
                signature = key.sign(_PURPOSE + certificate.public_key + body)
                # Random and deflated bytes alone: runs of zero bytes would be runs of digits in Base45.
                data = certificate.public_key + certificate.signature + signature + body
                text = MARK + base45.encode(data) + END
                if len(text) <= MAX_CODE and classify_digits(text, ()) != "payment":
                    return text
        log.info("a sale is too long for a return code", receipt=entry.session, lines=len(entry.basket.lines))
        return None

    def read(self, text: str) -> Sold:
        """The sale that a code stands for.

        Raises:
            TillError: `receipt_code_wrong`.
        """
        try:
            return self._read(text)
        except (ValueError, IndexError, OverflowError, zlib.error, msgspec.MsgspecError) as error:
            log.warning("a receipt's code is refused", error=str(error)[:200])
            raise TillError(
                "receipt_code_wrong", "this code was not made by a till of this chain, or was read wrongly: scan again"
            ) from error

    def _read(self, text: str) -> Sold:
        if len(text) > MAX_CODE or not text.endswith(END):
            raise ValueError(f"expected at most {MAX_CODE} characters that end in a full stop, got {len(text)}")
        data = base45.decode(text.removeprefix(MARK).removesuffix(END))
        key, data = data[:_KEY], data[_KEY:]
        word, signature, body = data[:_SIGNATURE], data[_SIGNATURE : 2 * _SIGNATURE], data[2 * _SIGNATURE :]
        if not signed(key, signature, _PURPOSE + key + body):
            raise ValueError("expected a sale as its till signed it")
        sale = _DECODER.decode(_inflate(body))
        if not self._certificates.trusts(Certificate(sale.terminal, sale.epoch, key, word)):
            raise ValueError("expected a key that head office certified")
        return _unpacked(sale)


def _deflate(raw: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, wbits=-15)
    return packer.compress(raw) + packer.flush()


def _inflate(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=-15)
    raw = unpacker.decompress(body, MAX_INFLATED)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"expected one deflated sale of at most {MAX_INFLATED} bytes")
    return raw


def _packed(sold: Sold, certificate: Certificate, *, texts: bool) -> _Sale:
    places = {line.line_id: place for place, line in enumerate(sold.basket.lines)}
    return _Sale(
        terminal=certificate.terminal,
        epoch=certificate.epoch,
        entry=uuid.UUID(sold.id).bytes,
        card=bytes.fromhex(sold.card),
        account=sold.account,
        programme=sold.programme,
        programme_version=sold.programme_version,
        tier=sold.tier,
        day=sold.business_date.toordinal(),
        at_ms=sold.at_ms,
        payable_minor=sold.payable_minor,
        currency=sold.basket.currency,
        counters=tuple(
            (progress.counter, tuple((places[line.line_id], line.count) for line in progress.lines))
            for progress in sold.counters
            if progress.lines
        ),
        lines=tuple(
            _Line(
                line.line_id,
                line.sku,
                line.text[:TEXT_KEPT] if texts and line.text != line.sku else "",
                line.quantity,
                line.gross_minor,
                sold.earned.get(line.line_id, 0),
                sold.spent.get(line.line_id, 0),
                sold.off.get(line.line_id, 0),
            )
            for line in sold.basket.lines
        ),
    )


def _unpacked(sale: _Sale) -> Sold:
    """Raises ValueError for what cannot be a sale: signed by a till all the same, so by another version of it."""
    lines = sale.lines
    counters = (
        (name, [LineCount(line_id=lines[place].line_id, count=count) for place, count in counts])
        for name, counts in sale.counters
    )
    return Sold(
        id=str(uuid.UUID(bytes=sale.entry)),
        card=sale.card.hex(),
        account=sale.account,
        programme=sale.programme,
        programme_version=sale.programme_version,
        tier=sale.tier,
        business_date=date.fromordinal(sale.day),
        at_ms=sale.at_ms,
        payable_minor=sale.payable_minor,
        basket=Basket(
            currency=sale.currency,
            lines=tuple(
                Line(
                    line_id=line.line_id,
                    sku=line.sku,
                    text=line.text,
                    quantity=line.quantity,
                    gross_minor=line.gross_minor,
                )
                for line in lines
            ),
        ),
        earned={line.line_id: line.earned for line in lines},
        spent={line.line_id: line.spent for line in lines},
        off={line.line_id: line.off_minor for line in lines},
        counters=tuple(
            Progress(counter=name, count=sum(each.count for each in counts), lines=tuple(counts))
            for name, counts in counters
        ),
    )
