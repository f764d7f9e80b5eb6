"""Accounts, cards and programmes as they are now, as tills hear of them: what the feed and the snapshot both say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sync.hq.database import Connection
from sync.wire_mirror import AccountChange, CardChange, ProgrammeChange, StockChange

COUNTERS = (
    "coalesce((SELECT jsonb_object_agg(name, count) FROM counter c WHERE c.account_id = b.account_id AND count <> 0), "
    "'{}')"
)
"""What is counted of the account of a balance `b`, as a JSON object."""

PENDING = (
    "least(greatest(b.points, 0), coalesce((SELECT sum(greatest(v.points, 0)) FROM vesting v "
    "WHERE v.account_id = b.account_id AND v.vests_on > (now() AT TIME ZONE 'UTC')::date), 0))::bigint"
)
"""Points of a balance `b` that cannot be spent yet: never more than there are, since what is owed is paid first."""

NAMED_BALANCES = (
    "SELECT account_id, b.points, c.counters, least(greatest(b.points, 0), coalesce(v.waiting, 0))::bigint, "
    "x.expires_on, x.points FROM balance b "
    "LEFT JOIN (SELECT account_id, jsonb_object_agg(name, count) AS counters FROM counter "
    "WHERE account_id = ANY(%(accounts)b) AND count <> 0 GROUP BY 1) c USING (account_id) "
    "LEFT JOIN (SELECT account_id, sum(greatest(points, 0)) AS waiting FROM vesting "
    "WHERE account_id = ANY(%(accounts)b) AND vests_on > (now() AT TIME ZONE 'UTC')::date GROUP BY 1) v "
    "USING (account_id) LEFT JOIN expiring x USING (account_id) "
    "WHERE account_id = ANY(%(accounts)b) ORDER BY account_id"
)
"""Balances of `accounts` with what `COUNTERS` and `PENDING` say, for hundreds at once: joined, since of most members
nothing is counted and nothing waits, and asking that for each takes half as long again."""

_ACCOUNTS = (
    f"SELECT a.account_id, a.first_name, a.tier, coalesce(b.points, 0), nullif({COUNTERS}, '{{}}'), "
    f"coalesce({PENDING}, 0), "
    "a.birthday, a.pin_hash, a.phone_hash, a.email_hash, "
    "ARRAY(SELECT segment FROM segment_member s WHERE s.account_id = a.account_id ORDER BY segment), "
    "x.expires_on, x.points, "
    "NOT EXISTS (SELECT FROM ledger l WHERE l.account_id = a.account_id AND l.kind IN ('sale', 'opening')) "
    "FROM account a LEFT JOIN balance b USING (account_id) LEFT JOIN expiring x USING (account_id) "
)
_CARDS = "SELECT token, account_id, blocked FROM card "
_PROGRAMMES = "SELECT document FROM programme "


def named_accounts(conn: Connection, names: Sequence[str]) -> Iterator[AccountChange]:
    """The accounts of these ids that there are, in any order."""
    return _accounts(conn, "WHERE a.account_id = ANY(%s)", list(names)) if names else iter(())


def accounts_after(conn: Connection, name: str, most: int) -> list[AccountChange]:
    """The next `most` accounts above `name`, by the bytes of their ids."""
    where = 'WHERE a.account_id COLLATE "C" > %s ORDER BY a.account_id COLLATE "C" LIMIT %s'
    return list(_accounts(conn, where, name, most))


def named_cards(conn: Connection, tokens: Sequence[str]) -> Iterator[CardChange]:
    """The cards of these tokens that there are, in any order."""
    return _cards(conn, "WHERE token = ANY(%s)", list(tokens)) if tokens else iter(())


def cards_after(conn: Connection, token: str, most: int) -> list[CardChange]:
    """The next `most` cards above `token`."""
    return list(_cards(conn, 'WHERE token COLLATE "C" > %s ORDER BY token COLLATE "C" LIMIT %s', token, most))


def named_programmes(conn: Connection, versions: Sequence[int]) -> Iterator[ProgrammeChange]:
    """The programmes of these versions that there are, in any order."""
    return _programmes(conn, "WHERE version = ANY(%s)", list(versions)) if versions else iter(())


def programmes_after(conn: Connection, version: int, most: int) -> list[ProgrammeChange]:
    """The next `most` programmes above `version`."""
    return list(_programmes(conn, "WHERE version > %s ORDER BY version LIMIT %s", version, most))


def named_stocks(conn: Connection, rewards: Sequence[str]) -> list[StockChange]:
    """What was given of these rewards."""
    if not rewards:
        return []
    rows = conn.execute("SELECT reward, given FROM reward_given WHERE reward = ANY(%s)", (list(rewards),))
    return [StockChange(reward=reward, given=given) for reward, given in rows]


def all_stocks(conn: Connection) -> list[StockChange]:
    """What was given of every reward that ever had a stock: some tens in the life of a chain."""
    rows = conn.execute("SELECT reward, given FROM reward_given ORDER BY reward")
    return [StockChange(reward=reward, given=given) for reward, given in rows]


def _accounts(conn: Connection, where: str, *values: object) -> Iterator[AccountChange]:
    for account, *state in conn.execute((_ACCOUNTS + where).encode(), values).fetchall():
        first_name, tier, points, counters, pending, birthday, pin, phone, email, segments, *rest = state
        expires_on, expiring, first = rest
        yield AccountChange(
            account=account,
            first_name=first_name,
            tier=tier,
            points=points,
            counters=counters or {},  # most members have none: parsing JSON for each would be a third of the work
            first_purchase=first,
            pending=pending,
            birthday=birthday,
            segments=tuple(segments),
            pin=pin,
            phone=phone,
            email=email,
            expires_on=expires_on if expiring else None,
            expiring=expiring or 0,
        )


def _cards(conn: Connection, where: str, *values: object) -> Iterator[CardChange]:
    for token, account, blocked in conn.execute((_CARDS + where).encode(), values).fetchall():
        yield CardChange(token=token, account=account, blocked=blocked)


def _programmes(conn: Connection, where: str, *values: object) -> Iterator[ProgrammeChange]:
    for (document,) in conn.execute((_PROGRAMMES + where).encode(), values):
        yield ProgrammeChange(document=document)
