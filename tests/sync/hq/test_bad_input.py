"""What a broken, unlucky or dishonest sender may send: said in words, never booked twice, never lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import zstandard

from loyalty.facts import Facts
from sync.hq.database import Connection, Database
from sync.hq.restored import begin_anew
from sync.signing import MAX_SKEW
from sync.wire import PROTOCOL, PROTOCOL_HEADER, BatchAnswer, Outcome, Problem, StreamAnswer
from sync.wire_bodies import compress
from tests.support.entries import Signed, TestTill

Member = Callable[..., tuple[str, str]]


def problem(response: httpx.Response, status: int, code: str) -> Problem:
    assert response.status_code == status, response.text
    found = Problem.decode(response.content)
    assert found.code == code
    return found


def count(conn: Connection, table: str) -> int:
    row = conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_batch_says_so_and_books_nothing(
    till: TestTill, member: Member, conn: Connection, sized: bool, kept: float
) -> None:
    for _ in range(30):
        till.chain.sale(member()[0])
    body = till.chain.batch().encode()
    stream = zstandard.ZstdCompressor(level=1).compressobj(size=len(body) if sized else -1)
    packed = stream.compress(body) + stream.flush()
    short = packed[: int(len(packed) * kept)]
    found = problem(till.post("/v1/entries", short, headers={"Content-Encoding": "zstd"}), 400, "malformed")
    assert found.detail == "expected a whole zstd body, got a truncated one"
    assert count(conn, "received") == 0
    assert till.post("/v1/entries", packed, headers={"Content-Encoding": "zstd"}).status_code == 200


def test_a_doubled_body_is_no_batch_and_a_doubled_batch_books_once(
    till: TestTill, member: Member, conn: Connection
) -> None:
    till.chain.sale(member()[0])
    body = till.chain.batch().encode()
    problem(till.post("/v1/entries", body + body), 400, "malformed")
    assert count(conn, "received") == 0
    answers = [BatchAnswer.decode(till.post("/v1/entries", body).content) for _ in range(2)]
    assert [answer.results[0].outcome for answer in answers] == [Outcome.BOOKED, Outcome.DUPLICATE]
    assert count(conn, "ledger") == 1


def test_a_replayed_request_is_harmless(till: TestTill, member: Member, conn: Connection) -> None:
    """Somebody on the line sends the very same signed request again: at once, and after a later batch."""
    card, account = member()
    till.chain.sale(card, account=account)
    first = _signed(till, till.chain.batch(1, 1).encode())
    assert till.client.send(first).status_code == 200
    again = BatchAnswer.decode(till.client.send(first).content)
    assert [result.outcome for result in again.results] == [Outcome.DUPLICATE]
    till.chain.sale(card, account=account)
    assert till.send(till.chain.batch(2)).status_code == 200
    late = BatchAnswer.decode(till.client.send(first).content)
    assert (late.durable_to, late.results[0].outcome) == (2, Outcome.DUPLICATE)
    assert count(conn, "ledger") == 2
    assert conn.execute("SELECT points FROM balance").fetchone() == (20,)


def test_a_request_recorded_and_sent_later_is_refused(till: TestTill, member: Member, conn: Connection) -> None:
    till.chain.sale(member()[0])
    kept = _signed(till, till.chain.batch().encode(), shift=-MAX_SKEW - timedelta(seconds=5))
    problem(till.client.send(kept), 401, "clock_skew")
    assert count(conn, "received") == 0


def test_a_signature_of_one_body_is_none_of_another(till: TestTill, member: Member, conn: Connection) -> None:
    till.chain.sale(member()[0])
    honest = _signed(till, till.chain.batch().encode())
    till.chain.sale(member()[0])
    forged = till.client.build_request(
        "POST", "/v1/entries", content=till.chain.batch().encode(), headers=_kept(honest.headers)
    )
    problem(till.client.send(forged), 401, "signature")
    assert count(conn, "received") == 0


@pytest.mark.parametrize("years", [-1, 1])
def test_a_clock_a_year_off_sells_on(till: TestTill, member: Member, conn: Connection, years: int) -> None:
    """Refused with head office's time; signed with that, the sales are booked as the clock had them."""
    off = timedelta(days=365 * years)
    there = datetime.now(UTC) + off
    card, account = member()
    facts = Facts(at_ms=int(there.timestamp() * 1000))
    till.chain.sale(card, account=account, day=there.date(), facts=facts)
    body = till.chain.batch().encode()
    refused = problem(till.client.send(_signed(till, body, shift=off)), 401, "clock_skew")
    assert refused.server_time_ms is not None
    learned = timedelta(milliseconds=refused.server_time_ms - there.timestamp() * 1000)
    response = till.client.send(_signed(till, body, shift=off + learned))
    assert [result.outcome for result in BatchAnswer.decode(response.content).results] == [Outcome.BOOKED]
    assert conn.execute("SELECT business_date FROM ledger").fetchone() == (there.date(),)


