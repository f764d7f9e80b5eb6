"""What the cashier's screen is made of: every text of it, ready to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pos_client.screen.brand import Brand
from pos_client.screen.rows import Row
from pos_client.screen.words import Mood

LOGO_PATH = "/logo.png"
"""On the till's own address: a picture of some kilobytes, not to be sent with every change of the screen."""
MAX_LINES = 8
"""Basket lines that fit beside the totals at 1024×600; the newest are shown."""

PRACTICE_KEYS = ("F2", "F3", "F4")
"""Of a till in training: they scan a practice card while no card is on the screen."""

Phase = Literal["idle", "card", "booked", "return"]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence with its mood; the mood picks icon and colour."""

    mood: Mood
    text: str


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of the receipt; "reward" lines are taken off, "more" stands for lines that do not fit."""

    text: str
    amount: str
    kind: Literal["item", "reward", "more"] = "item"


@dataclass(frozen=True, slots=True)
class Action:
    """The primary action, always in the same place."""

    text: str
    state: Literal["ready", "off", "done"]


@dataclass(frozen=True, slots=True)
class Offer:
    """The one thing that can be done about the message, beside it: its key, and how that is printed."""

    key: str
    shown: str
    text: str


@dataclass(frozen=True, slots=True)
class PadView:
    """What is asked for, in place of the receipt: what was typed so far, or a text to agree to."""

    kind: str
    title: str
    typed: str
    text: str
    digits: bool


@dataclass(frozen=True, slots=True)
class Drill:
    """Of a till in training: the cards to practise with, each with its key, what it is, and its number."""

    cards: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class View:
    """The whole screen in words. Empty strings are not shown."""

    language: str
    phase: Phase
    online: bool
    badge: str
    place: str
    devices: str
    clock: str
    shop: str
    hint: str
    allowed: str
    last: str
    name: str
    tier: str
    balance: str
    unit: str
    as_of: str
    expiring: str
    rows: tuple[Row, ...]
    more: str
    heading: str
    total: str
    lines: tuple[LineRow, ...]
    earns: str
    earns_detail: str
    spends: str
    to_pay: str
    to_pay_label: str
    action: Action
    message: Message | None
    offer: Offer | None
    question: str
    pad: PadView | None
    brand: Brand | None
    logo: str
    """Where the programme's logo is, on this till."""
    drill: Drill | None
    announce: str
