"""The feed of changes that tills follow by cursor: safe beside writers that commit late."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sync.hq.database import Connection
from sync.hq.errors import Refused
from sync.hq.leases import named_leases
from sync.wire import MAX_CHANGES, AccountChange, CardChange, Change, ChangesPage, ProgrammeChange

FEEDS = ("till",)
"""The feeds there are: members, cards, balances and programmes for every till, leases for the terminal they are of."""

SUBJECTS = ("account", "card", "programme", "lease")
"""What a row of the feed may name."""

_SETTLED = "tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""Rows of transactions below the oldest one still open: no row can appear among or before them any more."""


COUNTERS = (
    "coalesce((SELECT jsonb_object_agg(name, count) FROM counter c WHERE c.account_id = b.account_id AND count <> 0), "
    "'{}')"
)
"""What is counted of the account of a balance `b`, as a JSON object."""


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The last row read: a place in the order (transaction, position). The start is before every row."""

    tx: int = 0
    position: int = 0


def changes(conn: Connection, terminal: str, feed: str, cursor: str) -> ChangesPage:
    """The next page of `feed` after `cursor` ("" from the start) for `terminal`.

    What changed several times is on the page once. Everything on it is as of one moment (one database snapshot), and
    `includes_seq` is the terminal's watermark at that same moment.

    Raises:
        Refused: `unknown_feed`, `cursor` when it is none of ours, `feed_epoch` when it was given out before this head
            office's database was replaced: take everything anew from the empty cursor.
    """
    if feed not in FEEDS:
        raise Refused(404, "unknown_feed", f"expected one of the feeds {', '.join(FEEDS)}")
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # The snapshot is taken by the first statement after SET: everything below sees the same moment.
        row = conn.execute(
            "SELECT s.epoch, s.durable_to, h.feed_epoch FROM stream s, head_office h WHERE s.terminal_id = %s",
            (terminal,),
        ).fetchone()
        assert row is not None, "every enrolled terminal has a stream"
        epoch, durable_to, feed_epoch = row
        after = _parse(cursor, feed_epoch)
        as_of_ms = time.time_ns() // 1_000_000
        rows = conn.execute(
            "SELECT tx, position, subject, key, coalesce(terminal_id, %s) = %s FROM feed "
            f"WHERE (tx, position) > (%s, %s) AND {_SETTLED} "
            "ORDER BY tx, position LIMIT %s",
            (terminal, terminal, after.tx, after.position, MAX_CHANGES + 1),
        ).fetchall()
        more, rows = len(rows) > MAX_CHANGES, rows[:MAX_CHANGES]
        if rows:
            after = _Cursor(rows[-1][0], rows[-1][1])
        found = _states(conn, [(subject, key) for _, _, subject, key, ours in rows if ours])
    return ChangesPage(
        changes=found,
        cursor=f"{feed_epoch}:{after.tx}:{after.position}",
        more=more,
        epoch=epoch,
        includes_seq=durable_to,
        as_of_ms=as_of_ms,
    )


def newest_cursor(conn: Connection) -> str:
    """The cursor of the newest change that may be served now: a till that holds it is up to date."""
    row = conn.execute(
        "SELECT h.feed_epoch, f.tx, f.position FROM head_office h LEFT JOIN LATERAL ("
        f"SELECT tx, position FROM feed WHERE {_SETTLED} ORDER BY tx DESC, position DESC LIMIT 1) f ON true"
    ).fetchone()
    assert row is not None, "head office has its one row"
    feed_epoch, tx, position = row
    return f"{feed_epoch}:{tx or 0}:{position or 0}"


def _parse(cursor: str, feed_epoch: str) -> _Cursor:
    if not cursor:
        return _Cursor()
    # 18 digits stay below 2^63; a number of ours never has more.
    match = re.fullmatch(r"([0-9a-f]{8}):([0-9]{1,18}):([0-9]{1,18})", cursor)
    if match is None:
        raise Refused(400, "cursor", "expected a cursor that head office gave out, or none to start from the beginning")
    if match[1] != feed_epoch:
        raise Refused(410, "feed_epoch", "this cursor is of an earlier feed: start again from the empty cursor")
    return _Cursor(int(match[2]), int(match[3]))


def _states(conn: Connection, names: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
    """The state of now of each named thing, once each, in the order in which they were last named."""
    last = {name: place for place, name in enumerate(names)}
    keys = {subject: [key for kind, key in last if kind == subject] for subject in SUBJECTS}
    found: list[tuple[int, Change]] = []
    for account, first_name, tier, points, counters, first in conn.execute(
        f"SELECT a.account_id, a.first_name, a.tier, coalesce(b.points, 0), {COUNTERS}, "
        "NOT EXISTS (SELECT FROM ledger l WHERE l.account_id = a.account_id AND l.kind IN ('sale', 'opening')) "
        "FROM account a LEFT JOIN balance b USING (account_id) WHERE a.account_id = ANY(%s)",
        (keys["account"],),
    ):
        change = AccountChange(
            account=account, first_name=first_name, tier=tier, points=points, counters=counters, first_purchase=first
        )
        found.append((last["account", account], change))
    for token, account, blocked in conn.execute(
        "SELECT token, account_id, blocked FROM card WHERE token = ANY(%s)", (keys["card"],)
    ):
        found.append((last["card", token], CardChange(token=token, account=account, blocked=blocked)))
    for version, document in conn.execute(
        "SELECT version, document FROM programme WHERE version = ANY(%s)", ([int(key) for key in keys["programme"]],)
    ):
        found.append((last["programme", str(version)], ProgrammeChange(document=document)))
    found.extend((last["lease", lease.id], lease) for lease in named_leases(conn, keys["lease"]))
    return tuple(change for _, change in sorted(found, key=lambda pair: pair[0]))
