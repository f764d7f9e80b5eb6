"""The signed code on a receipt: read by other tills of the chain with no line, and refused when anything is changed."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from drivers.decoding.decode import decode
from drivers.events import DataEvent, ScanDataType
from drivers.recognition.recognise import recognise_frame
from loyalty import base45
from loyalty.basket import Basket, Line
from loyalty.counting import LineCount, Progress
from loyalty.errors import ReturnRefused
from loyalty.ledger import EntryKind
from loyalty.returns import Sold, take_back
from pos_client.receipts import code as codes
from pos_client.receipts.code import END, MARK, MAX_CODE, TEXT_KEPT, ReceiptCodes
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.forms import as_png
from pos_client.receipts.layout import lay_out
from pos_client.reckoning import TillError, card_patterns
from pos_client.runtime import Runtime
from pos_client.screen.wedge import MAX_KEYS
from sync.certificates import Certificate, Certificates
from tests.pos_client.receipts.conftest import BASKET, DOCUMENT, sell
from tests.support.till import FORMATS, SANNE, make_runtime

OTHER_CHAIN = Ed25519PrivateKey.from_private_bytes(bytes(32))


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runtime, Runtime, Runtime]]:
    """Two tills of one chain, and one of another."""
    folder = tmp_path_factory.mktemp("shops")
    here = make_runtime(folder / "here", programme=DOCUMENT)
    there = make_runtime(folder / "there", programme=DOCUMENT, terminal="till-0007")
    stranger = make_runtime(folder / "stranger", programme=DOCUMENT, head_office=OTHER_CHAIN)
    yield here, there, stranger
    for each in (here, there, stranger):
        each.store.close()


@pytest.fixture
def bought(shops: tuple[Runtime, Runtime, Runtime]) -> tuple[str, Sold]:
    """The code of a sale, and what it stands for."""
    return sold_with_code(shops[0])


def sold_with_code(here: Runtime, *rewards: str) -> tuple[str, Sold]:
    entry = sell(here, str(uuid6.uuid7()), rewards=rewards).entry
    text = ReceiptCodes(here.store).write(entry)
    assert text is not None
    return text, Sold.of(entry)


def short(sold: Sold) -> tuple[object, ...]:
    """What two readings of a sale must agree on."""
    lines = [(line.line_id, line.sku, line.quantity, line.gross_minor) for line in sold.basket.lines]
    shares = [[of.get(line[0], 0) for line in lines] for of in (sold.earned, sold.spent, sold.off)]
    whose = (sold.card, sold.account, sold.programme, sold.programme_version, sold.tier)
    return sold.id, whose, sold.business_date, sold.at_ms, sold.payable_minor, sold.basket.currency, lines, shares


def test_goods_come_back_to_another_till(shops: tuple[Runtime, Runtime, Runtime]) -> None:
    here, there, _ = shops
    text, sold = sold_with_code(here, "koffie")
    assert short(there.till.corrections.sale_of(text)) == short(sold)
    name = str(uuid6.uuid7())
    back = there.till.corrections.return_goods(name, text, {"1": 1000}).entry
    expected = take_back(sold, {}, {"1": 1000})
    assert (back.kind, back.original, back.card, back.account) == (EntryKind.RETURN, sold.id, sold.card, sold.account)
    assert back.settlement == expected.settlement
    assert back.settlement.points_spent < 0, "points spent on the goods come back too"
    assert there.till.corrections.return_goods(name, text, {"1": 1000}).entry == back, "the same again is the same"
    there.till.corrections.return_goods(str(uuid6.uuid7()), text, {"1": 1000, "2": 1000, "3": 347})
    with pytest.raises(ReturnRefused, match="2000 back already"):
        there.till.corrections.return_goods(str(uuid6.uuid7()), text, {"1": 1000})
    there.till.open_session("ruil")
    there.till.identify("ruil", SANNE.card)
    there.till.set_basket("ruil", BASKET)
    with pytest.raises(ReturnRefused):
        there.till.bookings.exchange("ruil", text, {"2": 1000})


def test_an_exchange_by_the_code(shops: tuple[Runtime, Runtime, Runtime], bought: tuple[str, Sold]) -> None:
    there = shops[1]
    session = str(uuid6.uuid7())
    there.till.open_session(session)
    there.till.identify(session, SANNE.card)
    there.till.set_basket(session, BASKET)
    back, sale = there.till.bookings.exchange(session, bought[0], {"2": 1000})
    assert (back.entry.original, sale.entry.kind) == (bought[1].id, EntryKind.SALE)


def test_where_it_was_bought_the_code_is_the_receipt_itself(
    shops: tuple[Runtime, Runtime, Runtime], bought: tuple[str, Sold]
) -> None:
    here = shops[0]
    text, sold = bought
    assert here.till.corrections.sale_of(text) == here.till.corrections.sale_of(sold.id)
    session = str(uuid6.uuid7())
    entry = sell(here, session).entry
    voided = ReceiptCodes(here.store).write(entry)
    here.till.bookings.void(session)
    with pytest.raises(TillError, match="points are back already"):
        here.till.corrections.sale_of(str(voided))


def refused(there: Runtime, text: str) -> None:
    with pytest.raises(TillError) as caught:
        ReceiptCodes(there.store).read(text)
    assert caught.value.code == "receipt_code_wrong"


def test_another_chain_is_not_believed(shops: tuple[Runtime, Runtime, Runtime]) -> None:
    _, there, stranger = shops
    text = ReceiptCodes(stranger.store).write(sell(stranger, str(uuid6.uuid7())).entry)
    assert text is not None
    refused(there, text)


def test_every_changed_byte_is_noticed(shops: tuple[Runtime, Runtime, Runtime], bought: tuple[str, Sold]) -> None:
    there = shops[1]
    data = base45.decode(bought[0].removeprefix(MARK).removesuffix(END))
    for place in range(len(data)):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        refused(there, MARK + base45.encode(changed) + END)


@given(cut=st.integers(0, MAX_CODE), more=st.text(st.characters(min_codepoint=32, max_codepoint=90), max_size=20))
def test_what_is_cut_or_goes_on_is_refused(
    shops: tuple[Runtime, Runtime, Runtime], one: str, cut: int, more: str
) -> None:
    text = one[:cut] + more
    if text != one:
        refused(shops[1], text)


@pytest.fixture(scope="module")
def one(shops: tuple[Runtime, Runtime, Runtime]) -> str:
    return sold_with_code(shops[0])[0]


def test_no_till_signs_for_another(shops: tuple[Runtime, Runtime, Runtime], bought: tuple[str, Sold]) -> None:
    """A good signature with a certificate for another terminal, epoch or key does not count."""
    here, there, _ = shops
    mine, theirs = Certificates(here.store).own(), Certificates(there.store).own()
    assert mine is not None
    assert theirs is not None
    certificate, key = mine
    for wrong in (
        replace(certificate, terminal="till-0007"),
        replace(certificate, epoch=2),
        replace(certificate, signature=theirs[0].signature),
    ):
        body = codes._deflate(msgspec.msgpack.encode(codes._packed(bought[1], wrong, texts=True)), 9)
        signature = key.sign(codes._PURPOSE + wrong.public_key + body)
        refused(there, MARK + base45.encode(wrong.public_key + wrong.signature + signature + body) + END)


def test_no_code_looks_like_a_bank_card(tmp_path: Path) -> None:
    """Whatever the till's key: eighty of them, by four keys."""
    for number in range(4):
        till = make_runtime(tmp_path / str(number), programme=DOCUMENT, terminal=f"t-{number:010d}")
        for _ in range(20):
            text = sold_with_code(till)[0]
            assert isinstance(recognise_frame("s", bytearray(text.encode()), card_patterns(FORMATS), 0), DataEvent)
        till.store.close()


