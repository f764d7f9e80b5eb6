"""What shops argue about, for every generated programme and basket: the properties that the engine promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from loyalty.basket import Basket
from loyalty.facts import UNKNOWN, Facts
from loyalty.ledger import Entry, EntryKind
from loyalty.lots import Lot, Lots, earn, give_back, spend, take_back
from loyalty.programme import Programme
from loyalty.redemption import Choice, redeem
from loyalty.returns import Returned, Sold, quantities, spent_by_line
from loyalty.returns import take_back as return_goods
from loyalty.settlement import settle
from sync.hq.claims import Record
from sync.hq.received import receive
from sync.hq.verdicts import Booking, Knowledge, judge
from tests.loyalty.build import (
    TIERS,
    WANTED,
    earn_rules,
    goods_baskets,
    known_facts,
    line,
    multiplier,
    per_amount,
    programme,
    rich_programmes,
    sale_entry,
    take_some,
)

quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


# -- lines sum to total --------------------------------------------------------------------------------------------


@quick
@given(rich_programmes(), goods_baskets(), TIERS, known_facts(), WANTED)
def test_lines_and_components_sum_to_the_total(
    rules: Programme, goods: Basket, tier: str, facts: Facts, wanted: list[str]
) -> None:
    sale = settle(rules, goods, tier, take_some(rules, goods, tier, facts, wanted), facts)
    assert sum(part.points for part in sale.accrual.components) == sale.points_earned == sale.accrual.points
    assert sum(share.points for share in sale.accrual.lines) == sale.points_earned >= 0
    again = [Choice.of(redemption) for redemption in sale.redemptions]
    assert redeem(rules, goods, again, tier=tier, facts=facts) == sale.redemptions
    for redemption in sale.redemptions:
        assert sum(part.discount_minor for part in redemption.lines) == redemption.discount_minor
    for progress in sale.counters:
        assert not progress.lines or sum(part.count for part in progress.lines) == progress.count
    off = sum(redemption.discount_minor + redemption.cash_minor for redemption in sale.redemptions)
    assert sale.payable_minor == goods.gross_minor - off


@quick
@given(rich_programmes(), goods_baskets(), TIERS, known_facts())
def test_no_cap_is_ever_passed(rules: Programme, goods: Basket, tier: str, facts: Facts) -> None:
    sale = settle(rules, goods, tier, (), facts)
    caps = {rule.id: rule.cap_points for rule in rules.earn}
    for part in sale.accrual.components:
        most = caps.get(part.rule)
        assert most is None or part.points <= most
    assert rules.caps.per_basket_points is None or sale.points_earned <= rules.caps.per_basket_points
    day = rules.caps.per_card_day_points
    assert day is None or sale.points_earned <= max(0, day - facts.earned_today)


# -- returns -------------------------------------------------------------------------------------------------------


@quick
@given(st.tuples(rich_programmes(), goods_baskets(min_minor=0), TIERS, known_facts()), WANTED, st.data())
def test_partial_returns_take_back_exactly_what_was_earned_and_never_more(
    case: tuple[Programme, Basket, str, Facts], wanted: list[str], data: st.DataObject
) -> None:
    """In any order and in any parts: at no time more than the line's points, and in the end all of them."""
    rules, goods, tier, facts = case
    sale = sale_entry(rules, goods, tier, take_some(rules, goods, tier, facts, wanted), facts)
    whole = {line.line_id: line.quantity for line in goods.lines if line.quantity > 0}
    assume(whole)
    earned = {share.line_id: share.points for share in sale.settlement.accrual.lines}
    spent = spent_by_line(sale.settlement)
    returns: list[Returned] = []
    back: dict[str, int] = {}
    while back != whole:
        name = data.draw(st.sampled_from(sorted(key for key in whole if back.get(key, 0) < whole[key])))
        left = whole[name] - back.get(name, 0)
        step = data.draw(st.sampled_from([left, max(1, left // 3), 1 if left <= 3 else left // 2]))
        returns.append(return_goods(Sold.of(sale), back, {name: step}))
        back[name] = back.get(name, 0) + step
        taken = _by_line(returns)
        assert all(0 <= taken[key] <= earned[key] for key in taken)
        assert -sum(part.settlement.points_spent for part in returns) <= sum(spent.values())
    assert _by_line(returns) == {key: earned[key] for key in whole}
    assert -sum(part.settlement.points_spent for part in returns) == sum(spent.get(key, 0) for key in whole)
    paid = {line.line_id: line.gross_minor for line in goods.lines}
    for redemption in sale.settlement.redemptions:
        for share in redemption.lines:
            paid[share.line_id] -= share.discount_minor
    assert -sum(part.settlement.payable_minor for part in returns) == sum(paid[key] for key in whole)


def _by_line(returns: list[Returned]) -> dict[str, int]:
    taken: dict[str, int] = {}
    for part in returns:
        assert part.settlement.points_earned == sum(share.points for share in part.settlement.accrual.lines)
        for share in part.settlement.accrual.lines:
            taken[share.line_id] = taken.get(share.line_id, 0) - share.points
    return taken


@quick
@given(rich_programmes(), rich_programmes(), goods_baskets(min_minor=0), TIERS, known_facts())
def test_a_return_after_any_rule_change_gives_the_same(
    rules: Programme, changed: Programme, goods: Basket, tier: str, facts: Facts
) -> None:
    """The stored entry is all that a return looks at: what was published since is not even an argument."""
    sale = sale_entry(rules, goods, tier, (), facts)
    whole = {line.line_id: line.quantity for line in goods.lines if line.quantity > 0}
    assume(whole)
    before = return_goods(Sold.of(sale), {}, whole)
    settle(changed, goods, tier, (), facts)
    assert return_goods(Sold.of(Entry.decode(sale.encode())), {}, whole) == before


# -- monotone ------------------------------------------------------------------------------------------------------


@quick
@given(st.tuples(rich_programmes(), goods_baskets(), TIERS, known_facts()), st.integers(0, 5000), st.data())
def test_accrual_is_monotone_in_the_eligible_amount(
    case: tuple[Programme, Basket, str, Facts], more: int, data: st.DataObject
) -> None:
    rules, goods, tier, facts = case
    assume(goods.lines)
    index = data.draw(st.integers(0, len(goods.lines) - 1))
    grown = list(goods.lines)
    grown[index] = grown[index].model_copy(update={"gross_minor": grown[index].gross_minor + more})
    richer = settle(rules, goods.model_copy(update={"lines": tuple(grown)}), tier, (), facts)
    assert richer.points_earned >= settle(rules, goods, tier, (), facts).points_earned


# -- splitting a basket --------------------------------------------------------------------------------------------


@st.composite
def uncapped(draw: st.DrawFn) -> Programme:
    """Programmes that round down, with nothing that counts once a basket: no visits, caps or competing multipliers."""
    rules = [
        draw(earn_rules(floor_only=True, visits=False, capped=False)) | {"id": f"rule-{number}", "per_items": 1}
        for number in range(draw(st.integers(1, 2)))
    ]
    for rule in rules:
        if rule["kind"] != "per_item":
            del rule["per_items"]
    return programme(
        *rules, *(multiplier(percent, id=f"m-{percent}") for percent in draw(st.sets(st.integers(1, 200), max_size=2)))
    )


@quick
@given(uncapped(), goods_baskets(min_minor=0), TIERS, st.data())
def test_splitting_a_basket_never_gains_where_nothing_is_capped(
    rules: Programme, goods: Basket, tier: str, data: st.DataObject
) -> None:
    """Rounding down, minimum baskets: both only ever lose by splitting. Goods taken back are left out: they lessen
    what else is on their receipt, so that paying for them apart is no gain but a return that was booked as a sale."""
    parts = _split(goods, data)
    assert sum(settle(rules, part, tier).points_earned for part in parts) <= settle(rules, goods, tier).points_earned


@quick
@given(rich_programmes(), goods_baskets(min_minor=0), TIERS, st.data())
def test_splitting_gains_no_more_than_caps_visits_and_rounding_up_allow(
    rules: Programme, goods: Basket, tier: str, data: st.DataObject
) -> None:
    """What a second basket can gain, and nothing else can:

    - a cap of a rule or of the basket holds for each basket on its own: without caps there is nothing to gain here;
    - points by visit come once for each basket, and so does what multipliers add to them;
    - rounding half up gains less than one point a rule and basket, which multipliers take with them;
    - multipliers that compete (`max`) may each win in another basket.
    The cap by card and day stops all of it, as long as the second basket counts what the first one earned.
    """
    parts = _split(goods, data)
    apart = sum(settle(rules, part, tier).points_earned for part in parts)
    together = settle(rules, goods, tier)
    allowance = _allowance(rules, goods, tier, len(parts))
    capped = any(part.capped_by for part in together.accrual.components)
    assert capped or apart <= together.points_earned + allowance
    day = rules.caps.per_card_day_points
    if day is not None:
        earned = 0
        for part in parts:
            earned += settle(rules, part, tier, (), Facts(earned_today=earned)).points_earned
        assert earned <= day


def _allowance(rules: Programme, goods: Basket, tier: str, parts: int) -> int:
    kinds = [rule for rule in rules.earn if rule.kind != "multiplier"]
    percents = sum(rule.percent for rule in rules.earn if rule.kind == "multiplier")
    own = sum(rule.points if rule.kind == "per_visit" else 1 for rule in kinds)
    once = own + sum(challenge.points for challenge in rules.challenges)
    competing = 0
    if any(rule.kind == "multiplier" and rule.stacking == "max" for rule in rules.earn):
        base = sum(part.points for part in settle(rules, goods, tier).accrual.components if part.kind == "base")
        competing = (base + own * parts) * percents // 100
    filtered = 0
    if any(rule.kind == "multiplier" and (rule.categories or rule.skus or rule.excluded_skus) for rule in rules.earn):
        filtered = percents // 100 + 1
    return parts * (once + once * percents // 100 + len(rules.earn) + filtered) + competing


def _split(goods: Basket, data: st.DataObject) -> list[Basket]:
    places = [data.draw(st.integers(0, 2)) for _ in goods.lines]
    return [
        goods.model_copy(
            update={"lines": tuple(line for line, at in zip(goods.lines, places, strict=True) if at == part)}
        )
        for part in range(3)
    ]


# -- redeem then void ----------------------------------------------------------------------------------------------

TODAY = date(2026, 6, 1)
LOTS = st.lists(
    st.builds(
        lambda number, points, vests, lasts: Lot(
            f"lot-{number}",
            points,
            TODAY + timedelta(days=vests),
            None if lasts is None else TODAY + timedelta(days=lasts),
        ),
        st.integers(0, 10**6),
        st.integers(1, 500),
        st.integers(-30, 10),
        st.none() | st.integers(-5, 400),
    ),
    max_size=6,
    unique_by=lambda lot: lot.id,
)


def holding(lots: list[Lot], debt: int) -> Lots:
    """A member with these lots who came to owe `debt` after that."""
    have = Lots()
    for lot in lots:
        have = earn(have, lot)
    return Lots(have.lots, debt)


@quick
@given(LOTS, st.integers(0, 300), st.integers(0, 2500), st.integers(0, 400))
def test_redeem_then_void_restores_balance_and_lots_exactly(
    lots: list[Lot], debt: int, spent: int, earned: int
) -> None:
    have = holding(lots, debt)
    after, draws = spend(have, spent, TODAY)
    assert after.balance == have.balance - spent
    sold = earn(after, Lot("sale", earned, TODAY, TODAY + timedelta(days=365)))
    assert sold.balance == have.balance - spent + earned
    unsold, taken = take_back(sold, "sale", earned)
    assert sum(draw.points for draw in taken) <= earned
    again, out = give_back(unsold, draws, spent)
    assert (again, out) == (have, ())


@quick
@given(LOTS, st.integers(0, 300), st.integers(0, 2500), st.data())
def test_giving_back_in_parts_is_giving_back_at_once(
    lots: list[Lot], debt: int, spent: int, data: st.DataObject
) -> None:
    have = holding(lots, debt)
    now, out = spend(have, spent, TODAY)
    left = spent
    while left:
        part = data.draw(st.integers(1, left))
        now, out = give_back(now, out, part)
        left -= part
        assert now.balance == have.balance - left
    assert (now, out) == (have, ())


# -- till and head office ------------------------------------------------------------------------------------------


@quick
@given(rich_programmes(), goods_baskets(), TIERS, known_facts(), WANTED)
def test_till_and_head_office_agree(
    rules: Programme, goods: Basket, tier: str, facts: Facts, wanted: list[str]
) -> None:
    """Through the bytes of the entry and head office's own copy of the programme; and of a return of it all."""
    sale = sale_entry(rules, goods, tier, take_some(rules, goods, tier, facts, wanted), facts)
    known = knowledge(Programme.from_document(rules.model_dump(mode="json")), sale)
    assert verdict(sale, known) is None
    whole = {line.line_id: line.quantity for line in goods.lines if line.quantity > 0 and line.gross_minor >= 0}
    if not whole:
        return
    first = {name: -(-quantity // 2) for name, quantity in whole.items()}
    returned = return_entry(sale, {}, first, 2)
    assert verdict(returned, known) is None
    rest = {name: quantity - first[name] for name, quantity in whole.items() if quantity > first[name]}
    if rest:
        assert verdict(return_entry(sale, quantities([returned]), rest, 3), known) is None
    assert verdict(return_entry(sale, {}, first, 4), known) == "return_refused"


@quick
@given(rich_programmes(), goods_baskets(min_minor=100), TIERS, known_facts())
def test_head_office_sees_every_point_that_is_too_many(
    rules: Programme, goods: Basket, tier: str, facts: Facts
) -> None:
    sale = sale_entry(rules, goods, tier, (), facts)
    settled = sale.settlement
    wrong = settled.model_copy(update={"points_earned": settled.points_earned + 1})
    forged = sale.model_copy(update={"settlement": wrong, "points": sale.points + 1})
    assert verdict(forged, knowledge(rules, sale)) == "accrual_differs"


def knowledge(rules: Programme, sale: Entry) -> Knowledge:
    """Head office with one member and one programme."""
    booked: dict[tuple[str, UUID], Booking] = {}
    cards: Mapping[str, str] = {"0" * 32: "m1"}
    return Knowledge(
        cards, frozenset({"m1"}), {rules.version: rules}, booked, set(), records={"m1": believing(sale, rules)}
    )


def believing(sale: Entry, rules: Programme) -> Record:
    """What head office knows of a member of whom all is true that `sale` states."""
    facts = sale.known_facts
    born = datetime.fromtimestamp(facts.at_ms / 1000, ZoneInfo(rules.time_zone))
    told = {f"tier:{sale.tier}"} | {f"segment:{name}" for name in facts.segments}
    return Record(
        told=told | {f"birthday:{born:%m-%d}", "pin"},
        added=Counter({known.counter: known.count for known in facts.counters}),
    )


def verdict(entry: Entry, known: Knowledge) -> str | None:
    """The code with which head office parks an entry; None when it books it."""
    received = receive(entry.seq, entry.encode(), bytes(32), terminal="t-1", epoch=1, today=date(2026, 3, 31))
    account, parking = judge(received, known)
    assert account == "m1"
    return None if parking is None else parking.code.value


def return_entry(sale: Entry, before: Mapping[str, int], back: Mapping[str, int], seq: int) -> Entry:
    """The journal entry of a return of `back` from `sale`."""
    made = return_goods(Sold.of(sale), before, back)
    return sale.model_copy(
        update={
            "seq": seq,
            "id": f"019d4530-4c00-7a00-8000-{seq:012d}",
            "session": f"s-{seq}",
            "kind": EntryKind.RETURN,
            "original": sale.id,
            "basket": made.basket,
            "settlement": made.settlement,
            "points": made.settlement.points_delta,
            "facts": None,
        }
    )


def test_nothing_known_is_the_default() -> None:
    """An entry from before there were facts computes as it did."""
    assert Facts() == UNKNOWN


def test_a_bonus_on_some_goods_does_not_fall_when_other_goods_grow() -> None:
    """€ 1.00 of two lines earns 1 point, which falls to the first; with a cent more on the second it falls to that one.

    A bonus counted on the first line's share would go from 1 to 0, and buying more would earn less. Counted on what the
    first line earns by itself, nothing at € 0.50, it is 0 both times.
    """
    rules = programme(per_amount(1, 100), multiplier(100, categories=["bread"]))

    def earned(other: int) -> int:
        lines = (line("bread", 50, category="bread"), line("other", other, category="food"))
        return settle(rules, Basket(lines=lines), "basic", (), UNKNOWN).points_earned

    assert [earned(other) for other in (50, 51, 150)] == [1, 1, 2]
