"""Card numbers of our own formats: recognised, checked, masked, and turned into tokens that are safe to keep."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from loyalty.errors import CardFormatError

MAX_CARD_LENGTH = 48
"""Longest card text looked at: Code 128 on an ID-1 card cannot hold more at a readable module width."""


class CheckDigit(StrEnum):
    """The check character a card format ends with."""

    NONE = "none"
    GS1 = "gs1"  # GS1 General Specifications 7.9: weights 3 and 1 from the right
    LUHN = "luhn"  # ISO/IEC 7812-1 Annex B


class CardFormat(BaseModel):
    """One allow-listed kind of loyalty card. A text matches when prefix, length and check digit all do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=40)]
    prefix: Annotated[str, Field(pattern=r"^[0-9A-Z]{2,12}$")]
    length: Annotated[int, Field(ge=6, le=MAX_CARD_LENGTH)]
    check: CheckDigit

    def matches(self, text: str) -> bool:
        """True when `text` is a card of this format, its check digit included."""
        if len(text) != self.length or not text.startswith(self.prefix):
            return False
        digits = text[len(self.prefix) :] if not self.prefix.isdigit() else text
        if not (digits.isascii() and digits.isdigit()):
            return False
        return self.check is CheckDigit.NONE or check_digit(digits[:-1], self.check) == int(digits[-1])

    def number(self, serial: int) -> str:
        """The card with this serial, from 0: prefix, serial with leading zeros, check digit.

        Raises:
            CardFormatError: the serial has more digits than the format leaves for it.
        """
        room = self.length - len(self.prefix) - (self.check is not CheckDigit.NONE)
        if not 0 <= serial < 10**room:
            raise CardFormatError(f"expected a serial from 0 to {10**room - 1} for {self.name}, got {serial}")
        digits = str(serial).zfill(room)
        if self.check is CheckDigit.NONE:
            return self.prefix + digits
        checked = self.prefix + digits if self.prefix.isdigit() else digits
        return self.prefix + digits + str(check_digit(checked, self.check))


def check_digit(digits: str, kind: CheckDigit) -> int:
    """The check digit that follows `digits` (GS1 General Specifications 7.9; ISO/IEC 7812-1 Annex B).

    Raises:
        CardFormatError: `digits` holds anything but ASCII digits, or `kind` has no check digit.
    """
    if not (digits.isascii() and digits.isdigit()):
        raise CardFormatError(f"expected only digits before the check digit, got {len(digits)} other characters")
    values = [int(char) for char in reversed(digits)]
    match kind:
        case CheckDigit.GS1:
            total = sum(value * (3 if index % 2 == 0 else 1) for index, value in enumerate(values))
        case CheckDigit.LUHN:
            total = sum(sum(divmod(value * 2, 10)) if index % 2 == 0 else value for index, value in enumerate(values))
        case _:
            raise CardFormatError("this card format has no check digit")
    return -total % 10


def mask(text: str) -> str:
    """`text` with all but its last four characters hidden, for screens, logs and errors."""
    return "…" + text[-4:] if len(text) > 8 else "…"


@dataclass(frozen=True, slots=True)
class CardNumber:
    """A recognised card number: always valid, never printed whole."""

    value: str = field(repr=False)
    format_name: str

    @classmethod
    def parse(cls, text: str, formats: Iterable[CardFormat]) -> CardNumber:
        """Recognise `text` (spaces and hyphens as people type them are dropped).

        Raises:
            CardFormatError: no format matches; the message shows lengths and prefixes, and of a number that starts like
                ours at most the last four characters.
        """
        compact = text.replace(" ", "").replace("-", "").upper()
        allowed = list(formats)
        for card_format in allowed:
            if card_format.matches(compact):
                return cls(compact, card_format.name)
        if not allowed:
            raise CardFormatError("this shop has no card formats: name them in [[card_formats]] of the configuration")
        wanted = " or ".join(f"{f.length} characters starting {f.prefix} ({f.name})" for f in allowed)
        # A text that does not even start like one of ours may be a payment card: nothing of it is shown.
        ours = any(compact.startswith(f.prefix) for f in allowed)
        shown = f" '{mask(compact)}'" if ours else ""
        nearly = any(
            compact.startswith(f.prefix) and len(compact) == f.length and compact[len(f.prefix) :].isdigit()
            for f in allowed
        )
        hint = ": the check digit does not fit, look for a mistyped or misread digit" if nearly else ""
        raise CardFormatError(f"expected {wanted}, got {len(compact)} characters{shown}{hint}")

    def __str__(self) -> str:
        return mask(self.value)

    def token(self, key: bytes) -> str:
        """The keyed token under which this card is stored: HMAC-SHA-256 cut to 128 bits, in hex (RFC 4868 2.1.1).

        Args:
            key: 32 bytes that head office shares with its own tills only.

        Raises:
            ValueError: the key is not 32 bytes.
        """
        if len(key) != 32:
            raise ValueError(f"expected a card key of 32 bytes, got {len(key)}")
        return hmac.new(key, self.value.encode("ascii"), hashlib.sha256).digest()[:16].hex()
