"""What the manager's pages say: kinds of entries, where they stand, refusals, moments; in nl and en."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from loyalty.card_orders import CardAction
from loyalty.ledger import EntryKind
from loyalty.resolution import Action
from pos_client.i18n import mark
from pos_client.office.story import Standing
from pos_client.screen.words import Words

KINDS: Mapping[str, str] = {
    EntryKind.SALE: mark("Sale"),
    EntryKind.VOID: mark("Undone"),
    EntryKind.RETURN: mark("Return"),
    EntryKind.ADJUSTMENT: mark("Adjustment"),
    EntryKind.ENROLMENT: mark("Became a member"),
}
CARD_ACTIONS: Mapping[CardAction, str] = {
    CardAction.BLOCK: mark("Block the card"),
    CardAction.UNBLOCK: mark("Let the card in again"),
    CardAction.REPLACE: mark("Replace the card"),
}
STANDINGS: Mapping[Standing, str] = {
    Standing.CONFIRMED: mark("confirmed"),
    Standing.QUEUED: mark("on its way"),
    Standing.PARKED: mark("not booked: see the inbox"),
}
ACTIONS: Mapping[str, str] = {
    Action.LINK: mark("Link to a member"),
    Action.APPROVE: mark("Book as stated"),
    Action.REVERSE: mark("Book nothing"),
    Action.REFER: mark("Hand to head office"),
    Action.UNDO: mark("Undo the decision"),
}
REFUSALS: Mapping[str, str] = {
    "not_found": mark("Nothing is known here by this: type a card, phone number, e-mail address or receipt"),
    "payment_card": mark("This is a bank card's number. It was not looked up and not kept"),
    "approval_wrong": mark("Wrong PIN"),
    "approval_locked": mark("Too many wrong PINs: try again in 15 minutes"),
    "no_manager": mark("No manager has a PIN at this till yet. Stop the till, and run: spaarpunt manager add NAME"),
    "adjustment_incomplete": mark("An adjustment needs points and a reason"),
    "decision_incomplete": mark("A decision needs a reason, and a link needs a card"),
    "decided_before": mark("This was decided before: nothing was done again"),
    "action_refused": mark("This cannot be done for this reason: look at the list again"),
    "undo_refused": mark("Nothing was decided here that can be taken back; what was handed over, head office decides"),
    "parked_unknown": mark("This entry is not in the inbox any more"),
    "member_unknown": mark("This card belongs to no member that this till knows"),
    "card_taken": mark("The new card belongs to a member already: take one that nobody has"),
    "new_card_wanted": mark("Give a reason; a new card for a replacement, and only then"),
    "no_programme": mark("This till has to reach head office once before it can save points"),
}
OTHER_REFUSAL = mark("This could not be done. See the log of the till")


def moment(words: Words, zone: ZoneInfo, at_ms: int, now_ms: int) -> tuple[str, str]:
    """A moment (Unix ms UTC) as people say it, and exactly: "today 14:02"."""
    then = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).date()
    _ = words.translate
    said = words.moment(at_ms, now_ms)
    if then.date() == today:
        said = _("today {time}").format(time=said)
    elif then.year == today.year and (today - then.date()).days > 1:
        said = format_datetime(then, "EEE d MMM HH:mm", locale=words.language)
    return said, f"{then:%d-%m-%Y %H:%M:%S}"
