"""Enrolment: a code is spent once, by one key; and who is out is out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.hq.database import Connection, Database
from sync.hq.enrolment import CODE_ALPHABET, enrol, new_code, revoke
from sync.hq.errors import HqError, Refused
from sync.wire import EnrolAnswer, EnrolRequest, Problem, key_bytes, key_text
from tests.support.entries import Signed, TestTill
from tests.sync.hq.conftest import code

NOW = datetime(2026, 3, 31, 8, 0, tzinfo=UTC)


def request(one_time_code: str, key: Ed25519PrivateKey) -> EnrolRequest:
    public_key = key_text(key.public_key().public_bytes_raw())
    return EnrolRequest(code=one_time_code, name="kassa 1", public_key=public_key, software="test")


def test_an_enrolled_till_gets_all_it_needs(database: Database, conn: Connection, hq: httpx.Client) -> None:
    answer = TestTill(hq).enrol(code(database))
    assert (answer.epoch, answer.store, answer.store_name) == (1, "s01", "Dorpsstraat")
    assert key_bytes(answer.card_key) == database.keys.card
    assert key_bytes(answer.hq_public_key) == database.keys.public
    assert conn.execute("SELECT terminal_id, epoch, durable_to FROM stream").fetchall() == [(answer.terminal, 1, 0)]


def test_a_code_is_readable_and_stored_only_as_a_hash(conn: Connection) -> None:
    made, expires = new_code(conn, "s01", "Dorpsstraat", NOW)
    assert len(made) == 10
    assert set(made) <= set(CODE_ALPHABET)
    assert not set(CODE_ALPHABET) & set("01IO")
    assert expires == NOW + timedelta(hours=24)
    assert made.encode() not in b"".join(row[0] for row in conn.execute("SELECT code_hash FROM enrolment_code"))


def test_a_code_as_people_type_it(database: Database, conn: Connection) -> None:
    made, _ = new_code(conn, "s01", "Dorpsstraat", NOW)
    typed = f" {made[:5].lower()}-{made[5:].lower()} "
    assert enrol(conn, database.keys, request(typed, Ed25519PrivateKey.generate()), NOW).epoch == 1


def test_a_lost_answer_is_given_again(database: Database, conn: Connection, hq: httpx.Client) -> None:
    till = TestTill(hq)
    one_time = code(database)
    first = till.enrol(one_time)
    again = EnrolAnswer.decode(till.ask_to_enrol(one_time).content)
    assert again.model_copy(update={"server_time_ms": 0}) == first.model_copy(update={"server_time_ms": 0})
    assert conn.execute("SELECT count(*) FROM terminal").fetchone() == (1,)


def test_two_tills_race_for_one_code(database: Database, conn: Connection, hq: httpx.Client) -> None:
    one_time = code(database)

    def ask(till: TestTill) -> tuple[int, str]:
        response = till.ask_to_enrol(one_time)
        return response.status_code, "" if response.is_success else Problem.decode(response.content).code

    with ThreadPoolExecutor() as pool:
        # All of them have looked at the code, or wait to, before the first may spend it.
        with conn.transaction():
            conn.execute("SELECT 1 FROM enrolment_code FOR UPDATE")
            asking = [pool.submit(ask, TestTill(hq)) for _ in range(6)]
            wait_for_lock(database, 6)
        answers = sorted(future.result() for future in asking)
    assert answers == [(201, "")] + [(403, "code_used")] * 5
    assert conn.execute("SELECT count(*) FROM terminal").fetchone() == (1,)


def wait_for_lock(database: Database, waiting: int) -> None:
    """Return once `waiting` connections wait for a lock."""
    pause = threading.Event()
    with database.connection() as watcher:
        for _ in range(1000):
            row = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
            if row == (waiting,):
                return
            pause.wait(0.01)
    raise AssertionError(f"expected {waiting} connections to wait for a lock, got {row}")


def test_codes_that_are_no_good(database: Database, conn: Connection) -> None:
    key = Ed25519PrivateKey.generate()
    made, expires = new_code(conn, "s01", "Dorpsstraat", NOW, timedelta(minutes=5))
    for wrong, moment, expected in [("ABCDEFGHJK", NOW, "code_unknown"), (made, expires, "code_expired")]:
        with pytest.raises(Refused) as caught:
            enrol(conn, database.keys, request(wrong, key), moment)
        assert (caught.value.status, caught.value.code) == (403, expected)
    # An expired code that was spent in time still answers the till whose answer was lost.
    first = enrol(conn, database.keys, request(made, key), NOW)
    assert enrol(conn, database.keys, request(made, key), expires + timedelta(days=3)).terminal == first.terminal


def test_enrolment_is_signed_with_the_key_it_carries(database: Database, hq: httpx.Client) -> None:
    till = TestTill(hq)
    stolen = key_text(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    response = till.ask_to_enrol(code(database), public_key=stolen)
    assert (response.status_code, Problem.decode(response.content).code) == (401, "signature")
    for wrong in ("", "AAAA", "!" * 44):
        response = till.ask_to_enrol(code(database), public_key=wrong)
        assert (response.status_code, Problem.decode(response.content).code) == (400, "malformed")


def test_a_known_key_with_a_fresh_code_starts_the_next_epoch(
    database: Database, conn: Connection, till: TestTill, member: Callable[..., tuple[str, str]]
) -> None:
    card, account = member()
    old = till.chain
    sale = old.sale(card, account=account)
    till.send()
    before = till.terminal
    assert (till.enrol(code(database)).epoch, till.terminal) == (2, before)
    till.chain.sale(card, account=account)
    till.chain.sale(card, account=account, id=sale.id)  # salvaged, and here already
    answer = till.send()
    assert [result["code"] for result in answer.json()["results"]] == [None, "id_twice"]
    assert conn.execute("SELECT points FROM balance").fetchone() == (20,)
    again = till.send(old.batch()).json()  # what was left in the old epoch
    assert [result["outcome"] for result in again["results"]] == ["duplicate"]


def test_a_revoked_till_is_refused_by_name_and_its_key_for_good(
    database: Database, conn: Connection, till: TestTill
) -> None:
    revoke(conn, till.terminal, NOW)
    revoke(conn, till.terminal, NOW)
    response = till.get("/v1/changes/till")
    assert (response.status_code, Problem.decode(response.content).code) == (403, "revoked")
    impostor = Signed(Ed25519PrivateKey.generate(), till.terminal)
    assert till.get("/v1/changes/till", auth=impostor).status_code == 401
    response = till.ask_to_enrol(code(database))
    assert (response.status_code, Problem.decode(response.content).code) == (403, "revoked")
    with pytest.raises(HqError, match="no terminal 't-0'"):
        revoke(conn, "t-0", NOW)


def test_a_new_store_needs_a_name(conn: Connection) -> None:
    with pytest.raises(HqError, match="'s09' is new: give its name"):
        new_code(conn, "s09", None, NOW)
    with pytest.raises(HqError, match="expected a store id"):
        new_code(conn, "s 9", "x", NOW)
    with pytest.raises(HqError, match="expected a store name"):
        new_code(conn, "s09", "\0", NOW)
    new_code(conn, "s09", "Markt", NOW)
    new_code(conn, "s09", None, NOW)
    assert conn.execute("SELECT name FROM store").fetchall() == [("Markt",)]
