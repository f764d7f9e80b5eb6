"""Tokens and pairing: codes that end, guesses that are counted, tokens that are hashed and can be taken away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pos_client.events import EventBus, TillEvent
from pos_client.pairing import ASKED_S, CODE_S, MAX_ASKED, MAX_TRIES, Pairing
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.tokens import MAX_TOKENS, Scope, Tokens
from tests.support.till import make_runtime, reopened

SELL = frozenset({Scope.SELL})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = make_runtime(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[TillEvent]:
    return []


@pytest.fixture
def pairing(runtime: Runtime, clock: Clock, told: list[TillEvent]) -> Pairing:
    bus = EventBus()
    bus.listen(told.append)
    return Pairing(runtime.tokens, bus, clock)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(TillError) as caught:
        call()
    return caught.value.code


def wrong(code: str) -> str:
    return str((int(code) + 1) % 1_000_000).zfill(6)


def test_the_code_gives_a_token_once(pairing: Pairing, runtime: Runtime, told: list[TillEvent]) -> None:
    asked = pairing.ask("Kassa", SELL, None)
    assert pairing.shown == asked
    caller, token = pairing.finish(asked.code, None)
    assert (caller.name, caller.scopes, caller.origin) == ("Kassa", SELL, None)
    assert runtime.tokens.find(token) == caller
    assert pairing.shown is None
    assert refused(lambda: pairing.finish(asked.code, None)) == "pairing_unknown"
    assert [event.data for event in told] == [{"state": state, "name": "Kassa"} for state in ("asked", "paired")]
    assert asked.code not in str(told)


def test_a_code_ends_by_time_and_by_the_cashier(pairing: Pairing, clock: Clock, told: list[TillEvent]) -> None:
    code = pairing.ask("Kassa", SELL, None).code
    assert refused(lambda: pairing.ask("Another", SELL, None)) == "pairing_under_way"
    clock.now += CODE_S
    assert pairing.shown is None
    assert refused(lambda: pairing.finish(code, None)) == "pairing_unknown"
    code = pairing.ask("Another", SELL, None).code
    pairing.refuse()
    pairing.refuse()
    assert refused(lambda: pairing.finish(code, None)) == "pairing_unknown"
    assert [event.data["state"] for event in told] == ["asked", "asked", "refused"]


def test_guesses_end_the_pairing(pairing: Pairing, runtime: Runtime) -> None:
    code = pairing.ask("Kassa", SELL, None).code
    for _ in range(MAX_TRIES):
        assert refused(lambda: pairing.finish(wrong(code), None)) == "pairing_code_wrong"
    assert refused(lambda: pairing.finish(code, None)) == "pairing_unknown"
    assert runtime.tokens.all() == []


def test_asking_is_limited(pairing: Pairing, clock: Clock) -> None:
    for _ in range(MAX_ASKED):
        pairing.ask("Kassa", SELL, None)
        pairing.refuse()
        clock.now += 1
    assert refused(lambda: pairing.ask("Kassa", SELL, None)) == "pairing_locked"
    clock.now += ASKED_S - MAX_ASKED
    assert pairing.ask("Kassa", SELL, None)


def test_a_code_is_of_the_page_that_asked(pairing: Pairing) -> None:
    code = pairing.ask("Page", SELL, "https://till.example").code
    assert refused(lambda: pairing.finish(code, "https://other.example")) == "pairing_code_wrong"
    caller, _token = pairing.finish(code, "https://till.example")
    assert caller.origin == "https://till.example"


def test_tokens_outlive_a_restart_and_are_kept_as_hashes(tmp_path: Path) -> None:
    runtime = make_runtime(tmp_path)
    caller, token = runtime.tokens.make("Kassa", [Scope.SELL, Scope.READ], "https://till.example")
    gone, revoked = runtime.tokens.make("Old", [Scope.SELL], None)
    heard: list[str] = []
    runtime.tokens.on_revoked(heard.append)
    runtime.tokens.revoke(gone.id)
    assert runtime.tokens.revoke(gone.id).revoked_ms is not None
    assert heard == [gone.id]
    kept = str(runtime.store.rows("SELECT * FROM token"))
    assert token not in kept
    assert revoked not in kept
    runtime.store.close()
    runtime = reopened(tmp_path)
    assert runtime.tokens.find(token) == caller
    found = runtime.tokens.find(revoked)
    assert found is not None
    assert found.revoked_ms is not None
    assert runtime.tokens.origins() == {"https://till.example"}
    assert runtime.tokens.find("something else") is None
    assert refused(lambda: runtime.tokens.revoke("nobody")) == "token_unknown"
    runtime.store.close()


def test_tokens_are_limited(runtime: Runtime) -> None:
    tokens = Tokens(runtime.store)
    made = [tokens.make(f"till {n}", SELL, None)[0] for n in range(MAX_TOKENS)]
    assert refused(lambda: tokens.make("one more", SELL, None)) == "too_many_tokens"
    tokens.revoke(made[0].id)
    assert tokens.make("one more", SELL, None)
