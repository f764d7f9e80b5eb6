"""How points came about, in parts for programs and in sentences that a cashier can read out, in nl and en."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loyalty.accrual import CapName, Component
from loyalty.programme import Programme
from loyalty.programme_parts import Goods
from loyalty.programme_rules import EarnRule, Multiplier, PerAmount, PerItem
from loyalty.redemption import Redemption
from loyalty.returns import ADJUSTMENT_RULE, RETURN_RULE
from loyalty.settlement import Settlement

Unit = Literal["minor", "items", "visits", "points"]

_EXPONENTS = {"BHD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "TND": 3, "VND": 0}
"""Decimals of the currencies that have not two (ISO 4217, list one)."""

_WORDS = {
    "nl": {
        "point": "punt",
        "points": "punten",
        "item": "stuk",
        "items": "stuks",
        "rule": "hoogstens zoveel door deze regel",
        "basket": "hoogstens zoveel op één bon",
        "card_day": "hoogstens zoveel op één dag",
        RETURN_RULE: "retour",
        ADJUSTMENT_RULE: "correctie",
        "back": "ingewisselde punten terug",
        "for": "voor",
        "stamps": "stempels",
    },
    "en": {
        "point": "point",
        "points": "points",
        "item": "item",
        "items": "items",
        "rule": "the most this rule gives",
        "basket": "the most on one receipt",
        "card_day": "the most on one day",
        RETURN_RULE: "return",
        ADJUSTMENT_RULE: "correction",
        "back": "redeemed points back",
        "for": "for",
        "stamps": "stamps",
    },
}


@dataclass(frozen=True, slots=True)
class Explained:
    """One rule's part: `points` from `base` (in `unit`) at `rate` points for every `per` of it; a percent of 100."""

    rule: str
    kind: Literal["base", "bonus"]
    unit: Unit
    base: int
    rate: int
    per: int
    points: int
    capped_by: CapName | None


def explain(programme: Programme, settlement: Settlement) -> tuple[Explained, ...]:
    """The parts of what `settlement` earned; `programme` is the version that it was made with."""
    rules = {rule.id: rule for rule in programme.earn}
    return tuple(_explained(rules.get(part.rule), part) for part in settlement.accrual.components)


def say(programme: Programme, settlement: Settlement, language: str) -> str:
    """The whole of a settlement in one line: "€ 23,40 × 1 punt per euro = 23; zilver + 50 % = 11".

    Args:
        programme: the version that it was made with.
        language: "nl"; English for any other.
    """
    words = _WORDS["nl" if language == "nl" else "en"]
    rules = {rule.id: rule for rule in programme.earn}
    said = [
        _sentence(programme, part, rules.get(part.rule), words, language) for part in explain(programme, settlement)
    ]
    said += [_taken(programme, redemption, words, language) for redemption in settlement.redemptions]
    if settlement.points_spent < 0:
        said.append(f"{words['back']} = {_number(-settlement.points_spent, language)}")
    return "; ".join(said)


def money(minor: int, currency: str, language: str) -> str:
    """2340 EUR as "€ 23,40" in Dutch and "€ 23.40" in English; the code stands for other currencies' signs."""
    exponent = _EXPONENTS.get(currency, 2)
    whole, rest = divmod(abs(minor), 10**exponent)
    point = "," if language == "nl" else "."
    text = _number(whole, language) + (f"{point}{rest:0{exponent}d}" if exponent else "")
    return ("−" if minor < 0 else "") + ("€" if currency == "EUR" else currency) + " " + text


def _explained(rule: EarnRule | None, part: Component) -> Explained:
    unit: Unit = "visits"
    rate, per = part.points, 1
    if isinstance(rule, PerAmount):
        unit, rate, per = "minor", rule.points, rule.per_minor
    elif isinstance(rule, PerItem):
        unit, rate, per = "items", rule.points, rule.per_items
    elif isinstance(rule, Multiplier):
        unit, rate, per = "points", rule.percent, 100
    return Explained(part.rule, part.kind, unit, part.base, rate, per, part.points, part.capped_by)


def _sentence(
    programme: Programme, part: Explained, rule: EarnRule | None, words: dict[str, str], language: str
) -> str:
    name = programme.name_of(part.rule, language)
    named = f"{name}: " if part.kind == "bonus" or (rule is not None and _choosy(rule)) else ""
    points = f"{_number(part.rate, language)} {words['point' if part.rate == 1 else 'points']}"
    match part.unit:
        case "minor":
            amount = money(part.base, programme.currency, language)
            left = f"{named}{amount} × {points} per {_per(programme, part, language)}"
        case "items":
            per = f"{part.per} {words['items']}" if part.per != 1 else words["item"]
            left = f"{named}{_number(part.base, language)} × {points} per {per}"
        case "points" if rule is not None and _choosy(rule):
            left = f"{name}: {_number(part.base, language)} + {part.rate} %"
        case "points":
            left = f"{name} + {part.rate} %"
        case _:
            left = words.get(part.rule, name)
    capped = f" ({words[part.capped_by]})" if part.capped_by else ""
    return f"{left} = {_number(part.points, language)}{capped}"


def _choosy(rule: Goods) -> bool:
    """Whether a rule counts some goods only, so that its name has to say which."""
    return bool(rule.categories or rule.skus)


def _per(programme: Programme, part: Explained, language: str) -> str:
    if programme.currency == "EUR" and part.per == 100:
        return "euro"
    return money(part.per, programme.currency, language)


def _taken(programme: Programme, redemption: Redemption, words: dict[str, str], language: str) -> str:
    name = programme.name_of(redemption.reward, language)
    value = redemption.discount_minor or redemption.issued_minor or redemption.cash_minor
    cost = f"{_number(redemption.points, language)} {words['points']}" if redemption.points else ""
    if redemption.stamps:
        cost = f"{redemption.stamps} {words['stamps']}"
    worth = money(value, programme.currency, language) if value else ""
    if not cost and not worth:
        return name
    return f"{name}: " + f" {words['for']} ".join(text for text in (cost, worth) if text)


def _number(value: int, language: str) -> str:
    text = f"{abs(value):,}"
    return ("−" if value < 0 else "") + (text.replace(",", ".") if language == "nl" else text)
