"""Head office's side of the nightly proof: one terminal's day as it was received."""

from __future__ import annotations

from datetime import date

from sync.hq.database import Connection
from sync.wire import DayProof, Proof


def proof(conn: Connection, terminal: str, epoch: int, business_date: date) -> DayProof:
    """Count and sums over everything received of that day, booked and parked alike.

    Parked entries count because the till journalled them: the proof is that nothing got lost on the way, and `parked`
    says how much of it waits for a person. An unreadable entry counts as one entry of 0 points.
    """
    row = conn.execute(
        "SELECT count(*), coalesce(sum(points_earned), 0)::bigint, coalesce(sum(points_spent), 0)::bigint, "
        "coalesce(max(seq), 0), (array_agg(digest ORDER BY seq DESC))[1], count(*) FILTER (WHERE parked) "
        "FROM received WHERE terminal_id = %s AND epoch = %s AND business_date = %s",
        (terminal, epoch, business_date),
    ).fetchone()
    assert row is not None
    entries, earned, spent, last_seq, head, parked = row
    return DayProof(
        proof=Proof(
            terminal=terminal,
            epoch=epoch,
            business_date=business_date,
            entries=entries,
            points_earned=earned,
            points_spent=spent,
            last_seq=last_seq,
            head_digest=head.hex() if head is not None else "",
        ),
        parked=parked,
    )
