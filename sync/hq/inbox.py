"""What is decided about parked entries, carried out once: by a store manager's entry, or by head office's own word."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from loyalty.ledger import EntryKind
from loyalty.resolution import Action, Resolution, actions_for
from sync.hq.database import Connection
from sync.hq.errors import HqError
from sync.hq.knowledge import learn
from sync.hq.packing import Uuids
from sync.hq.programmes import Programmes
from sync.hq.received import Code, Parking, park
from sync.hq.undoing import undo
from sync.hq.waiting import KEY, Parked, Word, book, close, judge_again

_CARD_LOCK = 0x5350_4748
"""Advisory lock between parking an unknown card and linking one: whoever comes second sees what the first wrote."""

ATTEMPTS = 6
"""Times that a decision is tried when the database asks for it: it met a batch that books to the same accounts."""

_DONE = {Action.LINK: "linked", Action.APPROVE: "approved", Action.REVERSE: "reversed", Action.REFER: "referred"}


def resolve(conn: Connection, programmes: Programmes, word: Word) -> tuple[Parking | None, list[str]]:
    """Carry a decision out, within the caller's transaction.

    Returns:
        Why it cannot be carried out, or None; and the accounts whose balance it may have moved.
    """
    what = word.what
    if what.action in {Action.LINK, Action.UNDO}:
        # Before the parked entry's own lock, as everybody who links takes them.
        lock_cards(conn)
    found = conn.execute(
        "SELECT p.terminal_id, p.epoch, p.seq, p.digest, p.code, p.raw, p.state, t.store_id "
        f"FROM parked p JOIN terminal t USING (terminal_id) WHERE {KEY} FOR UPDATE OF p",
        (what.terminal, what.epoch, what.seq, bytes.fromhex(what.digest)),
    ).fetchone()
    if found is None:
        return park(Code.RESOLUTION_UNKNOWN, f"nothing is parked as {_place(what)}"), []
    *fields, state, store = found
    parked = Parked(*fields)
    if word.store is not None and store != word.store:
        return park(Code.OTHER_STORE, f"{_place(what)} is of another store: that store or head office decides"), []
    if what.action is Action.UNDO:
        parking, accounts = undo(conn, programmes, word, parked, state)
        if parking is None:
            _note(conn, word)
        return parking, accounts
    if refusal := _refusal(conn, word, parked, state):
        return refusal, []
    match what.action:
        case Action.LINK:
            parking, accounts = _link(conn, programmes, word, parked)
        case Action.APPROVE:
            parking, accounts = _approve(conn, programmes, parked)
        case Action.REVERSE | Action.REFER:
            parking, accounts = None, []
    if parking is None:
        _note(conn, word)
        if what.action is not Action.LINK:
            close(conn, parked.key, _DONE[what.action])
    return parking, accounts


def decide(
    conn: Connection,
    programmes: Programmes,
    place: tuple[str, int, int],
    action: Action,
    *,
    account: str | None,
    reason: str,
    approver: str,
) -> list[str]:
    """Head office's own word on the entry parked as `place` (terminal, epoch, number); the accounts booked to.

    Args:
        conn: a pooled connection, outside any transaction.
        account: for a link, the account that the card belongs to.

    Raises:
        HqError: nothing is parked there, it was decided before, or this cannot be done about it.
    """
    row = conn.execute(
        "SELECT encode(digest, 'hex') FROM parked WHERE terminal_id = %s AND epoch = %s AND seq = %s", place
    ).fetchone()
    if row is None:
        raise HqError(f"nothing is parked as terminal {place[0]}, epoch {place[1]}, number {place[2]}: see hq parked")
    what = Resolution(terminal=place[0], epoch=place[1], seq=place[2], digest=row[0], action=action, account=account)
    retrying = Retrying(
        retry=retry_if_exception_type((SerializationFailure, DeadlockDetected, UniqueViolation)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        reraise=True,
    )
    for attempt in retrying:
        with attempt, conn.transaction():
            parking, accounts = resolve(conn, programmes, Word(what, reason, approver))
    if parking is not None:
        raise HqError(parking.text)
    return accounts


def settle_cards(conn: Connection, programmes: Programmes, tokens: Sequence[str]) -> list[str]:
    """Judge again what is parked for cards that belong to a member now, oldest first; the accounts booked to.

    Call it in the transaction that links the cards, after it linked them.
    """
    lock_cards(conn)
    rows = conn.execute(
        "SELECT terminal_id, epoch, seq, digest, code, raw FROM parked "
        "WHERE card = ANY(%s) AND resolved_at IS NULL AND code = %s ORDER BY parked_at, terminal_id, epoch, seq "
        "FOR UPDATE",
        (list(tokens), Code.UNKNOWN_CARD.value),
    ).fetchall()
    return [account for row in rows if (account := judge_again(conn, programmes, Parked(*row))) is not None]


def settle_returns(conn: Connection, programmes: Programmes, sales: Sequence[UUID] | None = None) -> list[str]:
    """Judge again the returns that came before the sale they belong to, which is booked by now; the accounts booked to.

    Two tills send when they have a line: goods bought at one and brought back to another may arrive in any order.

    Args:
        sales: ids of sales that were just booked, in the caller's transaction; None for whichever are here.
    """
    here = "p.original = ANY(%b)"
    if sales is None:
        here = "EXISTS (SELECT FROM ledger l WHERE l.account_id = p.account_id AND l.entry_id = p.original)"
    rows = conn.execute(
        "SELECT p.terminal_id, p.epoch, p.seq, p.digest, p.code, p.raw FROM parked p "
        f"WHERE p.resolved_at IS NULL AND p.code = 'return_unknown' AND {here} "
        "ORDER BY p.parked_at, p.terminal_id, p.epoch, p.seq FOR UPDATE OF p",
        None if sales is None else (Uuids(sales),),
    ).fetchall()
    return [account for row in rows if (account := judge_again(conn, programmes, Parked(*row))) is not None]


def still_unknown(conn: Connection, tokens: Sequence[str]) -> bool:
    """Whether cards that are about to be parked as unknown are so still, whoever links cards just now.

    Holds off, until the end of the transaction, whoever would link one of them without seeing what is parked.
    """
    conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_CARD_LOCK,))
    return conn.execute("SELECT 1 FROM card WHERE token = ANY(%s)", (list(tokens),)).fetchone() is None


def lock_cards(conn: Connection) -> None:
    """Wait for whoever is parking an unknown card, and hold off who would, until the end of the transaction."""
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_CARD_LOCK,))


def _refusal(conn: Connection, word: Word, parked: Parked, state: str) -> Parking | None:
    """Why a decision about an entry that is here cannot count."""
    what = word.what
    if state not in ("open", "referred") or (state == "referred" and word.store is not None):
        before = conn.execute(
            f"SELECT approver, at FROM resolution WHERE {KEY} ORDER BY number DESC LIMIT 1", parked.key
        ).fetchone()
        who = f" by {before[0]} on {before[1]:%Y-%m-%d %H:%M} UTC" if before else ""
        done = "handed to head office" if state == "referred" else state
        return park(Code.RESOLVED_BEFORE, f"{_place(what)} was {done}{who} before: nothing was done again")
    if what.action not in actions_for(parked.code):
        return park(
            Code.RESOLUTION_REFUSED,
            f"an entry parked as {parked.code} cannot be settled by {what.action.value}: "
            f"choose {' or '.join(sorted(actions_for(parked.code)))}",
        )
    return None


def _link(conn: Connection, programmes: Programmes, word: Word, parked: Parked) -> tuple[Parking | None, list[str]]:
    entry = parked.read().entry
    if entry is None:
        return park(Code.RESOLUTION_REFUSED, "the entry cannot be read, so it names no card to link"), []
    account = word.what.account
    before = "SELECT 1 FROM ledger WHERE account_id = %s AND entry_id = %s"
    if conn.execute(before, (account, UUID(entry.id))).fetchone() is not None:
        text = "it was booked to this member before and taken back: give the points by hand (spaarpunt adjust)"
        return park(Code.RESOLUTION_REFUSED, text), []
    if conn.execute("SELECT 1 FROM account WHERE account_id = %s", (account,)).fetchone() is None:
        return park(Code.RESOLUTION_REFUSED, f"there is no member '{account}' here to link the card to"), []
    conn.execute("INSERT INTO card (token, account_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", (entry.card, account))
    owner = conn.execute("SELECT account_id FROM card WHERE token = %s", (entry.card,)).fetchone()
    if owner != (account,):
        return park(Code.RESOLUTION_REFUSED, "the card belongs to another member already"), []
    conn.execute("INSERT INTO feed (subject, key) VALUES ('account', %s), ('card', %s)", (account, entry.card))
    accounts = settle_cards(conn, programmes, [entry.card])
    if parked.code != Code.UNKNOWN_CARD and (booked := judge_again(conn, programmes, parked)):
        accounts.append(booked)
    return None, accounts


def _approve(conn: Connection, programmes: Programmes, parked: Parked) -> tuple[Parking | None, list[str]]:
    received = parked.read()
    entry = received.entry
    if entry is None or received.entry_id is None:
        return park(Code.RESOLUTION_REFUSED, "the entry cannot be read, so there is nothing to book"), []
    if entry.kind is EntryKind.RESOLUTION:
        return park(Code.RESOLUTION_REFUSED, "a decision about another entry is not booked: decide anew"), []
    account = learn(conn, programmes, [received]).account_of(entry)
    if account is None:
        return park(Code.RESOLUTION_REFUSED, "the card belongs to no member here: link it to one first"), []
    conn.execute("SELECT 1 FROM balance WHERE account_id = %s FOR UPDATE", (account,))
    twice = conn.execute(
        "SELECT 1 FROM ledger WHERE account_id = %s AND (entry_id = %s OR reverses = %s)",
        (account, received.entry_id, received.reverses),
    ).fetchone()
    if twice is not None:
        return park(Code.RESOLUTION_REFUSED, "it is booked already, or takes back what was taken back before"), []
    book(conn, programmes, parked, received, account)
    return None, [account]


def _note(conn: Connection, word: Word) -> None:
    what = word.what
    conn.execute(
        "INSERT INTO resolution (terminal_id, epoch, seq, digest, action, account_id, reason, approver, "
        "by_terminal, by_epoch, by_seq) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            what.terminal,
            what.epoch,
            what.seq,
            bytes.fromhex(what.digest),
            what.action.value,
            what.account,
            word.reason,
            word.approver,
            *(word.by or (None, None, None)),
        ),
    )


def _place(what: Resolution) -> str:
    return f"terminal {what.terminal}, epoch {what.epoch}, number {what.seq}"
