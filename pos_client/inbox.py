"""The store manager's inbox: what head office did not book, why in plain words, and what is decided about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loyalty.ledger import Entry, EntryKind
from loyalty.resolution import NO_CARD, Action, Resolution, actions_for
from pos_client.drafts import Drafts
from pos_client.i18n import mark, translator
from pos_client.reckoning import Reckoning, TillError
from sync.inbox import DecidedBefore, Parked, ParkedEntry
from sync.journal import Also, Journal
from sync.store import Store
from sync.terminal import wall_ms
from sync.wire_mirror import ParkedState

_OTHER = mark("Head office did not book this, for a reason that this till's software does not know. Ask head office.")

_REASONS: Mapping[str, str] = {
    "unreadable": mark("Head office cannot read this entry. Its software may be older than the till's: hand it over."),
    "misnumbered": mark("This entry carries the number of another. Hand it to head office."),
    "unknown_card": mark("Nobody has this card yet. Link it to the member it belongs to, and the points are booked."),
    "unknown_programme": mark("The till sold by a programme version that head office never published."),
    "accrual_differs": mark("Head office works out other points for this basket than the till gave."),
    "id_twice": mark("This entry is booked already. There is nothing left to book."),
    "void_unknown": mark("The sale that was undone here is not booked at head office."),
    "void_twice": mark("This sale was undone before. There is nothing left to undo."),
    "void_returned": mark("Goods of this sale came back before it was undone."),
    "return_unknown": mark("The sale that these goods came back from is not booked for this member."),
    "return_voided": mark("Goods came back from a sale that was undone as a whole."),
    "return_refused": mark("More goods came back than were bought, counted over all tills."),
    "coupon_used": mark("The coupon on this sale was used before, at another till."),
    "stream_conflict": mark(
        "This till or its disk was copied or put back. See by the receipt whether this sale was made."
    ),
    "server_fault": mark("Head office failed on this entry again and again. Try to book it now, or hand it over."),
    "resolution_unknown": mark("A decision about an entry that does not wait at head office. Nothing was done."),
    "resolved_before": mark("Somebody else had decided about this entry before. Nothing was done again."),
    "resolution_refused": mark("A decision that head office could not carry out. Decide about the entry anew."),
    "other_store": mark("A decision about an entry of another store. Nothing was done."),
}
"""By the code that head office parked an entry with."""

MAX_REASON = 200
"""Characters of a reason: what an entry holds."""


@dataclass(frozen=True, slots=True)
class Item:
    """A parked entry with its reason in the till's language, and what a manager may do about it now."""

    entry: ParkedEntry
    reason: str
    actions: tuple[Action, ...]


class Inbox:
    """Answers from the mirror, with or without a network; a decision is an entry of the till's journal."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        reckoning: Reckoning,
        *,
        language: str,
        on_booked: Callable[[], None] = lambda: None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._parked = Parked(store)
        self._journal = journal
        self._reckoning = reckoning
        self._drafts = Drafts(store, journal, reckoning, now_ms)
        self._language = language
        self._on_booked = on_booked

    def items(self, *, everything: bool = False) -> list[Item]:
        """What waits, oldest first; with `everything` also what was decided about in the last 90 days."""
        return [item_of(entry, self._language) for entry in self._parked.entries(everything=everything)]

    def decide(
        self,
        decision_id: str,
        number: int,
        action: Action,
        *,
        reason: str,
        approver: str,
        card_text: str | None = None,
        also: Also | None = None,
    ) -> Entry:
        """Journal a decision about the parked entry `number`; it goes to head office with the next exchange.

        Args:
            decision_id: the same id again is the same decision.
            card_text: for a link, a card of the member that the entry's card belongs to.
            also: written in the same transaction, when this call is the one that decides.

        Raises:
            TillError: `parked_unknown`, `decided_before`, `action_refused` (not for this reason), `undo_refused`
                (nothing that could be taken back), `member_unknown`, `decision_incomplete` (no reason, no approver, no
                card for a link).
            CardFormatError, CredentialRefused: not a card.
            StoreFull, StoreError: nothing was booked.
        """
        if done := self._journal.find_all(session=decision_id).get(EntryKind.RESOLUTION):
            return done
        if not 0 < len(reason.strip()) <= MAX_REASON or not approver.strip():
            raise TillError("decision_incomplete", f"expected a reason of 1 to {MAX_REASON} characters, and a manager")
        entry = self._parked.find(number)
        if entry is None:
            raise TillError("parked_unknown", f"no entry {number} in the inbox: look at the list again")
        if action is Action.UNDO and entry.undoes is None:
            raise TillError("undo_refused", f"entry {number}: {_why_not(entry)}")
        if action is not Action.UNDO and entry.waits and action not in actions_for(entry.code):
            allowed = " or ".join(sorted(actions_for(entry.code)))
            raise TillError("action_refused", f"entry {number} ({entry.code}) allows {allowed}, not {action.value}")
        account = self._member(card_text) if action is Action.LINK else None
        if action is Action.LINK and account is None:
            raise TillError("member_unknown", "this card belongs to no member that this till knows: link another")
        try:
            booked = self._journal.append(
                self._drafts.resolution(
                    decision_id, _resolution(entry, action, account), entry.card or NO_CARD, reason, approver
                ),
                also,
            )
        except DecidedBefore as error:
            raise TillError("decided_before", str(error)) from error
        self._on_booked()
        return booked

    def _member(self, card_text: str | None) -> str | None:
        if card_text is None:
            raise TillError("decision_incomplete", "a link needs a card of the member that this card belongs to")
        return self._reckoning.look_up(card_text).holder.account


def item_of(entry: ParkedEntry, language: str) -> Item:
    """A parked entry with its reason in words, and what may be done about it now."""
    actions = tuple(action for action in Action if action in actions_for(entry.code)) if entry.waits else ()
    if entry.undoes is not None:
        actions = (Action.UNDO,)
    return Item(entry, translator(language)(_REASONS.get(entry.code, _OTHER)), actions)


def _why_not(entry: ParkedEntry) -> str:
    """Why nothing can be taken back of an entry that is in the inbox."""
    if entry.asked is not None:
        return "its decision is being taken back already, and on its way to head office"
    if entry.state is ParkedState.REFERRED:
        return "it was handed to head office, which decides: ask there"
    if entry.state is ParkedState.OPEN:
        return "nobody has decided about it, so there is nothing to take back"
    return "it was booked by itself when its card or its sale became known: nobody decided"


def _resolution(entry: ParkedEntry, action: Action, account: str | None) -> Resolution:
    return Resolution(
        terminal=entry.terminal,
        epoch=entry.epoch,
        seq=entry.seq,
        digest=entry.digest.hex(),
        action=action,
        account=account,
        undoes=entry.undoes if action is Action.UNDO else None,
    )
