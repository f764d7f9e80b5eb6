"""What is being typed on the screen: an amount, a card's number, a PIN; or read, before a customer agrees. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

PadKind = Literal["amount", "number", "pin", "receipt", "consent"]

_MOST = {"amount": 7, "number": 32, "pin": 8, "receipt": 0, "consent": 0}
"""Characters: amounts below 100 000,00; the longest card number; the longest PIN that head office gives."""

TYPED = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What a key may put on a pad; letters only in card numbers."""


@dataclass(frozen=True, slots=True)
class Pad:
    """One thing asked for on the screen. `reward`: what a PIN is asked for."""

    kind: PadKind
    typed: str = ""
    reward: str | None = None

    def press(self, key: str) -> Pad:
        """With one more character, or one less for "Backspace"; what does not belong here changes nothing."""
        if key == "Backspace":
            return replace(self, typed=self.typed[:-1])
        if key not in TYPED or len(self.typed) >= _MOST[self.kind] or (self.kind != "number" and not key.isdigit()):
            return self
        return replace(self, typed=self.typed + key)

    @property
    def amount_minor(self) -> int:
        """What an amount pad says, in minor units; 0 when nothing is typed yet."""
        return int(self.typed or "0") if self.kind == "amount" else 0

    @property
    def complete(self) -> bool:
        """Whether it may be confirmed."""
        match self.kind:
            case "amount":
                return self.amount_minor > 0
            case "number":
                return len(self.typed) >= 4
            case "pin":
                return len(self.typed) >= 4
        return True
