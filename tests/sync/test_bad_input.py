"""Bad input on the whole road, a real agent and a real head office: kept, told, and in nobody's way."""

from __future__ import annotations

from sync.errors import ServerFault
from sync.hq.database import Connection
from sync.sender import FIRST_BATCH
from tests.sync.build import draft
from tests.sync.test_agent import Shop, entries_at_hq, hq_points, shop

__all__ = ["shop"]

SALES = 12
POISONED = 7
ROUNDS = 30
"""Far more than finding one entry of twelve by halves takes."""


def _exchange(shop: Shop) -> int:
    """Rounds until everything is at head office."""
    for number in range(1, ROUNDS + 1):
        try:
            shop.agent.run_once()
        except ServerFault:
            continue
        return number
    raise AssertionError(f"still {shop.journal.head().queued} entries here after {ROUNDS} rounds")


def _poison(conn: Connection, *seqs: int) -> None:
    """Head office fails for good on booking these entries: its database has a fault on them that nobody foresaw."""
    conn.execute(
        "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NEW.seq IN ({', '.join(map(str, seqs))}) THEN RAISE EXCEPTION 'poisoned'; END IF; "
        "RETURN NEW; END $$"
    )
    conn.execute("CREATE TRIGGER poison BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION poison()")


def test_one_poisoned_entry_is_found_and_parked_and_the_rest_is_booked(shop: Shop, conn: Connection) -> None:
    for number in range(SALES):
        shop.sell(1000 + 100 * number)
    raw = shop.journal.tail(SALES).raws[POISONED - 1]  # type: ignore[union-attr]
    _poison(conn, POISONED)
    try:
        rounds = _exchange(shop)
    finally:
        conn.execute("DROP FUNCTION poison CASCADE")
    assert rounds > 1
    assert shop.journal.head().queued == 0
    assert entries_at_hq(conn) == SALES
    assert conn.execute("SELECT seq, code, raw FROM parked").fetchall() == [(POISONED, "server_fault", raw)]
    earned = sum(10 + number for number in range(SALES) if number != POISONED - 1)
    assert hq_points(conn, shop.account) == 100 + earned
    # Its place in the day is proven; its points are not known at head office, which the night's report says.
    (day,) = shop.agent.nightly().days
    assert (day.ours.entries, day.ours.head_digest) == (day.theirs.entries, day.theirs.head_digest)
    assert (day.parked, day.ours.points_earned - day.theirs.points_earned) == (1, 10 + POISONED - 1)
    # What follows goes the usual way, in batches again.
    more = [draft(1000, card=shop.card, account=shop.account) for _ in range(2 * FIRST_BATCH)]
    shop.journal.append_all(more)
    batches: list[int] = []
    report = shop.agent.run_once(lambda sent, _: batches.append(sent))
    assert (report.sent, report.booked, report.parked) == (2 * FIRST_BATCH, 2 * FIRST_BATCH, 0)
    assert len(batches) <= 2


def test_an_entry_that_changed_on_the_tills_disk_is_evidence_and_nothing_of_it_is_lost(
    shop: Shop, conn: Connection
) -> None:
    """The chain no longer holds: head office books nothing by it, keeps the batch whole, and a person decides."""
    for number in range(3):
        shop.sell(1000 + number)
    before = shop.journal.head().epoch
    with shop.store.transaction() as connection:
        (raw,) = connection.execute("SELECT raw FROM journal WHERE seq = 2").fetchone()
        wrong = raw.replace(b'"gross_minor":1001', b'"gross_minor":9001')
        assert wrong != raw
        connection.execute("UPDATE journal SET raw = ? WHERE seq = 2", (wrong,))
    shop.agent.run_once()
    assert shop.journal.head().epoch == before + 1
    assert conn.execute("SELECT count(*) FROM evidence").fetchone() == (1,)
    kept = conn.execute(
        "SELECT count(*) FROM (SELECT raw FROM ledger WHERE kind = 'sale' UNION ALL SELECT raw FROM parked) kept"
    ).fetchone()
    assert kept == (3,)
    assert {notice.code for notice in shop.agent.nightly().notices} & {"stream_conflict"}
    shop.sell(1000)
    assert shop.agent.run_once().booked == 1
