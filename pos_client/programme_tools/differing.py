"""What a new version of a programme changes for customers, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loyalty.programme import Programme
from loyalty.programme_members import Badge, Challenge, Tier
from loyalty.programme_parts import Part
from loyalty.programme_rewards import Coupon, Priced, StampCard
from loyalty.programme_rules import Multiplier, PerAmount, PerItem, PerVisit
from pos_client.i18n import mark
from pos_client.programme_tools.saying import Sayer

Effect = Literal["better", "worse", "changed"]

_GROUPS = {
    "earn": mark("earning rule"),
    "rewards": mark("reward"),
    "coupons": mark("coupon"),
    "stamp_cards": mark("stamp card"),
    "challenges": mark("challenge"),
    "badges": mark("badge"),
    "tiers": mark("tier"),
}
_BETTER, _WORSE = mark("better for customers"), mark("worse for customers")
_DEARER, _CHEAPER = mark("dearer"), mark("cheaper")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where (`earn.euro`), what it means to customers, and the sentence."""

    path: str
    kind: Literal["added", "removed", "changed"]
    effect: Effect
    text: str


@dataclass(frozen=True, slots=True)
class _Side:
    programme: Programme
    sayer: Sayer


def diff(old: Programme, new: Programme, language: str) -> tuple[Change, ...]:
    """What changes for customers from `old` to `new`, said in `language` ("nl" or "en")."""
    was, now = _Side(old, Sayer(old, language)), _Side(new, Sayer(new, language))
    changes = [*_heads(was, now)]
    for group in _GROUPS:
        changes += _group(group, was, now)
    return (*changes, *_policies(was, now))


def _heads(was: _Side, now: _Side) -> Iterator[Change]:
    _ = now.sayer.words.translate
    labels = {
        "id": _("programme"),
        "currency": _("currency"),
        "time_zone": _("time zone"),
    }
    for field, label in labels.items():
        before, after = getattr(was.programme, field), getattr(now.programme, field)
        if before != after:
            yield _became(_, field, label, before, after)
    if was.programme.name != now.programme.name:
        before, after = (side.programme.name.get(side.sayer.language) for side in (was, now))
        yield _became(_, "name", _("name"), before, after)
    for field in ("excluded_categories", "excluded_skus"):
        before, after = set(getattr(was.programme, field)), set(getattr(now.programme, field))
        if out := sorted(after - before):
            text = _("no longer earns and is no longer discounted: {goods}").format(goods=", ".join(out))
            yield Change(field, "changed", "worse", text)
        if back := sorted(before - after):
            text = _("earns from now on, and can be discounted: {goods}").format(goods=", ".join(back))
            yield Change(field, "changed", "better", text)


def _group(group: str, was: _Side, now: _Side) -> Iterator[Change]:
    _ = now.sayer.words.translate
    label = _(_GROUPS[group])
    before = {part.id: part for part in getattr(was.programme, group)}
    after = {part.id: part for part in getattr(now.programme, group)}
    for name, part in before.items():
        if name not in after:
            text = _("the {label} '{name}' goes: {what}").format(
                label=label, name=part.name.get(was.sayer.language), what=_say(part, was)
            )
            yield Change(f"{group}.{name}", "removed", "worse", text)
    for name, part in after.items():
        if name not in before:
            text = _("a new {label} '{name}': {what}").format(
                label=label, name=part.name.get(now.sayer.language), what=_say(part, now)
            )
            yield Change(f"{group}.{name}", "added", "better", text)
        elif before[name] != part or _say(before[name], was) != _say(part, now):
            yield _part_changed(f"{group}.{name}", label, before[name], part, was=was, now=now)
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        text = _("the order of each {label} changes: {order}").format(label=label, order=", ".join(after))
        yield Change(group, "changed", "changed", text)


def _part_changed(path: str, label: str, old: Any, new: Any, *, was: _Side, now: _Side) -> Change:
    _ = now.sayer.words.translate
    before, after = _say(old, was), _say(new, now)
    name = new.name.get(now.sayer.language)
    effect = _effect(old, new)
    if before == after:
        # Texts say all that customers notice; what is left is a name, or a detail that its field names best.
        fields = [field for field in type(new).model_fields if getattr(old, field, None) != getattr(new, field)]
        if fields == ["name"]:
            text = _("the {label} '{before}' is called '{name}' from now on").format(
                label=label, before=old.name.get(now.sayer.language), name=name
            )
        else:
            text = _("the {label} '{name}' differs in: {fields}").format(
                label=label, name=name, fields=", ".join(fields)
            )
        return Change(path, "changed", effect, text)
    words = {"better": _BETTER, "worse": _WORSE}
    if isinstance(new, Priced):
        words = {"better": _CHEAPER, "worse": _DEARER}
    how = f" ({_(words[effect])})" if effect in words else ""
    text = _("the {label} '{name}' changes{how}: was “{before}”, becomes “{after}”").format(
        label=label, name=name, how=how, before=before, after=after
    )
    return Change(path, "changed", effect, text)


