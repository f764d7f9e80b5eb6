"""Epochs at head office: the next one with a new key, keys that are past, and entries of epochs that were left."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.hq.database import Connection, Database
from sync.wire import BatchAnswer, DayProof, EpochAnswer, EpochRequest, Outcome, StreamAnswer, key_text
from tests.support.entries import DAY, Chain, Signed, TestTill
from tests.sync.hq.conftest import code
from tests.sync.hq.test_app import Member, problem


def ask_epoch(till: TestTill, epoch: int, fresh: Ed25519PrivateKey, signer: Ed25519PrivateKey) -> httpx.Response:
    body = EpochRequest(epoch=epoch, public_key=key_text(fresh.public_key().public_bytes_raw())).encode()
    return till.post("/v1/epochs", body, auth=Signed(signer, till.terminal))


def next_epoch(till: TestTill, epoch: int = 2) -> Ed25519PrivateKey:
    """Move the till to `epoch`; returns the key that is retired now."""
    old, fresh = till.key, Ed25519PrivateKey.generate()
    response = ask_epoch(till, epoch, fresh, old)
    assert response.status_code == 201, response.text
    assert EpochAnswer.decode(response.content).epoch == epoch
    till.key, till.chain = fresh, Chain(till.terminal, epoch)
    return old


def answer(response: httpx.Response) -> BatchAnswer:
    assert response.status_code == 200, response.text
    return BatchAnswer.decode(response.content)


def stream(till: TestTill) -> StreamAnswer:
    return StreamAnswer.decode(till.get("/v1/stream").content)


def test_a_till_may_ask_how_far_head_office_has_it(till: TestTill, member: Member) -> None:
    assert (stream(till).epoch, stream(till).durable_to, stream(till).head_digest) == (1, 0, "0" * 64)
    till.chain.sale(member()[0])
    till.send()
    assert (stream(till).durable_to, stream(till).head_digest) == (1, till.chain.digests[1].hex())


def test_the_next_epoch_retires_the_old_key(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    till.chain.sale(card)
    till.send()
    old = next_epoch(till, 4)  # any number above
    assert (stream(till).epoch, stream(till).durable_to) == (4, 0)
    till.chain.sale(card)
    assert answer(till.send()).durable_to == 1
    clone = Signed(old, till.terminal)
    for response in (
        till.get("/v1/stream", auth=clone),
        till.get("/v1/changes/till", auth=clone, cursor=""),
        till.post("/v1/entries", till.chain.batch().encode(), auth=clone),
        ask_epoch(till, 5, Ed25519PrivateKey.generate(), old),
    ):
        assert "enrol it with a new code" in problem(response, 403, "superseded").detail
    problem(till.get("/v1/stream", auth=Signed(Ed25519PrivateKey.generate(), till.terminal)), 401, "signature")
    assert conn.execute("SELECT count(*) FROM received").fetchone() == (2,)


def test_a_lost_answer_is_asked_for_again_with_the_old_key(till: TestTill) -> None:
    old, fresh = till.key, Ed25519PrivateKey.generate()
    answers = [ask_epoch(till, 2, fresh, signer) for signer in (old, old, fresh)]
    assert [response.status_code for response in answers] == [201] * 3
    found = {EpochAnswer.decode(response.content).model_copy(update={"server_time_ms": 0}) for response in answers}
    assert [(one.epoch, one.left_epoch, one.left_durable_to) for one in found] == [(2, 1, 0)]


def test_epochs_that_cannot_be(till: TestTill, new_till: Callable[[], TestTill]) -> None:
    fresh = Ed25519PrivateKey.generate()
    old = next_epoch(till, 3)
    assert problem(ask_epoch(till, 3, fresh, till.key), 409, "epoch_taken").wanted_seq == 4
    problem(ask_epoch(till, 4, old, till.key), 400, "malformed")
    problem(ask_epoch(till, 4, new_till().key, till.key), 400, "malformed")
    for body in (b'{"epoch": 1, "public_key": "x"}', b'{"epoch": 4, "public_key": "x"}', b"{}"):
        problem(till.post("/v1/epochs", body), 400, "malformed")
    assert stream(till).epoch == 3


def test_a_retired_key_does_not_enrol(till: TestTill, database: Database) -> None:
    old = next_epoch(till)
    clone = TestTill(till.client, old)
    problem(clone.ask_to_enrol(code(database)), 403, "superseded")


def test_what_was_left_of_an_epoch_is_booked_when_it_follows(till: TestTill, member: Member, conn: Connection) -> None:
    card, account = member()
    for _ in range(4):
        till.chain.sale(card)
    before = till.chain
    till.send(before.batch(1, 2))
    next_epoch(till)
    late = answer(till.send(before.batch(2)))
    assert [result.outcome for result in late.results] == [Outcome.DUPLICATE, Outcome.BOOKED, Outcome.BOOKED]
    assert (late.durable_to, late.balances) == (4, ())
    assert [result.outcome for result in answer(till.send(before.batch(3))).results] == [Outcome.DUPLICATE] * 2
    till.chain.sale(card)
    assert answer(till.send()).balances[0].points == 50
    assert conn.execute("SELECT points FROM balance WHERE account_id = %s", (account,)).fetchone() == (50,)
    assert (stream(till).epoch, stream(till).durable_to) == (2, 1)
    for epoch, entries in ((1, 4), (2, 1)):
        proof = DayProof.decode(till.get(f"/v1/proofs/{DAY}", epoch=str(epoch)).content).proof
        assert (proof.epoch, proof.entries) == (epoch, entries)
    assert DayProof.decode(till.get(f"/v1/proofs/{DAY}").content).proof.epoch == 2


def test_what_diverges_is_parked_whole_and_once(till: TestTill, member: Member, conn: Connection) -> None:
    """A restored till: two entries are as here, the third is another, a fourth is new; head office has three."""
    card, account = member()
    till.chain.sale(card)
    till.chain.sale(card)
    restored = Chain(till.terminal, 1, list(till.chain.entries), list(till.chain.raws), list(till.chain.digests))
    till.chain.sale(card)
    till.send()
    restored.sale(card, (700,), account=account)
    restored.sale(card, (800,), account=account)
    problem(till.send(restored.batch(3)), 409, "stream_conflict")
    problem(till.send(restored.batch()), 409, "stream_conflict")
    next_epoch(till)
    late = answer(till.send(restored.batch()))
    assert late.durable_to == 4
    assert [result.outcome for result in late.results] == ["duplicate"] * 2 + ["parked"] * 2
    assert {result.code for result in late.results[2:]} == {"stream_conflict"}
    parked = conn.execute("SELECT epoch, seq, code, account_id, raw FROM parked ORDER BY seq").fetchall()
    assert parked == [(0, place, "stream_conflict", account, restored.raws[place + 1]) for place in (1, 2)]
    assert conn.execute("SELECT sum(points) FROM ledger").fetchone() == (30,)
    # Neither the epoch that was left nor the present one moved.
    assert conn.execute("SELECT durable_to FROM stream_closed").fetchone() == (3,)
    assert stream(till).durable_to == 0


@pytest.mark.parametrize("lost", [1, 3])
def test_a_hole_in_what_was_left_parks_what_comes_after(
    till: TestTill, member: Member, conn: Connection, lost: int
) -> None:
    card, _ = member()
    for _ in range(4):
        till.chain.sale(card)
    before = till.chain
    next_epoch(till)
    if lost > 1:
        assert answer(till.send(before.batch(1, lost - 1))).results[-1].outcome is Outcome.BOOKED
    late = answer(till.send(before.batch(lost + 1, prev_digest="0" * 64)))
    assert late.durable_to == 4
    assert {result.outcome for result in late.results} == {Outcome.PARKED}
    assert conn.execute("SELECT count(*) FROM parked").fetchone() == (4 - lost,)


def test_entries_of_an_epoch_that_never_was_are_parked(till: TestTill, member: Member, conn: Connection) -> None:
    card, _ = member()
    declared = Chain(till.terminal, 2)
    declared.sale(card)
    problem(till.send(declared.batch()), 409, "stream_conflict")  # not open: evidence, and nobody's to look at yet
    assert conn.execute("SELECT count(*) FROM parked").fetchone() == (0,)
    next_epoch(till, 3)
    assert answer(till.send(declared.batch())).results[0].code == "stream_conflict"
    assert conn.execute("SELECT count(*) FROM parked").fetchone() == (1,)
