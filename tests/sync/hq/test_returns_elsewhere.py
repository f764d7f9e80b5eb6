"""Goods brought back to another till than the one that sold them, by the signed code, with real tills."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from loyalty.cards import CardNumber
from pos_client.receipts.code import ReceiptCodes
from sync.certificates import Certificate, Certificates, signed
from sync.hq.certificates import certify
from sync.hq.database import Connection, Database
from sync.hq.enrolment import new_code, revoke
from sync.hq.inbox import settle_returns
from sync.hq.members import import_members
from sync.signing import certified
from tests.simulation.counter import Counter
from tests.support.entries import DAY, TestTill
from tests.sync.hq.conftest import CARDS
from tests.sync.hq.test_ingest_returns import balance, cups

NUMBER = "2912345678901"
Member = Callable[..., tuple[str, str]]


@pytest.fixture
def account(database: Database) -> str:
    with database.connection() as conn:
        import_members(
            conn, database.keys.card, CARDS, ["card_number,first_name,tier,points", f"{NUMBER},Anna,basic,0"], today=DAY
        )
        row = conn.execute("SELECT account_id FROM card").fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture
def tills(tmp_path: Path, database: Database, hq: httpx.Client, account: str) -> Iterator[tuple[Counter, Counter]]:
    assert account
    made = []
    for name in ("kassa-1", "kassa-2"):
        till = Counter(tmp_path / name, str(hq.base_url))
        with database.connection() as conn:
            code, _ = new_code(conn, "s01", "Winkel", datetime.now(UTC))
        till.enrol(code, name)
        till.agent.run_once()
        made.append(till)
    yield made[0], made[1]
    for till in made:
        till.close()


def parked(conn: Connection) -> list[tuple[str, str]]:
    rows = conn.execute("SELECT code, state FROM parked ORDER BY parked_at, seq").fetchall()
    return [(code, state) for code, state in rows]


def test_sold_here_and_back_there_with_no_line(tills: tuple[Counter, Counter], account: str, conn: Connection) -> None:
    here, there = tills
    assert Certificates(here.store).own() is not None, "head office certified the key with its first answer"
    sale = here.sell("bon-1", NUMBER, 1000, 500).entry
    code = ReceiptCodes(here.store).write(sale)
    assert code is not None
    back = there.take_back("retour-1", code, {"1": 1000}).entry
    assert (back.points, back.original) == (-10, sale.id)
    # The till that took it back has a line first: the return waits for its sale, and is booked when that arrives.
    there.sync_patiently()
    assert parked(conn) == [("return_unknown", "open")]
    here.sync_patiently()
    assert parked(conn) == [("return_unknown", "linked")]
    assert balance(conn, account) == 15 - 10
    there.sync_patiently()
    assert there.mirror.find(CardNumber.parse(NUMBER, CARDS).token(there.terminal.card_key)).confirmed == 5


def test_the_same_receipt_at_two_tills(tills: tuple[Counter, Counter], account: str, conn: Connection) -> None:
    here, there = tills
    sale = here.sell("bon-1", NUMBER, 1000).entry
    code = str(ReceiptCodes(here.store).write(sale))
    here.take_back("retour-1", "bon-1", {"1": 1000})
    there.take_back("retour-2", code, {"1": 1000})
    here.sync_patiently()
    there.sync_patiently()
    assert parked(conn) == [("return_refused", "open")]
    assert balance(conn, account) == 0


def test_a_new_epoch_has_a_certificate_of_its_own(tills: tuple[Counter, Counter]) -> None:
    here, there = tills
    before = Certificates(here.store).own()
    held = here.copy_of_disk()
    here.sell("bon-1", NUMBER, 1000)
    here.sync_patiently()
    here.put_disk_back(held)
    here.sync_patiently()
    assert here.journal.head().epoch == 2
    after = Certificates(here.store).own()
    assert before is not None
    assert after is not None
    assert (after[0].epoch, after[0].public_key != before[0].public_key) == (2, True)
    sale = here.sell("bon-2", NUMBER, 1000).entry
    assert there.till.corrections.sale_of(str(ReceiptCodes(here.store).write(sale))).id == sale.id


def test_whose_key_is_certified(till: TestTill, conn: Connection, database: Database) -> None:
    signature = certify(conn, till.terminal, 1)
    assert signature is not None
    raw = base64.b64decode(signature)
    key = till.key.public_key().public_bytes_raw()
    for wrong in (
        Certificate(till.terminal, 2, key, raw),
        Certificate("t-other", 1, key, raw),
        Certificate(till.terminal, 1, bytes(32), raw),
    ):
        assert not checked(database, wrong)
    assert checked(database, Certificate(till.terminal, 1, key, raw))
    revoke(conn, till.terminal, datetime.now(UTC))
    assert certify(conn, till.terminal, 1) is None


def checked(database: Database, certificate: Certificate) -> bool:
    statement = certified(certificate.terminal, certificate.epoch, certificate.public_key)
    return signed(database.keys.public, certificate.signature, statement)


def test_the_night_finds_what_two_batches_at_once_missed(
    new_till: Callable[[], TestTill], member: Member, conn: Connection, database: Database
) -> None:
    """Return and sale booked at the same moment by two processes do not see each other: the night looks again."""
    here, there = new_till(), new_till()
    card, account = member()
    sale = here.chain.sale(card, goods=cups(2))
    there.chain.returned(sale, {"1": 1000})
    there.send()
    conn.execute("UPDATE parked SET code = 'accrual_differs'")
    here.send()
    conn.execute("UPDATE parked SET code = 'return_unknown'")
    assert balance(conn, account) == 5
    with conn.transaction():
        assert settle_returns(conn, database.programmes) == [account]
        assert settle_returns(conn, database.programmes) == []
    assert balance(conn, account) == 3
