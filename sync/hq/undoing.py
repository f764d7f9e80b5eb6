"""A decision about a parked entry taken back on a manager's word, as long as what it did can be undone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from loyalty.ledger import Entry, EntryKind
from loyalty.resolution import Action
from sync.hq.booking import Verdict, post
from sync.hq.database import Connection
from sync.hq.programmes import Programmes
from sync.hq.received import Code, Parking, Received, park
from sync.hq.waiting import KEY, Parked, Word, close, judge_again, tell

_WAITED_FOR = frozenset({Code.UNKNOWN_CARD, Code.RETURN_UNKNOWN})
"""Parked for these, entries are judged again by themselves: what they waited for may have come meanwhile."""


class _Stands(Exception):
    """The decision cannot be taken back; the text says why, and what to do. Nothing was written."""


def undo(
    conn: Connection, programmes: Programmes, word: Word, parked: Parked, state: str
) -> tuple[Parking | None, list[str]]:
    """Take the last decision about `parked` back. Within the transaction that takes the entry which says so.

    The caller holds the lock on cards and the one on the parked entry. What was booked is taken back by voids, whose
    bytes are those of the manager's entry; a sale that was approved and taken back is done with.

    Returns:
        Why it cannot be done, or None; and the accounts whose balance it may have moved.
    """
    last = conn.execute(
        f"SELECT action, approver, by_terminal, account_id FROM resolution WHERE {KEY} ORDER BY number DESC LIMIT 1",
        parked.key,
    ).fetchone()
    try:
        if last is None:
            raise _Stands("nothing was decided about this entry that could be taken back")
        action, approver, terminal, account = last
        if terminal is None:
            raise _Stands(f"head office ({approver}) decided about this entry: ask there")
        if action != word.what.undoes:
            raise _Stands(f"the last word on this entry is {action} by {approver}: look at the list again")
        if action == Action.REFER and (word.by is None or terminal != word.by[0]):
            raise _Stands(f"{approver} handed this entry to head office, which decides: ask there")
        if action == Action.REFER and state != "referred":
            raise _Stands("it was booked meanwhile, since its card is known now: it waits for nobody any more")
        if action == Action.APPROVE:
            return None, _not_booked(conn, programmes, word, parked)
        if action == Action.LINK and (state != "linked" or parked.code != Code.UNKNOWN_CARD):
            raise _Stands("this entry waited for more than its card: put points right by hand (spaarpunt adjust)")
        if action == Action.LINK:
            return None, _not_linked(conn, programmes, word, parked, account)
        return None, _waits_again(conn, programmes, parked)
    except _Stands as why:
        return park(Code.RESOLUTION_REFUSED, str(why)), []


def _waits_again(conn: Connection, programmes: Programmes, parked: Parked) -> list[str]:
    _reopen(conn, [parked.key])
    account = judge_again(conn, programmes, parked) if parked.code in _WAITED_FOR else None
    return [] if account is None else [account]


def _not_booked(conn: Connection, programmes: Programmes, word: Word, parked: Parked) -> list[str]:
    row = conn.execute(f"SELECT account_id FROM parked WHERE {KEY}", parked.key).fetchone()
    assert row is not None, "the caller has it locked"
    _take_back(conn, programmes, word, row[0], [_entry(parked)])
    close(conn, parked.key, "reversed")
    return [row[0]]


def _not_linked(conn: Connection, programmes: Programmes, word: Word, parked: Parked, account: str) -> list[str]:
    """Take the card from the member, and back what was booked because of it; all of that waits for the card again."""
    card = _entry(parked).card
    owner = conn.execute("SELECT account_id FROM card WHERE token = %s FOR UPDATE", (card,)).fetchone()
    if owner != (account,):
        raise _Stands("the card was given to another member since: nothing of it is left to take back")
    rows = conn.execute(
        "SELECT terminal_id, epoch, seq, digest, code, raw FROM parked "
        "WHERE card = %s AND account_id = %s AND state = 'linked' AND code = %s "
        "ORDER BY terminal_id, epoch, seq, digest FOR UPDATE",
        (card, account, Code.UNKNOWN_CARD.value),
    ).fetchall()
    linked = [Parked(*row) for row in rows]
    others = conn.execute(
        "SELECT 1 FROM ledger WHERE account_id = %s AND card = %s AND NOT digest = ANY(%s) LIMIT 1",
        (account, card, [one.digest for one in linked]),
    ).fetchone()
    if others is not None:
        raise _Stands("the card was used since it was linked: put points right by hand (spaarpunt adjust)")
    _take_back(conn, programmes, word, account, [_entry(one) for one in linked])
    conn.execute("DELETE FROM card WHERE token = %s", (card,))
    conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s), ('card', %s)", (account, card))
    _reopen(conn, [one.key for one in linked])
    return [account]


def _take_back(conn: Connection, programmes: Programmes, word: Word, account: str, entries: Sequence[Entry]) -> None:
    """Void these bookings of `account`.

    Raises:
        _Stands: something was built upon them, or they are no sales.
    """
    row = conn.execute("SELECT points FROM balance WHERE account_id = %s FOR UPDATE", (account,)).fetchone()
    ids = [uuid.UUID(entry.id) for entry in entries]
    if any(entry.kind is not EntryKind.SALE for entry in entries):
        raise _Stands("only sales are taken back here: give or take the points by hand (spaarpunt adjust)")
    came = conn.execute(
        "SELECT 1 FROM ledger WHERE account_id = %s AND (reverses = ANY(%s) OR original = ANY(%s)) LIMIT 1",
        (account, ids, ids),
    ).fetchone()
    if came is not None:
        raise _Stands("it was undone since, or goods of it came back: put the rest right by hand (spaarpunt adjust)")
    wanted = sum(entry.points for entry in entries)
    if wanted > (row[0] if row else 0):
        raise _Stands(f"its {wanted} points were spent since: it stands")
    assert word.by is not None, "head office's own word takes nothing back"
    assert word.received is not None
    terminal, epoch, _ = word.by
    verdicts: list[Verdict] = [(_void(word.received, entry), account, None) for entry in entries]
    post(conn, programmes, terminal, epoch, verdicts, now=datetime.now(UTC))


def _entry(parked: Parked) -> Entry:
    entry = parked.read().entry
    assert entry is not None, "what was booked can be read"
    return entry


def _void(word: Received, sale: Entry) -> Received:
    """What takes `sale` back, under the number and with the bytes of the manager's entry `word`."""
    assert word.entry_id is not None, "an entry that was read has its id"
    name = uuid.uuid5(word.entry_id, sale.id)
    back = sale.model_copy(
        update={
            "id": str(name),
            "kind": EntryKind.VOID,
            "points": -sale.points,
            "reverses": sale.id,
            "authority": (),
            "serving": None,
        }
    )
    settled = sale.settlement
    return Received(
        word.seq,
        word.raw,
        word.digest,
        word.business_date,
        back,
        name,
        uuid.UUID(sale.id),
        earned=-settled.points_earned,
        spent=-settled.points_spent,
        sign=-1,
    )


def _reopen(conn: Connection, keys: Sequence[tuple[str, int, int, bytes]]) -> None:
    for key in keys:
        conn.execute(
            f"UPDATE parked SET state = 'open', resolved_at = NULL, "
            f"account_id = CASE WHEN code = '{Code.UNKNOWN_CARD}' THEN NULL ELSE account_id END WHERE {KEY}",
            key,
        )
        conn.execute(
            f"UPDATE received SET parked = true, account_id = (SELECT account_id FROM parked WHERE {KEY}) WHERE {KEY}",
            (*key, *key),
        )
        tell(conn, key)