def test_a_moment_that_no_clock_has_is_parked(till: TestTill, member: Member) -> None:
    card, _ = member()
    for at_ms in (10**30, -(10**30), 10**17):
        sale = till.chain.sale(card)
        till.chain.raws.pop()
        till.chain.digests.pop()
        document = json.loads(sale.encode())
        document["facts"] = {"at_ms": at_ms}
        till.chain.raw(json.dumps(document).encode())
    till.chain.sale(card)
    answer = BatchAnswer.decode(till.send().content)
    assert [result.code for result in answer.results] == ["accrual_differs"] * 3 + [None]


def test_amounts_and_names_that_no_table_holds_are_parked(till: TestTill, member: Member) -> None:
    """In kinds of entries that are not computed again, so nothing else would stop them before the database."""
    card, _ = member()
    sale = till.chain.sale(card)
    settled = sale.settlement
    till.chain.void(sale, settlement=settled.model_copy(update={"payable_minor": 10**30}))
    for counter, number in (("a\u0000b", 1), ("stamps", 10**30)):
        void = till.chain.void(sale)
        till.chain.raws.pop()
        till.chain.digests.pop()
        document = json.loads(void.encode())
        document["settlement"]["counters"] = [{"counter": counter, "count": number}]
        till.chain.raw(json.dumps(document).encode())
    till.chain.void(sale)
    answer = BatchAnswer.decode(till.send().content)
    assert [result.code for result in answer.results] == [None, "unreadable", "unreadable", "unreadable", None]


def test_an_unknown_schema_of_a_batch_is_refused_and_of_an_entry_parked(
    till: TestTill, member: Member, conn: Connection
) -> None:
    sale = till.chain.sale(member()[0])
    batch = till.chain.batch().encode()
    newer = batch.replace(b'"schema":1', b'"schema":2')
    assert newer != batch
    assert "schema" in problem(till.post("/v1/entries", newer), 400, "malformed").detail
    assert count(conn, "received") == 0
    till.chain.raws.pop()
    till.chain.digests.pop()
    till.chain.raw(sale.encode().replace(b'"schema_version":1', b'"schema_version":2'))
    till.chain.raw(sale.encode().replace(b'"kind":', b'"surprise":1,"kind":'))
    answer = BatchAnswer.decode(till.send().content)
    assert [result.code for result in answer.results] == ["unreadable", "unreadable"]
    rows = conn.execute("SELECT raw FROM parked ORDER BY seq").fetchall()
    assert [raw for (raw,) in rows] == till.chain.raws


# -- one entry that head office fails on -------------------------------------------------------------------------------


def send_parked(till: TestTill, start: int, end: int) -> httpx.Response:
    body = compress(till.chain.batch(start, end).encode())
    return till.post("/v1/parked", body, headers={"Content-Encoding": "zstd"})


