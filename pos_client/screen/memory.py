"""What the screen remembers between events: the last message, the last result, and what was waved away. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pos_client.events import EventKind, TillEvent

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
    """The screen's own state, shared by all its windows. `dismissed` is a booked session that was waved away."""

    notice: Notice | None = None
    last: Result | None = None
    dismissed: str | None = None

    def refused(self, code: str, reward: str | None = None) -> Memory:
        """With a refusal to tell."""
        return replace(self, notice=Notice(code, reward))

    def dismiss(self, session: str | None) -> Memory:
        """Without the message, and without the result of `session`."""
        return replace(self, notice=None, dismissed=session)

    def undo_left_ms(self, now_ms: int) -> int:
        """Milliseconds in which the last booking can still be taken back; 0 when it cannot."""
        if self.last is None or self.last.voided:
            return 0
        # A clock that was set back meanwhile must not offer an undo for hours.
        return max(0, min(UNDO_MS, self.last.at_ms + UNDO_MS - now_ms)) if now_ms >= self.last.at_ms else 0


def after(memory: Memory, event: TillEvent, now_ms: int) -> tuple[Memory, Tone | None]:
    """The memory after `event`, and the tone to sound."""
    match event.kind:
        case EventKind.CARD_PRESENTED:
            return replace(memory, notice=None, dismissed=None), "high"
        case EventKind.CARD_REFUSED:
            return memory.refused(str(event.data["code"])), "low"
        case EventKind.SESSION_CHANGED:
            return replace(memory, notice=None), None
        case EventKind.SALE_BOOKED:
            result = Result(str(event.data["session"]), int(event.data["points"]), now_ms)
            return replace(memory, notice=None, last=result), None
        case EventKind.SALE_VOIDED:
            result = Result(str(event.data["session"]), int(event.data["points"]), now_ms, voided=True)
            return replace(memory, notice=Notice("undone"), last=result), None
        case _:
            return memory, None
