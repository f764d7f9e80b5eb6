"""What is wrong with a programme document, said so that the owner of a shop can mend it: the path and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from loyalty.errors import ProgrammeError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from loyalty.programme import Programme

OWN_RULES = frozenset({"return", "adjustment"})
"""Names that entries use for points no earn rule gave."""


MAX_SHOWN = 80
"""Characters of a wrong value that are repeated: enough to find it by."""

SHAPES = {
    r"^[A-Z]{3}$": "a currency of three capitals, such as EUR",
    r"^#[0-9a-fA-F]{6}$": "a colour such as #0b6b3a",
    r"^[A-Za-z0-9._-]{1,80}\.png$": "the name of a .png file, of letters, digits, dots and dashes",
    r"^[A-Za-z0-9+/]+={0,2}$": "a picture in base64, as publishing puts it there",
    r"^[a-z0-9][a-z0-9-]{0,39}$": "up to 40 small letters, digits and dashes",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$": "hours such as 09:00-17:30",
    r"^[23456789ABCDEFGHJKMNPQRSTVWXYZ]{2,4}$": "two to four capitals (without I, L, O and U) or digits from 2",
}
"""What each pattern of the fields asks for, in words."""


def contradictions(programme: Programme) -> list[str]:
    """Names that are used twice or are not known, as "path: what to change"."""
    problems = [*_tiers(programme), *_names(programme), *_tier_names(programme), *_prefixes(programme)]
    if programme.caps.per_card_day_points is not None and programme.caps.per_basket_points is not None:
        day, basket = programme.caps.per_card_day_points, programme.caps.per_basket_points
        if basket > day:
            problems.append(f"caps.per_basket_points: expected at most per_card_day_points ({day}), got {basket}")
    return problems


def _tiers(programme: Programme) -> Iterator[str]:
    ids = [tier.id for tier in programme.tiers]
    if twice := _twice(ids):
        yield f"tiers: expected distinct tier ids, got {twice} twice: rename one"
    thresholds = [tier.threshold for tier in programme.tiers]
    if programme.tier_policy is None:
        if any(thresholds):
            yield "tier_policy: expected one beside thresholds: say what is counted, by = 'points', 'spend' or 'visits'"
        return
    if thresholds[0] != 0:
        yield f"tiers.0.threshold: expected 0, since every new member has this tier, got {thresholds[0]}"
    for place, (lower, higher) in enumerate(pairwise(thresholds), 1):
        if higher <= lower:
            yield f"tiers.{place}.threshold: expected more than the {lower} of the tier below, got {higher}"


def _names(programme: Programme) -> Iterator[str]:
    groups = _groups(programme)
    for group, ids in groups.items():
        if twice := _twice(ids):
            what = "earn rule" if group == "earn" else group.removesuffix("s").replace("_", " ")
            yield f"{group}: expected distinct {what} ids, got {twice} twice: rename one"
    seen: dict[str, str] = dict.fromkeys(OWN_RULES, "entries that no rule made")
    for group, ids in groups.items():
        for place, name in enumerate(ids):
            if seen.get(name, group) != group:
                yield f"{group}.{place}.id: expected another name, '{name}' is used in {seen[name]}"
            seen.setdefault(name, group)


def _tier_names(programme: Programme) -> Iterator[str]:
    known = [tier.id for tier in programme.tiers]
    for group in _groups(programme):
        for place, part in enumerate(getattr(programme, group)):
            if unknown := sorted(set(part.tiers) - set(known)):
                yield f"{group}.{place}.tiers: expected tiers of this programme, {known}, got {unknown}"


def _prefixes(programme: Programme) -> Iterator[str]:
    prefixes = [(place, coupon.code_prefix) for place, coupon in enumerate(programme.coupons) if coupon.code_prefix]
    for place, prefix in prefixes:
        for other, longer in prefixes:
            if place != other and longer.startswith(prefix) and (longer != prefix or place < other):
                yield (
                    f"coupons.{other}.code_prefix: expected one that does not begin with that of coupons.{place}, "
                    f"'{prefix}', got '{longer}': no code could be told apart"
                )


def _groups(programme: Programme) -> dict[str, list[str]]:
    return {
        group: [part.id for part in getattr(programme, group)]
        for group in ("earn", "rewards", "coupons", "stamp_cards", "challenges", "badges")
    }


def _twice(ids: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: set[str] = set()
    for name in ids:
        (twice if name in seen else seen).add(name)
    return sorted(twice)


def explain_problem(problem: ErrorDetails, document: Any) -> list[str]:
    """One problem of pydantic's as "path: expected …": the path as in the document, and the fix where it is known."""
    context = problem.get("ctx", {})
    if isinstance(context.get("error"), ProgrammeError):
        return list(context["error"].problems)
    path = _path(problem["loc"], document)
    where = ".".join(str(part) for part in path) or "programme"
    message = problem["msg"].removeprefix("Value error, ")
    got = f", got {problem['input']!r}"[:MAX_SHOWN]
    match problem["type"]:
        case "too_short" if _there(path, document):
            return []  # what is in the list is wrong itself, and told of: without it the list seems empty
        case "extra_forbidden":
            near = _near(str(path[-1]))
            message += f": did you mean '{near}'?" if near else ": take it out, or look up its name"
        case "string_pattern_mismatch":
            message = f"expected {SHAPES.get(context['pattern'], message)}{got}"
        case "model_type" if context["class_name"] == "Texts":
            message = f'expected both languages, as in {{ nl = "Koffie", en = "Coffee" }}{got}'
        case "union_tag_invalid":
            message = f"expected a kind out of {context['expected_tags']}, got '{context['tag']}'"[:300]
        case "date_from_datetime_parsing" | "date_type":
            message = f"expected a date such as 2026-04-01, without quotes{got}"
        case "enum" | "literal_error":
            message += got
        case "missing":
            message += f": add '{path[-1]}'"
        case "union_tag_not_found":
            message += ": add 'kind', which says what this is"
        case "int_type":
            message += f": write a whole number{got}"
    return [f"{where}: {message}"]


def _there(path: list[int | str], document: Any) -> bool:
    """Whether the document has something in the list at `path`."""
    place = document
    for part in path:
        place = place[part]
    return bool(place)


def _near(name: str) -> str | None:
    """The field that somebody who wrote `name` may have meant."""
    known = _known_fields()
    begins = [field for field in known if len(name) > 2 and field.startswith(name)]
    return next(iter([*begins, *difflib.get_close_matches(name, known, n=1)]), None)


def _path(loc: tuple[int | str, ...], document: Any) -> list[int | str]:
    """The path as the document has it: pydantic puts the kind of a rule in between, which is no key."""
    path: list[int | str] = []
    place = document
    for part in loc:
        if isinstance(place, dict) and part not in place and place.get("kind") == part:
            continue
        path.append(part)
        try:
            place = place[part]
        except (KeyError, IndexError, TypeError):
            place = None
    return path


def _known_fields() -> list[str]:
    from loyalty import programme, programme_members, programme_rewards, programme_rules
    from loyalty.programme_parts import Part

    known = {
        name
        for module in (programme, programme_members, programme_rewards, programme_rules)
        for part in vars(module).values()
        if isinstance(part, type) and issubclass(part, Part)
        for name in part.model_fields
    }
    return sorted(known)
