"""Rewards of which there are so many in the whole chain: counted as they are booked, told to tills, looked at.

A reward that was given is given: tills that had not heard of one another may give more than there were, and that is
booked and shown, never parked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from loyalty.ledger import Entry
from sync.hq.database import Connection
from sync.hq.programmes import Programmes
from sync.hq.received import Received


@dataclass(frozen=True, slots=True)
class Stock:
    """A reward with a stock, by the programme in force."""

    reward: str
    stock: int
    given: int

    @property
    def left(self) -> int:
        """How many may still be given."""
        return max(0, self.stock - self.given)

    @property
    def over(self) -> int:
        """How many more were given than there were."""
        return max(0, self.given - self.stock)


def count(conn: Connection, programmes: Programmes, booked: Iterable[tuple[Received, str]]) -> None:
    """Count the rewards with a stock that booked sales gave; a void brings them back, a return does not."""
    given: Counter[str] = Counter()
    for received, _ in booked:
        entry = received.read
        if not isinstance(entry, Entry) or not entry.settlement.redemptions:
            continue
        programme = programmes.get(conn, entry.programme_version)
        for redemption in entry.settlement.redemptions:
            benefit = programme.reward(redemption.reward) if programme else None
            if benefit is not None and benefit.stock is not None:
                given[redemption.reward] += received.sign
    moved = [(reward, number) for reward, number in sorted(given.items()) if number]
    if not moved:
        return
    # After the balances and in order of name: everybody who books locks these rows last, and in this order.
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO reward_given (reward, given) VALUES (%s, %s) "
            "ON CONFLICT (reward) DO UPDATE SET given = reward_given.given + excluded.given",
            moved,
        )
        cursor.executemany("INSERT INTO feed (subject, key) VALUES ('stock', %s)", [(reward,) for reward, _ in moved])


def stocks(conn: Connection, programmes: Programmes) -> tuple[Stock, ...]:
    """Every reward with a stock in the programme in force, and how many were given."""
    programme = programmes.newest(conn)
    given: dict[str, int] = dict(conn.execute("SELECT reward, given FROM reward_given").fetchall())
    benefits = programme.compiled.benefits.values() if programme else ()
    return tuple(
        Stock(benefit.id, benefit.stock, given.get(benefit.id, 0)) for benefit in benefits if benefit.stock is not None
    )