def test_an_entry_that_cannot_be_booked_is_kept_as_it_is_and_the_stream_goes_on(
    till: TestTill, member: Member, conn: Connection
) -> None:
    card, account = member()
    till.chain.sale(card, account=account)
    till.chain.sale(card, account=account, day=date(2026, 3, 30))
    till.chain.sale(card, account=account)
    assert till.send(till.chain.batch(1, 1)).status_code == 200
    answer = BatchAnswer.decode(send_parked(till, 2, 2).content)
    assert (answer.durable_to, answer.applied_to) == (2, 2)
    assert [(result.seq, result.outcome, result.code) for result in answer.results] == [
        (2, Outcome.PARKED, "server_fault")
    ]
    # Its place in the day is kept, as far as bytes tell it without being read as an entry.
    assert conn.execute("SELECT raw, code, account_id FROM parked").fetchall() == [
        (till.chain.raws[1], "server_fault", None)
    ]
    assert conn.execute("SELECT business_date FROM received WHERE parked").fetchall() == [(date(2026, 3, 30),)]
    again = BatchAnswer.decode(send_parked(till, 2, 2).content)
    assert [(result.outcome, result.code) for result in again.results] == [(Outcome.DUPLICATE, "server_fault")]
    rest = BatchAnswer.decode(till.send(till.chain.batch(2, 3)).content)
    assert [(result.outcome, result.code) for result in rest.results] == [
        (Outcome.DUPLICATE, "server_fault"),
        (Outcome.BOOKED, None),
    ]
    assert count(conn, "ledger") == 2


def test_parking_follows_the_chain_like_booking(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    for _ in range(3):
        till.chain.sale(card)
    assert problem(send_parked(till, 2, 2), 409, "gap").wanted_seq == 1
    assert "the one entry" in problem(send_parked(till, 1, 2), 400, "malformed").detail
    other = till.chain.batch(1, 1, head_digest="0" * 64)
    problem(till.post("/v1/parked", other.encode()), 409, "stream_conflict")
    foreign = till.chain.batch(1, 1, terminal="t-0000000000")
    problem(till.post("/v1/parked", foreign.encode()), 403, "other_terminal")
    assert count(conn, "received") == 0


# -- an older backup ---------------------------------------------------------------------------------------------------


def test_tills_send_again_what_a_restored_head_office_lost(
    till: TestTill, member: Member, conn: Connection, database: Database
) -> None:
    card, account = member()
    for _ in range(6):
        till.chain.sale(card, account=account)
    till.send(till.chain.batch(1, 2))
    backup = _backup(conn)
    acknowledged = BatchAnswer.decode(till.send(till.chain.batch(3, 4)).content)
    assert acknowledged.durable_to == 4
    _restore(conn, backup)
    begin_anew(conn)

    # The till goes on after its acknowledgement, and is told where it has to go back to.
    assert problem(till.send(till.chain.batch(5, 6)), 409, "gap").wanted_seq == 3
    where = StreamAnswer.decode(till.get("/v1/stream").content)
    assert (where.durable_to, where.head_digest) == (2, till.chain.digests[2].hex())
    problem(till.get("/v1/changes/till", cursor=acknowledged.feeds["till"]), 410, "feed_epoch")

    again = BatchAnswer.decode(till.send(till.chain.batch(3, 6)).content)
    assert {result.outcome for result in again.results} == {Outcome.BOOKED}
    assert count(conn, "ledger") == 6
    assert conn.execute("SELECT points FROM balance").fetchone() == (60,)
    assert StreamAnswer.decode(till.get("/v1/stream").content).durable_to == 6


_TABLES = ("stream", "received", "ledger", "balance", "feed", "parked")


def _backup(conn: Connection) -> dict[str, list[bytes]]:
    kept = {}
    for table in _TABLES:
        with conn.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
            kept[table] = [bytes(row) for row in copy]
    return kept


def _restore(conn: Connection, backup: dict[str, list[bytes]]) -> None:
    with conn.transaction():
        for table, rows in backup.items():
            conn.execute(f"TRUNCATE {table}".encode())
            with conn.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write(row)


def _signed(till: TestTill, body: bytes, shift: timedelta = timedelta()) -> httpx.Request:
    """A request as it goes over the line, signature and all."""
    headers = {PROTOCOL_HEADER: str(PROTOCOL), "Content-Type": "application/json"}
    request = till.client.build_request("POST", "/v1/entries", content=body, headers=headers)
    return next(Signed(till.key, till.terminal, shift).auth_flow(request))


def _kept(headers: httpx.Headers) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name != "content-length"}


def test_the_wrong_digest_of_a_body_is_refused(till: TestTill, member: Member, conn: Connection) -> None:
    till.chain.sale(member()[0])
    request = _signed(till, till.chain.batch().encode())
    request.headers["Content-Digest"] = "sha-256=:" + hashlib.sha256(b"x").hexdigest() + ":"
    problem(till.client.send(request), 401, "signature")
    assert count(conn, "received") == 0
