"""What can be wrong in the domain, by what the caller should do about it.

LoyaltyError
├── CardFormatError     not one of our cards: ask for another card
├── BasketError         the till's software sent a basket that cannot be: fix the basket
├── ProgrammeError      a programme document that cannot be used: fix the document
├── RewardRefused       this reward cannot be given now: tell the customer why
├── ReturnRefused       these goods cannot be taken back on this sale: tell the customer why
└── ChainBroken         journal bytes that do not follow from one another: stop, keep them, call head office
"""

from __future__ import annotations


class LoyaltyError(ValueError):
    """Base of every domain error; its text says what was expected and what came, with card numbers masked."""


class CardFormatError(LoyaltyError):
    """The text is not a card of any configured format."""


class BasketError(LoyaltyError):
    """The basket contradicts itself or the programme (duplicate line, other currency, too many lines)."""


class ProgrammeError(LoyaltyError):
    """A programme document is wrong; `problems` lists each path with what was expected there."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class RewardRefused(LoyaltyError):
    """A reward was asked for that may not be given; `code` is stable, for translation."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class ReturnRefused(LoyaltyError):
    """Goods cannot be taken back as asked; `code` is stable, for translation."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class ChainBroken(LoyaltyError):
    """An entry's digest does not follow from its predecessor and its own bytes."""
