"""A till whose disk or queue comes near its limit: it goes on earning, gives no points alone, and says so in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from loyalty.basket import Basket, Line
from loyalty.errors import RewardRefused
from loyalty.offline import Reason
from pos_client.plugin.api import create_api
from pos_client.plugin.problems import STATUS
from pos_client.room import MANY_QUEUED, MOST_QUEUED, NO_SPACE_BYTES, Room
from pos_client.runtime import Runtime
from pos_client.screen.facts import read_facts
from pos_client.screen.memory import Memory
from pos_client.screen.view import build_view
from pos_client.screen.words import REASONS
from pos_client.troubles import troubles
from tests.support.small_disk import small_disk
from tests.support.till import SANNE, make_runtime

TOKEN = "test-token-of-forty-three-characters-0123456"
BREAD = Basket(lines=(Line(line_id="1", sku="bread", text="Brood", gross_minor=1000),))
DISK_MB = NO_SPACE_BYTES // 2**20 + 16
"""Enough space for rewards, and little enough to be taken up in a moment."""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path / "till")
    yield made
    made.store.close()


def wait(runtime: Runtime, entries: int) -> None:
    """Have so many entries wait for head office, without writing them."""
    with runtime.store.transaction() as connection:
        connection.execute("UPDATE head SET acked_seq = seq - ?", (entries,))
    assert runtime.room.queued() == entries


def prepare(runtime: Runtime, session: str) -> None:
    runtime.till.open_session(session)
    runtime.till.set_basket(session, BREAD)
    runtime.till.identify(session, SANNE.card)


def refusal(runtime: Runtime, session: str) -> str:
    with pytest.raises(RewardRefused) as caught:
        runtime.till.redeem(session, "koffie")
    return caught.value.code


def codes(runtime: Runtime) -> set[str]:
    return {trouble.code for trouble in troubles(runtime)}


def test_on_a_disk_that_fills_up_rewards_end_long_before_booking() -> None:
    with small_disk(DISK_MB) as disk:
        runtime = make_runtime(disk / "till")
        try:
            prepare(runtime, "bon-1")
            runtime.till.redeem("bon-1", "koffie")
            assert runtime.till.bookings.commit("bon-1").entry.settlement.points_spent == 250
            assert codes(runtime) == {"disk_little"}
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(16 * 2**20))
            assert codes(runtime) == {"disk_full"}
            prepare(runtime, "bon-2")
            assert refusal(runtime, "bon-2") == "no_room"
            booked = runtime.till.bookings.commit("bon-2").entry
            assert (booked.points, booked.settlement.points_spent) == (15, 0)
            ballast.unlink()
            prepare(runtime, "bon-3")
            assert runtime.till.redeem("bon-3", "koffie").settlement.points_spent == 250
        finally:
            runtime.store.close()


def test_from_the_longest_queue_on_the_till_only_earns(runtime: Runtime) -> None:
    wait(runtime, MOST_QUEUED - 1)
    prepare(runtime, "bon-1")
    runtime.till.redeem("bon-1", "koffie")
    runtime.till.bookings.commit("bon-1")
    assert runtime.room.queued() == MOST_QUEUED
    prepare(runtime, "bon-2")
    assert refusal(runtime, "bon-2") == "no_room"
    assert runtime.till.bookings.commit("bon-2").entry.points == 15
    wait(runtime, MOST_QUEUED - 1)
    prepare(runtime, "bon-3")
    assert runtime.till.redeem("bon-3", "koffie").settlement.points_spent == 250


def test_a_reward_that_was_chosen_before_comes_off_and_the_sale_is_booked(runtime: Runtime) -> None:
    prepare(runtime, "bon-1")
    runtime.till.redeem("bon-1", "koffie")
    wait(runtime, MOST_QUEUED)
    with pytest.raises(RewardRefused) as caught:
        runtime.till.bookings.commit("bon-1")
    assert caught.value.code == "no_room"
    runtime.till.unredeem("bon-1", "koffie")
    assert runtime.till.bookings.commit("bon-1").entry.points == 15


def test_returns_voids_and_corrections_go_on(runtime: Runtime) -> None:
    prepare(runtime, "bon-1")
    runtime.till.redeem("bon-1", "koffie")
    runtime.till.bookings.commit("bon-1")
    prepare(runtime, "bon-2")
    runtime.till.bookings.commit("bon-2")
    wait(runtime, MOST_QUEUED)
    assert runtime.till.bookings.void("bon-1") is not None
    corrections = runtime.till.corrections
    assert corrections.return_goods("terug", "bon-2", {"1": 1000}).entry.points == -15
    assert corrections.adjust("a-1", SANNE.card, -50, reason="verkeerde bon", approver="chef").entry.points == -50


def test_a_disk_that_cannot_be_measured_stops_nobody(runtime: Runtime, tmp_path: Path) -> None:
    room = Room(tmp_path / "gone", runtime.journal)
    assert (room.free_bytes(), room.short()) == (None, False)


@pytest.mark.parametrize(
    ("queued", "code"),
    [
        (MANY_QUEUED - 1, set()),
        (MANY_QUEUED, {"queue_long"}),
        (MOST_QUEUED - 1, {"queue_long"}),
        (MOST_QUEUED, {"queue_full"}),
    ],
)
def test_the_manager_hears_of_a_long_queue_before_rewards_end(runtime: Runtime, queued: int, code: set[str]) -> None:
    wait(runtime, queued)
    assert codes(runtime) == code


def test_the_cashier_reads_why(runtime: Runtime) -> None:
    wait(runtime, MOST_QUEUED)
    idle = build_view(read_facts(runtime), Memory(), "nl")
    assert idle.message is not None
    assert idle.message.text.startswith("1000000 boekingen wachten op het hoofdkantoor: sparen gaat door")
    assert idle.allowed == "Sparen gaat door. Inwisselen wacht op de verbinding"
    prepare(runtime, "bon-1")
    runtime.till.present_card(SANNE.card, "EAN-13")
    told = {language: build_view(read_facts(runtime), Memory(), language).rows[0].note for language in ("nl", "en")}
    assert told == {"nl": "de opslag van deze kassa is bijna vol", "en": "this till's storage is almost full"}


def test_the_tills_software_hears_why(runtime: Runtime) -> None:
    wait(runtime, MOST_QUEUED)
    prepare(runtime, "bon-1")
    with TestClient(
        create_api(runtime, TOKEN), "http://127.0.0.1:8321", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as client:
        quote = client.post("/v1/sessions/bon-1/quote").json()
        assert quote["redeemable"] == {"limit_points": 0, "reason": "no_room", "mode": "never"}
        refused = client.post("/v1/sessions/bon-1/redeem", json={"reward": "koffie"})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_room")
        assert client.post("/v1/sessions/bon-1/commit").is_success


@pytest.mark.parametrize("code", [*Reason, "points_held"])
def test_every_reason_and_head_offices_no_has_an_answer_of_the_api_and_a_sentence(code: str) -> None:
    assert code in STATUS
    # Beside a reward that the balance forbids stand the points that are missing.
    assert code in REASONS or code == Reason.BALANCE
