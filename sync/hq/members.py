"""Members and their cards: imported from a file, all of it or nothing; found by card."""

from __future__ import annotations

import csv
import re
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.errors import UniqueViolation

from loyalty.cards import CardFormat, CardNumber
from loyalty.errors import CardFormatError
from sync.hq.database import Connection
from sync.hq.errors import HqError, ImportRefused
from sync.hq.inbox import lock_cards, settle_cards
from sync.hq.profiles import MAX_PROBLEMS, check_birthday, check_segment, contact_hashes, fit_name
from sync.hq.programmes import Programmes, newest

COLUMNS = ("card_number", "first_name", "tier", "points")
"""The header of a members file, in any order."""

MORE_COLUMNS = ("birthday", "segments", "phone", "email")
"""Columns that may be there too: month and day as 11-24; the names of segments with spaces between them; a phone number
and an e-mail address, of which only keyed hashes are stored."""

MAX_SEGMENTS = 50
"""Segments of one member: more is a column in the wrong place."""

MAX_OPENING_POINTS = 10**9
"""An opening balance above this is a column in the wrong place."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as found by a card. Points as booked at head office."""

    account: str
    first_name: str | None
    tier: str
    points: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    members: int
    points: int


def import_members(
    conn: Connection,
    card_key: bytes,
    formats: Sequence[CardFormat],
    lines: Iterable[str],
    *,
    today: date,
) -> Imported:
    """Import a members file: one account with one card a row, opening points booked in the ledger.

    Card numbers become tokens at once, phone numbers and e-mail addresses keyed hashes; none of them is stored.
    What was parked because a card was unknown is judged again.

    Args:
        card_key: 32 bytes; `Database.keys.card`.
        lines: CSV with a header of `COLUMNS` and any of `MORE_COLUMNS`; an empty cell is none, empty points are 0.
        today: business date of the opening bookings.

    Raises:
        ImportRefused: each wrong row by line number; a card number that is here already is one. Nothing was imported.
    """
    programme = newest(conn)
    tiers = None if programme is None else frozenset(tier.id for tier in programme.tiers)
    problems: list[str] = []
    with conn.transaction():
        conn.execute(
            "CREATE TEMPORARY TABLE newcomer (line bigint, token text, account_id text, first_name text, tier text, "
            "points bigint, birthday text, segments text[], phone_hash text, email_hash text, entry_id uuid) "
            "ON COMMIT DROP"
        )
        with conn.cursor().copy("COPY newcomer FROM STDIN") as copy:
            for row in _rows(lines, card_key, formats, tiers=tiers, problems=problems):
                copy.write_row(row)
        if not problems:
            problems = _doubles(conn)
        if problems:
            raise ImportRefused(problems)
        try:
            done = _insert(conn, today)
            lock_cards(conn)  # before looking what is parked: what is parked after this sees the new cards
            tokens = conn.execute(
                "SELECT DISTINCT token FROM newcomer JOIN parked ON card = token WHERE resolved_at IS NULL"
            ).fetchall()
            settle_cards(conn, Programmes(), [token for (token,) in tokens])
            return done
        except UniqueViolation as error:
            raise ImportRefused(["another import of the same cards ran at the same time: look with `find`"]) from error


def find(conn: Connection, token: str) -> Member | None:
    """The member of the card with `token`, or None for a card that is linked to nobody."""
    row = conn.execute(
        "SELECT a.account_id, a.first_name, a.tier, coalesce(b.points, 0), c.blocked FROM card c "
        "JOIN account a USING (account_id) LEFT JOIN balance b USING (account_id) WHERE c.token = %s",
        (token,),
    ).fetchone()
    return None if row is None else Member(*row)


def _rows(
    lines: Iterable[str],
    card_key: bytes,
    formats: Sequence[CardFormat],
    *,
    tiers: frozenset[str] | None,
    problems: list[str],
) -> Iterator[tuple[object, ...]]:
    """The rows to copy; what is wrong goes to `problems`, and reading stops after `MAX_PROBLEMS`."""
    reader = csv.reader(lines, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) != len(header) or not set(COLUMNS) <= set(header) <= {*COLUMNS, *MORE_COLUMNS}:
            shown = ",".join(header)[:80]
            problems.append(
                f"line 1: expected the header {','.join(COLUMNS)} (and {' or '.join(MORE_COLUMNS)}), got '{shown}'"
            )
            return
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                problems.append(f"line {reader.line_num}: expected {len(header)} columns, got {len(cells)}")
            else:
                row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
                try:
                    yield (reader.line_num, *_newcomer(row, card_key, formats, tiers))
                except (ValueError, HqError) as error:
                    problems.append(f"line {reader.line_num}: {error}")
            if len(problems) >= MAX_PROBLEMS:
                problems.append("more lines may be wrong; these come first")
                return
    except csv.Error as error:
        problems.append(f"line {reader.line_num}: not CSV: {error}")
    except UnicodeDecodeError:
        problems.append(f"line {reader.line_num + 1}: expected UTF-8 text")