def _policies(was: _Side, now: _Side) -> Iterator[Change]:
    _ = now.sayer.words.translate
    sayings: dict[str, tuple[str, Callable[[_Side], str]]] = {
        "tier_policy": (_("tiers"), lambda side: side.sayer.tier_policy(side.programme.tier_policy)),
        "caps": (_("caps"), lambda side: side.sayer.caps(side.programme.caps)),
        "expiry": (_("expiry"), lambda side: side.sayer.expiry(side.programme.expiry)),
        "offline": (_("offline"), lambda side: side.sayer.offline()),
        "credential": (_("proof"), lambda side: side.sayer.credential()),
    }
    for field, (label, saying) in sayings.items():
        old, new = getattr(was.programme, field), getattr(now.programme, field)
        if old != new:
            before, after = saying(was), saying(now)
            if before == after:
                before, after = _fields(old, new), _fields(new, old)
            yield _became(_, field, label, before, after, _POLICY_EFFECTS.get(field, _no_opinion)(old, new))
    for field, label in (("texts", _("texts")), ("branding", _("looks")), ("receipt", _("receipt"))):
        old, new = getattr(was.programme, field), getattr(now.programme, field)
        if old != new:
            fields = ", ".join(name for name in type(new).model_fields if getattr(old, name) != getattr(new, name))
            yield Change(
                field,
                "changed",
                "changed",
                _("{label}: other than before: {fields}").format(label=label, fields=fields),
            )


def _fields(part: Part, other: Part) -> str:
    """The fields in which `part` differs, as in the document."""
    return ", ".join(
        f"{name} = {value}"
        for name, value in part.model_dump(mode="json").items()
        if getattr(other, name) != getattr(part, name)
    )


def _became(
    _: Callable[[str], str], path: str, label: str, before: str, after: str, effect: Effect = "changed"
) -> Change:
    words = {"better": _BETTER, "worse": _WORSE}
    how = f" ({_(words[effect])})" if effect in words else ""
    text = _("{label}{how}: was “{before}”, becomes “{after}”").format(label=label, how=how, before=before, after=after)
    return Change(path, "changed", effect, text)


def _say(part: Any, side: _Side) -> str:
    say = side.sayer
    match part:
        case Tier():
            return say.tier(part, side.programme.tier_policy)
        case PerAmount() | PerItem() | PerVisit() | Multiplier():
            return say.earn(part)
        case Coupon():
            return say.coupon(part)
        case StampCard():
            return say.stamp_card(part)
        case Challenge() | Badge():
            return say.goal(part)
        case _:
            return say.reward(part)


# -- better or worse ------------------------------------------------------------------------------------------------


def _effect(old: Any, new: Any) -> Effect:
    """Whether a part got better or worse, when one number of it changed and nothing else that counts."""
    if type(old) is not type(new):
        return "changed"
    differing = {field for field in type(new).model_fields if getattr(old, field) != getattr(new, field)} - {"name"}
    if isinstance(new, PerAmount | PerItem) and differing <= {"points", "per_minor", "per_items"}:
        per = "per_minor" if isinstance(new, PerAmount) else "per_items"
        return _more(old.points * getattr(new, per), new.points * getattr(old, per))
    if (
        isinstance(new, Priced)
        and (value := _VALUES & set(type(new).model_fields))
        and differing <= {"cost_points", *value}
    ):
        field = next(iter(value))
        worth_old, worth_new = getattr(old, field), getattr(new, field)
        return _more(worth_old * new.cost_points, worth_new * old.cost_points)
    if len(differing) != 1:
        return "changed"
    field = differing.pop()
    return _by_field(field, getattr(old, field), getattr(new, field))


_VALUES = {"discount_minor", "value_minor"}
_MORE_IS_BETTER = frozenset(
    ("points", "percent", "limit_per_basket", "limit_per_member", "stock", "max_minor", "cap_points", "valid_days")
)
_MORE_IS_WORSE = frozenset(("cost_points", "per_items", "stamps", "goal", "threshold", "minimum_basket_minor"))
_NO_LIMIT = 10**12
"""Stands for a limit that is not set."""


def _by_field(field: str, old: Any, new: Any) -> Effect:
    if field not in _MORE_IS_BETTER | _MORE_IS_WORSE:
        return "changed"
    before, after = (_NO_LIMIT if value is None else value for value in (old, new))
    return _more(before, after) if field in _MORE_IS_BETTER else _more(after, before)


def _more(before: int, after: int) -> Effect:
    """Better when there is more of it."""
    return "better" if after > before else "worse" if after < before else "changed"


def _no_opinion(_old: Any, _new: Any) -> Effect:
    return "changed"


def _all_one_way(pairs: Sequence[tuple[int | None, int | None]]) -> Effect:
    """Better when every limit that changed is wider; None is no limit."""
    effects = {
        _more(_NO_LIMIT if before is None else before, _NO_LIMIT if after is None else after)
        for before, after in pairs
        if before != after
    }
    return effects.pop() if len(effects) == 1 else "changed"


_POLICY_EFFECTS: dict[str, Callable[[Any, Any], Effect]] = {
    "caps": lambda old, new: _all_one_way(
        [
            (old.per_basket_points, new.per_basket_points),
            (old.per_card_day_points, new.per_card_day_points),
        ]
    ),
    "expiry": lambda old, new: _all_one_way(
        [
            (old.after_months, new.after_months),
            (int(old.end_of_year), int(new.end_of_year)),
            (-old.vesting_days, -new.vesting_days),
        ]
    ),
}
