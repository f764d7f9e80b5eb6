"""What customers say at the till beside buying: that they become a member, and their answer to the shop's question.

Both are entries of the journal: on the disk at once, with no line too, and at head office exactly once.
"""

from __future__ import annotations

from collections.abc import Callable

from loyalty.ledger import Entry, EntryKind
from pos_client.drafts import Drafts
from pos_client.reckoning import TillError
from sync.journal import Journal
from sync.mirror import Mirror


class Members:
    """Joins and answers at one till. Safe to call from several threads: the journal writes each of them once."""

    def __init__(self, journal: Journal, mirror: Mirror, drafts: Drafts, on_booked: Callable[[], None]) -> None:
        self._journal = journal
        self._mirror = mirror
        self._drafts = drafts
        self._on_booked = on_booked

    def enrolled(self, card: str) -> bool:
        """Whether a card (token) became a member's at this till."""
        return EntryKind.ENROLMENT in self._journal.find_all(session=_enrolment(card))

    def enrol(self, card: str, language: str) -> Entry:
        """Make the customer with an unknown card (token) a member, who agreed to the terms in `language`.

        Which text that was stands in the entry: the programme's version and the language. Again is the same entry.

        Raises:
            TillError: `member_already`; `no_terms` when the programme has no text to agree to; `no_programme`.
            StoreFull, StoreError: nothing was written.
        """
        if self._mirror.find(card).known:
            raise TillError("member_already", "this card is a member's already")
        entry = self._journal.append(self._drafts.enrolment(_enrolment(card), card, language))
        self._on_booked()
        return entry

    def answer(self, session: str, score: int) -> Entry:
        """Note the answer of the customer of a booked sale, 0 to 10; the first one counts.

        Raises:
            TillError: `unknown_session`: no such sale was booked here.
            StoreFull, StoreError: nothing was written.
        """
        sale = self._journal.find_all(session=session).get(EntryKind.SALE)
        if sale is None:
            raise TillError("unknown_session", "no such sale was booked here: there is nobody to answer")
        entry = self._journal.append(self._drafts.answer(sale, score))
        self._on_booked()
        return entry


def _enrolment(card: str) -> str:
    """The session of a card's enrolment: one for each card, so that it is booked once."""
    return f"enrolment:{card}"
