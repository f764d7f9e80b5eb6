"""The demo shop's members: a thousand made-up people with cards of every kind."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from loyalty.cards import CardFormat, CheckDigit, check_digit

MEMBERS = 1000
FORMATS = (
    CardFormat(name="spaarpas", prefix="2910", length=13, check=CheckDigit.GS1),
    CardFormat(name="sleutelhanger", prefix="SP", length=12, check=CheckDigit.LUHN),
    CardFormat(name="magneetpas", prefix="9528", length=16, check=CheckDigit.LUHN),
)
_NAMES = (
    "Sanne",
    "Bram",
    "Fatima",
    "Lars",
    "Noor",
    "Daan",
    "Eva",
    "Youssef",
    "Lotte",
    "Ruben",
    "Mila",
    "Thijs",
    "Sofie",
    "Jesse",
    "Anouk",
    "Milan",
    "Zoë",
    "Emre",
    "Julia",
    "Sem",
    "Roos",
    "Finn",
    "Amira",
    "Luuk",
    "Isa",
    "Stijn",
    "Femke",
    "Omar",
    "Tess",
    "Koen",
)


@dataclass(frozen=True, slots=True)
class DemoMember:
    """One made-up member; the card's kind goes round with the number: EAN-13, Code 128, stripe."""

    number: int
    first_name: str
    tier: str
    points: int
    card: str


def card_number(card_format: CardFormat, serial: int) -> str:
    """The card of a format with a running number, check digit included."""
    body = str(serial).zfill(card_format.length - len(card_format.prefix) - 1)
    digits = card_format.prefix + body if card_format.prefix.isdigit() else body
    check = "" if card_format.check is CheckDigit.NONE else str(check_digit(digits, card_format.check))
    return card_format.prefix + body + check


def members() -> list[DemoMember]:
    """The members, the same at every call."""
    return [
        DemoMember(
            number,
            _NAMES[number % len(_NAMES)],
            "zilver" if number % 5 == 0 else "basis",
            (number * 37) % 1500 + (600 if number % 5 == 0 else 0),
            card_number(FORMATS[number % len(FORMATS)], 1000 + number),
        )
        for number in range(MEMBERS)
    ]


def write_csv(path: Path, tiers: tuple[str, str]) -> int:
    """Write the members as `spaarpunt hq members import` reads them; returns the sum of their opening points.

    Args:
        tiers: what ordinary and silver members have in the programme.
    """
    people = members()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["card_number", "first_name", "tier", "points"])
        writer.writerows(
            [person.card, person.first_name, tiers[person.tier == "zilver"], person.points] for person in people
        )
    return sum(person.points for person in people)
