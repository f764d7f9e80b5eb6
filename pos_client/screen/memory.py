"""What the screen remembers between events: the last message, the last result, and what was waved away. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pos_client.events import EventKind, TillEvent
from pos_client.screen.pad import Pad
from pos_client.screen.returning import Returning

UNDO_MS = 10_000
"""How long a booking can be taken back with one key: long enough to see a mistake, over before the next customer."""

Tone = Literal["high", "low"]
"""One high tone for recognised, two low ones for refused."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell the cashier: a stable code (`words.NOTICES`), and the reward it is about."""

    code: str
    reward: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The last sale that was booked or taken back; `points` as booked, `at_ms` Unix ms UTC."""

    session: str
    points: int
    at_ms: int
    voided: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """The screen's own state, shared by all its windows.

    `dismissed` is a booked session that was waved away, `answered` one whose customer answered the question.
    """

    notice: Notice | None = None
    last: Result | None = None
    dismissed: str | None = None
    answered: str | None = None
    pad: Pad | None = None
    returning: Returning | None = None

    def refused(self, code: str, reward: str | None = None) -> Memory:
        """With a refusal to tell."""
        return replace(self, notice=Notice(code, reward))

    def dismiss(self, session: str | None) -> Memory:
        """Without the message, and without the result of `session`."""
        return replace(self, notice=None, dismissed=session)

    def ask(self, pad: Pad | None) -> Memory:
        """With `pad` on the screen, or without any."""
        return replace(self, notice=None, pad=pad)

    def take_back(self, returning: Returning | None) -> Memory:
        """With a return on the screen, or without any."""
        return replace(self, notice=None, pad=None, returning=returning)

    def close_pad(self) -> Memory:
        """Without the pad; its message stays."""
        return replace(self, pad=None)

    def thank(self, session: str) -> Memory:
        """With the customer of `session` thanked for an answer."""
        return replace(self, notice=Notice("thanks"), answered=session)

    def undo_left_ms(self, now_ms: int) -> int:
        """Milliseconds in which the last booking can still be taken back; 0 when it cannot."""
        if self.last is None or self.last.voided:
            return 0
        # A clock that was set back meanwhile must not offer an undo for hours.
        return max(0, min(UNDO_MS, self.last.at_ms + UNDO_MS - now_ms)) if now_ms >= self.last.at_ms else 0


def after(memory: Memory, event: TillEvent, now_ms: int) -> tuple[Memory, Tone | None]:
    """The memory after `event`, and the tone to sound."""
    tone: Tone | None = None
    match event.kind:
        case EventKind.CARD_PRESENTED:
            # A card is a new customer, or what the pad asked for.
            memory, tone = replace(memory, notice=None, dismissed=None, pad=None, returning=None), "high"
        case EventKind.CARD_REFUSED:
            memory, tone = memory.refused(str(event.data["code"])), "low"
        case EventKind.SESSION_CHANGED:
            memory = replace(memory, notice=None)
        case EventKind.SALE_BOOKED | EventKind.SALE_VOIDED:
            voided = event.kind is EventKind.SALE_VOIDED
            result = Result(str(event.data["session"]), int(event.data["points"]), now_ms, voided)
            memory = replace(memory, notice=Notice("undone") if voided else None, last=result, pad=None)
        case EventKind.RECEIPT_NOT_PRINTED:
            # What it was about is booked and was said; now the paper is what the cashier must see to.
            memory, tone = replace(memory, notice=None), "low"
        case EventKind.RETURN_BOOKED:
            memory = replace(memory, notice=Notice("returned"), returning=None)
    return memory, tone
