"""What is known of members beside points, on an operator's word: name, tier, birthday, contacts, PIN, segments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from argon2 import PasswordHasher

from loyalty.cards import CardFormat, CardNumber
from loyalty.contacts import email_hash, phone_hash
from loyalty.errors import CardFormatError
from sync.hq.database import Connection
from sync.hq.errors import HqError, ImportRefused
from sync.hq.programmes import newest

MAX_PROBLEMS = 20
"""Wrong lines named in one refusal; a file with more has one cause, not twenty."""

PIN_DIGITS = range(4, 9)
"""Digits of a PIN: fewer are guessed, more are forgotten."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Argon2id with OWASP's least figures (19 MiB, 2 rounds): a till checks one in some 30 ms. A PIN has few values, so
what protects it is the locked database and the counted tries; the hash only slows a thief of both."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """What naming a segment's members did."""

    segment: str
    members: int
    joined: int
    left: int


def account_of(conn: Connection, card_key: bytes, formats: Sequence[CardFormat], card: str) -> str:
    """The account of a card by its number.

    Raises:
        HqError: not a card number, or linked to nobody.
    """
    try:
        token = CardNumber.parse(card, formats).token(card_key)
    except CardFormatError as error:
        raise HqError(f"card: {error}") from error
    row = conn.execute("SELECT account_id FROM card WHERE token = %s", (token,)).fetchone()
    if row is None:
        raise HqError("this card belongs to no member here: import it first")
    return str(row[0])


def edit(
    conn: Connection,
    account: str,
    *,
    first_name: str | None = None,
    tier: str | None = None,
    birthday: str | None = None,
) -> None:
    """Change what is given; an empty `first_name` or `birthday` takes it away. Tills hear of it in the feed.

    Raises:
        HqError: a tier that the programme in force does not have, a name or birthday that is none.
    """
    if first_name is not None and not fit_name(first_name):
        raise HqError("first name: expected at most 60 printable characters")
    programme = newest(conn)
    tiers = [level.id for level in programme.tiers] if programme else []
    if tier is not None and tiers and tier not in tiers:
        raise HqError(f"tier: expected {' or '.join(tiers)}, got '{tier[:40]}'")
    if birthday:
        check_birthday(birthday)
    with conn.transaction():
        conn.execute("SELECT 1 FROM account WHERE account_id = %s FOR UPDATE", (account,))
        if tier is not None:
            remember(conn, [account], "tier")
            conn.execute("UPDATE account SET tier = %s WHERE account_id = %s", (tier, account))
        if birthday is not None:
            remember(conn, [account], "birthday")
            conn.execute("UPDATE account SET birthday = %s WHERE account_id = %s", (birthday or None, account))
        if first_name is not None:
            conn.execute("UPDATE account SET first_name = %s WHERE account_id = %s", (first_name or None, account))
        tell(conn, [account])


def set_contacts(
    conn: Connection, account: str, card_key: bytes, *, phone: str | None = None, email: str | None = None
) -> None:
    """Change how a member is found, as far as given; empty takes it away. Only keyed hashes are kept.

    Raises:
        HqError: not a phone number, or not an e-mail address.
    """
    try:
        hashes = contact_hashes(card_key, phone=phone or "", email=email or "")
    except ValueError as error:
        raise HqError(str(error)) from error
    with conn.transaction():
        for column, given, hashed in zip(("phone_hash", "email_hash"), (phone, email), hashes, strict=True):
            if given is not None:
                conn.execute(f"UPDATE account SET {column} = %s WHERE account_id = %s".encode(), (hashed, account))
        tell(conn, [account])


def contact_hashes(card_key: bytes, *, phone: str, email: str) -> tuple[str | None, str | None]:
    """The keyed hashes of a phone number and of an e-mail address; None for an empty one.

    Raises:
        ValueError: which of the two is none; it is not repeated.
    """
    try:
        phone_hashed = phone_hash(phone, card_key) if phone else None
    except ValueError as error:
        raise ValueError(f"phone: {error}") from error
    try:
        return phone_hashed, email_hash(email, card_key) if email else None
    except ValueError as error:
        raise ValueError(f"email: {error}") from error


