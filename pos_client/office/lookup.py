"""Look-ups by card, phone number, e-mail address or receipt: one box that takes anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from drivers.recognition.guard import classify_digits
from loyalty.cards import CardFormat, CardNumber
from loyalty.contacts import email_hash, phone_hash
from loyalty.errors import CardFormatError
from loyalty.ledger import Entry
from pos_client.reckoning import TillError, card_patterns
from sync.mirror import Holder, Mirror
from sync.store import Store

MAX_TEXT = 256
"""Characters of what is looked up: longer is something pasted by mistake."""
MAX_FOUND = 20
"""People that are shown for one phone number: more is an office switchboard."""


class Kind(StrEnum):
    """What a text was taken for."""

    CARD = "card"
    PHONE = "phone"
    EMAIL = "email"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Person:
    """A member, or a card of nobody, as this till knows them. `cards`: token and whether it is blocked."""

    holder: Holder
    cards: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look-up found. `shown`: the text, masked when it was a card."""

    kind: Kind
    shown: str
    people: tuple[Person, ...]
    receipt: Entry | None = None


class Lookup:
    """Answers from the mirror and the journal of this till, with or without a network."""

    def __init__(self, store: Store, card_key: bytes, formats: Sequence[CardFormat]) -> None:
        self._store = store
        self._mirror = Mirror(store)
        self._card_key = card_key
        self._formats = tuple(formats)
        self._patterns = card_patterns(formats)

    def find(self, text: str) -> Finding:
        """Whoever `text` leads to: nobody is an answer too, and so is a card that is well formed and unknown here.

        Raises:
            TillError: `payment_card`: nothing of it is kept or repeated; `not_found`: it is none of the four.
        """
        text = text.strip()[: MAX_TEXT + 1]
        if classify_digits(text, self._patterns) == "payment":
            raise TillError(
                "payment_card",
                "this is a bank card's number: it was not looked up and not kept; use the loyalty card's number",
            )
        if receipt := self.receipt(text):
            return Finding(Kind.RECEIPT, text, (self._by_card(receipt.card),), receipt)
        if "@" in text:
            return self._by_contact(Kind.EMAIL, text)
        try:
            number = CardNumber.parse(text, self._formats)
        except CardFormatError as error:
            if re.fullmatch(r"[0-9 .()/+-]{8,24}", text) and not _like_a_card(text, self._formats):
                return self._by_contact(Kind.PHONE, text)
            raise TillError(
                "not_found", f"neither a receipt of this till, an address, a phone number nor a card: {error}"
            ) from error
        return Finding(Kind.CARD, str(number), (self._by_card(number.token(self._card_key)),))

    def person(self, card: str) -> Person:
        """Who holds the card with token `card`."""
        return self._by_card(card)

    def receipt(self, text: str) -> Entry | None:
        """The entry that a receipt of this till names, by its own id or by the session it closes; None for none."""
        row = self._store.row("SELECT raw FROM journal WHERE id = ?", (text.lower(),)) or self._store.row(
            "SELECT raw FROM journal WHERE session = ? ORDER BY epoch, seq LIMIT 1", (text,)
        )
        return Entry.decode(row[0]) if row else None

    def _by_contact(self, kind: Kind, text: str) -> Finding:
        hashed, of = (email_hash, "email") if kind is Kind.EMAIL else (phone_hash, "phone")
        try:
            key = hashed(text, self._card_key)
        except ValueError as error:
            raise TillError("not_found", str(error)) from error
        rows = self._store.rows(
            f"SELECT min(c.token) FROM register r JOIN account a ON a.account = r.value AND a.{of}_hash = r.key "  # noqa: S608
            "JOIN register o ON o.kind = 'card' AND o.key = a.account "
            "JOIN card c ON c.token = o.value AND c.account = o.key "
            "WHERE r.kind = ? AND r.key = ? GROUP BY a.account ORDER BY a.first_name LIMIT ?",
            (of, key, MAX_FOUND),
        )
        return Finding(kind, text, tuple(self._by_card(token) for (token,) in rows))

    def _by_card(self, card: str) -> Person:
        holder = self._mirror.find(card)
        if holder.account is None:
            return Person(holder, ((card, False),))
        # What the register says is so while a snapshot is under way too: the card itself is asked.
        rows = self._store.rows(
            "SELECT token, blocked FROM register JOIN card ON token = value AND account = key "
            "WHERE kind = 'card' AND key = ? ORDER BY token",
            (holder.account,),
        )
        return Person(holder, tuple((token, bool(blocked)) for token, blocked in rows))


def _like_a_card(text: str, formats: Sequence[CardFormat]) -> bool:
    """Whether a text that is no card begins and is as long as one: a typing error, not somebody's phone."""
    compact = re.sub(r"[ -]", "", text)
    return any(compact.startswith(form.prefix) and len(compact) == form.length for form in formats)