def test_a_bomb_is_not_unpacked(shops: tuple[Runtime, Runtime, Runtime]) -> None:
    """Signed as it should be, by a till that went wrong."""
    here, there, _ = shops
    own = Certificates(here.store).own()
    assert own is not None
    certificate, key = own
    packer = zlib.compressobj(9, wbits=-15)
    body = packer.compress(bytes(400_000)) + packer.flush()
    head = certificate.public_key
    signature = key.sign(codes._PURPOSE + head + body)
    text = MARK + base45.encode(head + certificate.signature + signature + body) + END
    assert len(text) < MAX_CODE
    refused(there, text)


LINES = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12),
        st.text(min_size=1, max_size=30),
        st.text(max_size=80),
        st.integers(-10_000, 10**9),
        st.integers(-(10**8), 10**8),
        st.integers(0, 10**9),
    ),
    max_size=8,
    unique_by=lambda line: line[0],
)


@given(
    lines=LINES, account=st.none() | st.text(max_size=40), day=st.dates(date(2020, 1, 1)), at_ms=st.integers(0, 2**45)
)
def test_there_and_back(
    lines: list[tuple[str, str, str, int, int, int]], account: str | None, day: date, at_ms: int
) -> None:
    sold = Sold(
        id=str(uuid6.uuid7()),
        card="0123456789abcdef" * 2,
        account=account,
        programme="molen",
        programme_version=3,
        tier="zilver",
        business_date=day,
        at_ms=at_ms,
        payable_minor=1234,
        basket=Basket(
            lines=tuple(
                Line(line_id=name, sku=sku, text=text, quantity=quantity, gross_minor=gross)
                for name, sku, text, quantity, gross, _ in lines
            )
        ),
        earned={line[0]: line[5] for line in lines},
        spent={line[0]: line[5] // 2 for line in lines},
        off={line[0]: line[5] % 7 for line in lines},
        counters=(
            Progress(
                counter="kaart",
                count=sum(line[5] for line in lines),
                lines=tuple(LineCount(line_id=line[0], count=line[5]) for line in reversed(lines)),
            ),
        )
        if lines
        else (),
    )
    raw = msgspec.msgpack.encode(codes._packed(sold, Certificate("till-1", 1, b"", b""), texts=True))
    read = codes._unpacked(codes._DECODER.decode(codes._inflate(codes._deflate(raw, 9))))
    assert short(read) == short(sold)
    assert read.counters == sold.counters
    for before, after in zip(sold.basket.lines, read.basket.lines, strict=True):
        assert after.text == ("" if before.text == before.sku else before.text[:TEXT_KEPT])


def basket(lines: int) -> Basket:
    return Basket(
        lines=tuple(
            Line(
                line_id=str(n),
                sku=f"87{n * 7919:011d}",
                text=f"Artikel {n * 31 % 97} uit schap {n}",
                gross_minor=99 + n,
            )
            for n in range(1, lines + 1)
        )
    )


@pytest.mark.parametrize(("lines", "texts"), [(20, True), (115, False), (500, None)])
def test_long_sales(shops: tuple[Runtime, Runtime, Runtime], lines: int, texts: bool | None) -> None:
    """Texts go first; a sale that fits no code is returned where it was bought."""
    here, there, _ = shops
    session = str(uuid6.uuid7())
    here.till.open_session(session)
    here.till.identify(session, SANNE.card)
    here.till.set_basket(session, basket(lines))
    text = ReceiptCodes(here.store).write(here.till.bookings.commit(session).entry)
    assert (text is not None) == (texts is not None)
    if text is not None:
        assert len(text) <= MAX_CODE
        read = ReceiptCodes(there.store).read(text)
        assert len(read.basket.lines) == lines
        assert bool(read.basket.lines[0].text) == texts


@pytest.mark.parametrize("columns", [32, 42, 48])
def test_the_printed_code_is_read_and_returned(shops: tuple[Runtime, Runtime, Runtime], columns: int) -> None:
    """From the printer's bytes, through a picture of them and our decoder, to a return at another till."""
    here, there, _ = shops
    entry = sell(here, str(uuid6.uuid7())).entry
    made = ReceiptDesk(here.store, here.terminal, here.config).receipt(entry)
    png = as_png(lay_out(made, "nl", columns), columns)  # type: ignore[arg-type]
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    (found,) = [symbol.text for symbol in decode(picture) if symbol.kind is ScanDataType.QR]
    assert found == made.return_code
    assert there.till.corrections.sale_of(found).id == entry.id


def test_readers_pass_it_on(bought: tuple[str, Sold]) -> None:
    """The payment guard lets it through, and it is no longer than what a page takes from a reader that types."""
    text = bought[0]
    event = recognise_frame("scanner", bytearray(text.encode()), card_patterns(FORMATS), 0)
    assert isinstance(event, DataEvent)
    assert event.scan_data_label == text
    assert 3 * MAX_CODE + 2 <= MAX_KEYS


def test_without_a_certificate_there_is_no_code(tmp_path: Path) -> None:
    lone = make_runtime(tmp_path / "till", programme=DOCUMENT)
    with lone.store.transaction() as connection:
        connection.execute("DELETE FROM certificate")
    entry = sell(lone).entry
    assert ReceiptDesk(lone.store, lone.terminal, lone.config).receipt(entry).return_code is None
    keep: Callable[[int, str | None], None] = Certificates(lone.store).keep
    for wrong in (None, "no base64", "AAAA"):
        keep(1, wrong)
    assert Certificates(lone.store).own() is None
    lone.store.close()