def set_pin(conn: Connection, account: str, pin: str | None) -> None:
    """Give a member a PIN, or take it away; only its hash is kept.

    Raises:
        HqError: not 4 to 8 digits.
    """
    if pin is not None and not (pin.isascii() and pin.isdigit() and len(pin) in PIN_DIGITS):
        raise HqError(f"PIN: expected {PIN_DIGITS.start} to {PIN_DIGITS.stop - 1} digits")
    with conn.transaction():
        conn.execute(
            "INSERT INTO formerly (account_id, fact) SELECT account_id, 'pin' FROM account "
            "WHERE account_id = %s AND pin_hash IS NOT NULL ON CONFLICT DO NOTHING",
            (account,),
        )
        conn.execute(
            "UPDATE account SET pin_hash = %s WHERE account_id = %s",
            (None if pin is None else _HASHER.hash(pin), account),
        )
        tell(conn, [account])


def set_segment(
    conn: Connection, card_key: bytes, formats: Sequence[CardFormat], segment: str, lines: Iterable[str]
) -> Segmented:
    """Make the members of `segment` those of the cards in `lines`, one number a line: who is not named leaves it.

    Raises:
        ImportRefused: each wrong line by its number; nothing was changed.
        HqError: the segment's name is none that a programme can use.
    """
    check_segment(segment)
    problems: list[str] = []
    with conn.transaction():
        conn.execute("CREATE TEMPORARY TABLE named (line bigint, token text) ON COMMIT DROP")
        with conn.cursor().copy("COPY named FROM STDIN") as copy:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    copy.write_row((number, CardNumber.parse(line.strip(), formats).token(card_key)))
                except CardFormatError as error:
                    problems.append(f"line {number}: {error}")
                if len(problems) >= MAX_PROBLEMS:
                    break
        unknown = conn.execute(
            "SELECT line FROM named LEFT JOIN card USING (token) WHERE account_id IS NULL ORDER BY line LIMIT %s",
            (MAX_PROBLEMS,),
        )
        problems += [f"line {line}: this card belongs to no member here" for (line,) in unknown]
        if problems:
            raise ImportRefused(problems[:MAX_PROBLEMS])
        # Who leaves, before who joins: a card named twice joins once.
        left = conn.execute(
            "DELETE FROM segment_member s WHERE segment = %s AND NOT EXISTS "
            "(SELECT FROM named JOIN card c USING (token) WHERE c.account_id = s.account_id) RETURNING account_id",
            (segment,),
        ).fetchall()
        gone = [account for (account,) in left]
        conn.execute(
            "INSERT INTO formerly (account_id, fact) SELECT unnest(%s::text[]), %s ON CONFLICT DO NOTHING",
            (gone, f"segment:{segment}"),
        )
        joined = conn.execute(
            "INSERT INTO segment_member (segment, account_id) SELECT DISTINCT %s, c.account_id "
            "FROM named JOIN card c USING (token) ON CONFLICT DO NOTHING RETURNING account_id",
            (segment,),
        ).fetchall()
        new = [account for (account,) in joined]
        tell(conn, gone + new)
        row = conn.execute("SELECT count(*) FROM segment_member WHERE segment = %s", (segment,)).fetchone()
        assert row is not None
        return Segmented(segment, row[0], len(new), len(gone))


def segments(conn: Connection) -> dict[str, int]:
    """How many members each segment has."""
    rows = conn.execute("SELECT segment, count(*) FROM segment_member GROUP BY segment ORDER BY segment")
    return dict(rows.fetchall())


def remember(conn: Connection, accounts: Sequence[str], column: str) -> None:
    """Keep what `column` ("tier" or "birthday") says of these accounts now, before it is changed."""
    assert column in {"tier", "birthday"}
    conn.execute(
        f"INSERT INTO formerly (account_id, fact) SELECT account_id, '{column}:' || {column} FROM account "
        f"WHERE account_id = ANY(%s) AND {column} IS NOT NULL ON CONFLICT DO NOTHING",
        (list(accounts),),
    )


def tell(conn: Connection, accounts: Sequence[str]) -> None:
    """Let tills hear of these accounts."""
    conn.execute("INSERT INTO feed (subject, key) SELECT 'account', unnest(%s::text[])", (list(accounts),))


def fit_name(text: str) -> bool:
    """Whether `text` can be a first name, or none."""
    return len(text) <= 60 and text.isprintable()


def check_birthday(text: str) -> None:
    """Check that `text` is a month and day such as "11-24"; "02-29" is one.

    Raises:
        HqError: it is not; the text is not repeated.
    """
    try:
        if not re.fullmatch(r"[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        date(2000, int(text[:2]), int(text[3:]))  # a leap year
    except ValueError as error:
        raise HqError("birthday: expected month and day such as 11-24, no year") from error


def check_segment(name: str) -> None:
    """Check that a programme can name the segment.

    Raises:
        HqError: it cannot.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", name):
        raise HqError("segment: expected up to 40 small letters, digits and dashes")
