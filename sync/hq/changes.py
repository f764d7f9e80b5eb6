"""The feed of changes that tills follow by cursor: safe beside writers that commit late."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sync.hq.database import Connection
from sync.hq.errors import Refused
from sync.hq.leases import named_leases
from sync.hq.parked import feed_key, parked_changes
from sync.hq.states import named_accounts, named_cards, named_programmes, named_stocks
from sync.wire_mirror import MAX_CHANGES, AccountGone, CardGone, Change, ChangesPage

FEEDS = ("till",)
"""The feeds there are: members, cards, balances, programmes and rewards given, for every till; parked entries, for
their store's; leases, for the terminal they are of."""

SUBJECTS = ("account", "card", "programme", "stock", "parked", "lease")
"""What a row of the feed may name."""

SETTLED = "tx < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
"""Rows of transactions below the oldest one still open: no row can appear among or before them any more."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the feed's order: the last row read. The default is before every row."""

    tx: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class Feed:
    """How far back the feed goes: its name, the last place that was dropped, and the first transaction to come."""

    epoch: str
    dropped: Place
    next_tx: int

    def cursor(self, place: Place) -> str:
        """The text that names `place` to tills."""
        return f"{self.epoch}:{place.tx}:{place.position}"

    def place(self, cursor: str) -> Place:
        """The place that `cursor` names ("" for the start), when everything after it is still here.

        Raises:
            Refused: `cursor` when it is none of ours; `feed_epoch` when it was given out before this database was
                restored; `feed_dropped` when changes after it were dropped. The last two ask for a snapshot.
        """
        place = Place()
        if cursor:
            # 18 digits stay below 2^63; a number of ours never has more.
            match = re.fullmatch(r"([0-9a-f]{8}):([0-9]{1,18}):([0-9]{1,18})", cursor)
            if match is None:
                raise Refused(400, "cursor", "expected a cursor that head office gave out, or none for the start")
            place = Place(int(match[2]), int(match[3]))
            # One of ours names a transaction that was over; one of the future was given out by a database that this
            # one is an older copy of.
            if match[1] != self.epoch or place.tx >= self.next_tx:
                raise Refused(410, "feed_epoch", "this cursor is of an earlier feed: take a snapshot")
        if place < self.dropped:
            raise Refused(410, "feed_dropped", "changes after this cursor were dropped by now: take a snapshot")
        return place


def changes(conn: Connection, terminal: str, feed: str, cursor: str, now: datetime | None = None) -> ChangesPage:
    """The next page of `feed` after `cursor` ("" from the start) for `terminal`.

    What changed several times is on the page once. Everything on it is as of one moment (one database snapshot), and
    `includes_seq` is the terminal's watermark at that same moment.

    Args:
        now: head office's time, UTC; the present when None.

    Raises:
        Refused: `unknown_feed`, and as `Feed.place`.
    """
    if feed not in FEEDS:
        raise Refused(404, "unknown_feed", f"expected one of the feeds {', '.join(FEEDS)}")
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # The snapshot is taken by the first statement after SET: everything below sees the same moment.
        epoch, durable_to = watermark(conn, terminal)
        read = read_feed(conn)
        after = read.place(cursor)
        as_of_ms = int((now or datetime.now(UTC)).timestamp() * 1000)
        rows = conn.execute(
            "SELECT tx, position, subject, key, coalesce(terminal_id, %s) = %s FROM feed "
            f"WHERE (tx, position) > (%s, %s) AND {SETTLED} "
            "ORDER BY tx, position LIMIT %s",
            (terminal, terminal, after.tx, after.position, MAX_CHANGES + 1),
        ).fetchall()
        more, rows = len(rows) > MAX_CHANGES, rows[:MAX_CHANGES]
        if rows:
            after = Place(rows[-1][0], rows[-1][1])
        found = _states(conn, terminal, [(subject, key) for _, _, subject, key, ours in rows if ours])
    return ChangesPage(
        changes=found,
        cursor=read.cursor(after),
        more=more,
        epoch=epoch,
        includes_seq=durable_to,
        as_of_ms=as_of_ms,
    )


def watermark(conn: Connection, terminal: str) -> tuple[int, int]:
    """An enrolled terminal's epoch, and up to where its entries are booked."""
    row = conn.execute("SELECT epoch, durable_to FROM stream WHERE terminal_id = %s", (terminal,)).fetchone()
    assert row is not None, "every enrolled terminal has a stream"
    return row[0], row[1]


def read_feed(conn: Connection) -> Feed:
    """How far back the feed goes."""
    row = conn.execute(
        "SELECT feed_epoch, feed_from_tx, feed_from_position, pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
        "FROM head_office"
    ).fetchone()
    assert row is not None, "head office has its one row"
    return Feed(row[0], Place(row[1], row[2]), row[3])


def newest_cursor(conn: Connection) -> str:
    """The cursor of the newest change that may be served now: a till that holds it is up to date."""
    row = conn.execute(
        "SELECT h.feed_epoch, h.feed_from_tx, h.feed_from_position, f.tx, f.position FROM head_office h "
        f"LEFT JOIN LATERAL (SELECT tx, position FROM feed WHERE {SETTLED} ORDER BY tx DESC, position DESC LIMIT 1) f "
        "ON true"
    ).fetchone()
    assert row is not None, "head office has its one row"
    epoch, *places = row
    # An empty feed ends where it was dropped.
    newest = max(Place(*places[:2]), Place(places[2] or 0, places[3] or 0))
    return f"{epoch}:{newest.tx}:{newest.position}"


def _states(conn: Connection, terminal: str, names: Sequence[tuple[str, str]]) -> tuple[Change, ...]:
    """The state of now of each named thing, once each, in the order in which they were last named."""
    last = {name: place for place, name in enumerate(names)}
    keys = {subject: [key for kind, key in last if kind == subject] for subject in SUBJECTS}
    found: dict[tuple[str, str], Change] = {
        **{("account", key): AccountGone(account=key) for key in keys["account"]},
        **{("card", key): CardGone(token=key) for key in keys["card"]},
        **{("account", state.account): state for state in named_accounts(conn, keys["account"])},
        **{("card", state.token): state for state in named_cards(conn, keys["card"])},
    }
    for stock in named_stocks(conn, keys["stock"]):
        found["stock", stock.reward] = stock
    for state in named_programmes(conn, [int(key) for key in keys["programme"]]):
        found["programme", str(state.document["version"])] = state
    for parked in parked_changes(conn, terminal, keys["parked"]) if keys["parked"] else ():
        key = feed_key(parked.terminal, parked.epoch, parked.seq, bytes.fromhex(parked.digest))
        found["parked", key] = parked
    found.update({("lease", lease.id): lease for lease in named_leases(conn, keys["lease"])})
    return tuple(change for _, change in sorted(found.items(), key=lambda pair: last[pair[0]]))
