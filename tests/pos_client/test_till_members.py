"""Birthday, segments, reward stock, pending points and PIN at the till: with no line to head office."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from argon2 import PasswordHasher

from loyalty.errors import RewardRefused
from loyalty.programme_members import Credential
from pos_client.pins import LOCK_MS, MAX_WRONG, Pins
from pos_client.plugin.api import create_api
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.screen.facts import read_facts
from pos_client.screen.memory import Memory
from pos_client.screen.view import build_view
from sync.wire_mirror import AccountChange, StockChange
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.entries import basket
from tests.support.till import JORIS, PROGRAMME, SANNE, make_runtime, publish

TEXT = {"nl": "naam", "en": "name"}
BIRTHDAY = {"kind": "per_visit", "id": "jarig", "name": TEXT, "points": 20, "bonus": True, "birthday": "month"}
FAMILY = {"kind": "per_visit", "id": "gezin", "name": TEXT, "points": 5, "bonus": True, "segments": ["gezinnen"]}
PIN_HASH = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("4711")

Make = Callable[..., Runtime]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Runtime] = []

    def build(**changes: Any) -> Runtime:
        document = {**copy.deepcopy(PROGRAMME), **changes}
        document["earn"] = [*document["earn"], BIRTHDAY, FAMILY]
        document["rewards"][0] |= {"stock": 3, "limit_per_basket": 3}
        made.append(make_runtime(tmp_path, programme=document))
        return made[-1]

    yield build
    for runtime in made:
        runtime.store.close()


def tell(runtime: Runtime, seq: int = 0, **known: Any) -> None:
    """What head office says of Sanne."""
    state = {"account": SANNE.account, "first_name": "Sanne", "tier": "zilver", "points": 1284, **known}
    publish(runtime.mirror, [AccountChange(**state)], includes_seq=seq)


def begin(runtime: Runtime, session: str = "bon-1", card: str = SANNE.card, *amounts: int) -> None:
    runtime.till.open_session(session)
    runtime.till.identify(session, card)
    runtime.till.set_basket(session, basket(*(amounts or (2000,))))


def rules(runtime: Runtime, session: str = "bon-1") -> set[str]:
    return {part.rule for part in runtime.till.quote(session).settlement.accrual.components}


def test_a_birthday_and_a_segment_count_with_no_line(make: Make) -> None:
    runtime = make()
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()
    this_month = f"{today.month:02d}-{16 if today.day == 15 else 15}"
    tell(runtime, birthday=this_month, segments=("gezinnen", "elders"))
    begin(runtime)
    assert {"jarig", "gezin"} <= rules(runtime)
    entry = runtime.till.bookings.commit("bon-1").entry
    assert entry.facts is not None
    assert entry.facts.segments == ("gezinnen",)  # only what the programme asks for is written down
    assert this_month not in entry.model_dump_json()
    begin(runtime, "bon-2", JORIS.card)
    assert not {"jarig", "gezin"} & rules(runtime, "bon-2")


def test_another_month_is_no_birthday(make: Make) -> None:
    runtime = make()
    other = (datetime.now(ZoneInfo("Europe/Amsterdam")).month + 5) % 12 + 1
    tell(runtime, birthday=f"{other:02d}-15")
    begin(runtime)
    assert "jarig" not in rules(runtime)


def test_a_reward_is_offered_while_there_are_some(make: Make) -> None:
    runtime = make()
    publish(runtime.mirror, [AccountChange(account=JORIS.account, first_name=None, tier="basis", points=500)])
    publish(runtime.mirror, [StockChange(reward="koffie", given=1)])

    def offer(session: str) -> str | None:
        return next(option.code for option in runtime.till.quote(session).rewards if option.reward.id == "koffie")

    begin(runtime)
    assert offer("bon-1") is None
    runtime.till.redeem("bon-1", "koffie")
    runtime.till.bookings.commit("bon-1")
    begin(runtime, "bon-2", JORIS.card)
    publish(runtime.mirror, [StockChange(reward="koffie", given=2)])  # before it had our sale: another till gave one
    assert offer("bon-2") == "out_of_stock"
    with pytest.raises(RewardRefused) as caught:
        runtime.till.redeem("bon-2", "koffie")
    assert caught.value.code == "out_of_stock"
    runtime.till.bookings.void("bon-1")  # brings ours back
    assert offer("bon-2") is None
    publish(runtime.mirror, [StockChange(reward="koffie", given=3)], includes_seq=2)  # ours and its void included
    assert offer("bon-2") == "out_of_stock"


def test_pending_points_show_and_cannot_be_spent(make: Make) -> None:
    runtime = make(expiry={"vesting_days": 14})
    tell(runtime, points=600, pending=400)
    begin(runtime)
    quote = runtime.till.quote("bon-1")
    assert quote.holder is not None
    assert (quote.holder.balance, quote.holder.spendable) == (600, 200)
    with pytest.raises(RewardRefused) as caught:
        runtime.till.redeem("bon-1", "koffie")
    assert caught.value.code == "pending"
    view = build_view(read_facts(runtime), Memory(), "en")
    assert "of which 400 later" in view.as_of
    assert "some points cannot be spent yet" in {row.note for row in view.rows}
    assert "waarvan 400 later" in build_view(read_facts(runtime), Memory(), "nl").as_of


def test_what_is_earned_here_waits_too_until_head_office_says_otherwise(make: Make) -> None:
    runtime = make(expiry={"vesting_days": 14})
    tell(runtime, points=200)
    begin(runtime, "bon-1", SANNE.card, 10_000)
    runtime.till.bookings.commit("bon-1")  # 100, and 50 for silver
    begin(runtime, "bon-2", SANNE.card, 1000)
    runtime.till.bookings.commit("bon-2")  # 15
    holder = runtime.mirror.find(runtime.till.quote("bon-1").holder.card)  # type: ignore[union-attr]
    assert (holder.balance, holder.spendable) == (365, 200)
    runtime.till.bookings.void("bon-2")
    runtime.till.corrections.return_goods("retour", "bon-1", {"1": 1000})
    holder = runtime.mirror.find(holder.card)
    assert (holder.balance, holder.spendable) == (200, 200)  # what waited went first
    tell(runtime, seq=4, points=365, pending=0)
    assert runtime.mirror.find(holder.card).spendable == 365


def test_without_vesting_all_can_be_spent_at_once(make: Make) -> None:
    runtime = make()
    tell(runtime, points=200)
    begin(runtime, "bon-1", SANNE.card, 10_000)
    runtime.till.bookings.commit("bon-1")
    holder = runtime.till.quote("bon-1").holder
    assert holder is not None
    assert (holder.balance, holder.spendable) == (350, 350)


def test_an_exchange_costs_pending_points_nothing_that_could_be_spent(make: Make) -> None:
    runtime = make(expiry={"vesting_days": 14})
    tell(runtime, points=250)
    begin(runtime, "bon-1", SANNE.card, 10_000)
    runtime.till.bookings.commit("bon-1")  # 150 that wait
    begin(runtime, "bon-2", SANNE.card, 2000)
    runtime.till.redeem("bon-2", "koffie")
    returned, sale = runtime.till.bookings.exchange("bon-2", "bon-1", {"1": 1000})
    assert (returned.entry.points, sale.entry.settlement.points_spent) == (-150, 250)


SPENDING = {"spend": ["rotating", "pin"], "from_points": 100}


def test_the_pin_lets_a_member_spend(make: Make) -> None:
    runtime = make(credential=SPENDING)
    tell(runtime, pin=PIN_HASH)
    begin(runtime)
    with pytest.raises(RewardRefused) as caught:
        runtime.till.redeem("bon-1", "koffie")
    assert caught.value.code == "credential_needed"
    assert "only with the code on the phone or the PIN" in {
        row.note for row in build_view(read_facts(runtime), Memory(), "en").rows
    }
    with pytest.raises(TillError) as wrong:
        runtime.till.enter_pin("bon-1", "4712")
    assert (wrong.value.code, str(wrong.value)) == ("pin_wrong", "wrong PIN: 4 tries left")
    runtime.till.enter_pin("bon-1", "4711")
    runtime.till.redeem("bon-1", "koffie")
    facts = runtime.till.bookings.commit("bon-1").entry.facts
    assert facts is not None
    assert facts.credential is Credential.PIN


def test_a_pin_is_of_one_card_and_one_sale(make: Make) -> None:
    runtime = make(credential=SPENDING)
    tell(runtime, pin=PIN_HASH)
    begin(runtime)
    runtime.till.enter_pin("bon-1", "4711")
    runtime.till.identify("bon-1", JORIS.card)
    assert runtime.till.quote("bon-1").facts.credential is Credential.STATIC
    with pytest.raises(TillError) as caught:
        runtime.till.enter_pin("bon-1", "4711")
    assert caught.value.code == "pin_unknown"
    runtime.till.identify("bon-1", SANNE.card)
    assert runtime.till.quote("bon-1").facts.credential is Credential.STATIC
    runtime.till.open_session("bon-2")
    with pytest.raises(TillError) as caught:
        runtime.till.enter_pin("bon-2", "4711")
    assert caught.value.code == "no_card"


def test_guessing_is_locked_out_and_a_restart_forgives_nothing(make: Make) -> None:
    runtime = make(credential=SPENDING)
    tell(runtime, pin=PIN_HASH)
    clock = [1_000_000_000]

    def fresh() -> Pins:
        return Pins(runtime.store, runtime.mirror, lambda: clock[0])

    def code(pin: str) -> str | None:
        try:
            fresh().check(SANNE.account, pin)  # a new one each time: what is remembered is on the disk
        except TillError as error:
            return error.code
        return None

    assert [code("0000") for _ in range(MAX_WRONG)] == ["pin_wrong"] * (MAX_WRONG - 1) + ["pin_locked"]
    assert code("4711") == "pin_locked"  # even the right one
    clock[0] += LOCK_MS - 1
    assert code("4711") == "pin_locked"
    clock[0] += 1
    assert code("0000") == "pin_locked"  # one more guess, and locked again
    clock[0] -= 10 * LOCK_MS  # the clock was set back: not locked out for longer than the lock lasts
    assert code("4711") is None
    assert code("0000") == "pin_wrong"  # counted from the start


def test_a_pin_by_the_api(make: Make) -> None:
    runtime = make(credential=SPENDING)
    tell(runtime, pin=PIN_HASH)
    with serving(create_api(runtime, TOKEN)) as url, TillClient(url, TOKEN) as client:
        begin(runtime)
        with pytest.raises(PluginProblem) as caught:
            client.enter_pin("bon-1", "9999")
        assert (caught.value.code, caught.value.status) == ("pin_wrong", 409)
        assert "9999" not in str(caught.value)
        assert next(reward for reward in client.enter_pin("bon-1", "4711").rewards if reward.id == "koffie").available
        for _ in range(MAX_WRONG):
            with pytest.raises(PluginProblem) as caught:
                client.enter_pin("bon-1", "9999")
        assert (caught.value.code, caught.value.status) == ("pin_locked", 429)