def _newcomer(
    row: Mapping[str, str], card_key: bytes, formats: Sequence[CardFormat], tiers: frozenset[str] | None
) -> tuple[object, ...]:
    number, first_name, tier, points = (row[name] for name in COLUMNS)
    birthday, segments = row.get("birthday", ""), row.get("segments", "").split()
    try:
        token = CardNumber.parse(number, formats).token(card_key)
    except CardFormatError as error:
        raise ValueError(f"card_number: {error}") from error
    if not fit_name(first_name):
        raise ValueError("first_name: expected at most 60 printable characters")
    if birthday:
        check_birthday(birthday)
    if len(segments) > MAX_SEGMENTS:
        raise ValueError(f"segments: expected at most {MAX_SEGMENTS}, got {len(segments)}")
    for segment in segments:
        check_segment(segment)
    if tiers is not None and tier not in tiers:
        raise ValueError(f"tier: expected {' or '.join(sorted(tiers))}, got '{_shown(tier)}'")
    if not tier or len(tier) > 40 or not tier.isprintable():
        raise ValueError("tier: expected 1 to 40 printable characters")
    if points and not re.fullmatch(r"-?[0-9]{1,10}", points):
        raise ValueError(f"points: expected a whole number, got '{_shown(points)}'")
    opening = int(points or "0")
    if abs(opening) > MAX_OPENING_POINTS:
        raise ValueError(f"points: expected at most {MAX_OPENING_POINTS}, got {opening}")
    contacts = contact_hashes(card_key, phone=row.get("phone", ""), email=row.get("email", ""))
    account = f"m{secrets.token_hex(8)}"
    profile = (first_name or None, tier, opening, birthday or None, sorted(set(segments)))
    return token, account, *profile, *contacts, uuid.uuid4()


def _shown(cell: str) -> str:
    """A cell fit to be shown: with columns in the wrong place it may hold a card number, so no long digit runs."""
    clean = "".join(char if char.isprintable() else "�" for char in cell)
    digits = sum(char.isdigit() for char in clean)
    return "…" if digits > 8 else clean[:20]


def _doubles(conn: Connection) -> list[str]:
    """Cards that the file names twice, or that are here already."""
    rows = conn.execute(
        "SELECT line, first_line FROM (SELECT line, min(line) OVER (PARTITION BY token) AS first_line FROM newcomer) n "
        "WHERE line > first_line ORDER BY line LIMIT %s",
        (MAX_PROBLEMS,),
    ).fetchall()
    problems = [f"line {line}: the card of line {first_line} again" for line, first_line in rows]
    rows = conn.execute(
        "SELECT n.line FROM newcomer n JOIN card c USING (token) ORDER BY n.line LIMIT %s", (MAX_PROBLEMS,)
    ).fetchall()
    return [*problems, *(f"line {line}: this card belongs to a member already" for (line,) in rows)][:MAX_PROBLEMS]


def _insert(conn: Connection, today: date) -> Imported:
    conn.execute(
        "INSERT INTO account (account_id, first_name, tier, birthday, phone_hash, email_hash) "
        "SELECT account_id, first_name, tier, birthday, phone_hash, email_hash FROM newcomer"
    )
    conn.execute("INSERT INTO segment_member (account_id, segment) SELECT account_id, unnest(segments) FROM newcomer")
    conn.execute("INSERT INTO card (token, account_id) SELECT token, account_id FROM newcomer")
    conn.execute("INSERT INTO balance (account_id, points) SELECT account_id, points FROM newcomer")
    conn.execute(
        "INSERT INTO ledger (account_id, entry_id, kind, business_date, points, points_earned, points_spent) "
        "SELECT account_id, entry_id, 'opening', %s, points, points, 0 FROM newcomer WHERE points <> 0",
        (today,),
    )
    conn.execute(
        "INSERT INTO feed (subject, key) SELECT subject, key FROM newcomer, "
        "LATERAL (VALUES ('account', account_id), ('card', token)) AS v (subject, key) ORDER BY line"
    )
    row = conn.execute("SELECT count(*), coalesce(sum(points), 0)::bigint FROM newcomer").fetchone()
    assert row is not None
    return Imported(*row)
