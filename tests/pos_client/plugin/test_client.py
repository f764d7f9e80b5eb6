"""Both Python clients, against a real till in a process of its own that is killed and started again."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pos_client.plugin.client import AsyncTillClient, PluginProblem, TillClient
from tests.support.entries import basket
from tests.support.process import TillProcess
from tests.support.till import JORIS, SANNE, closed_port

WAIT_S = 30.0


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TillProcess]:
    with TillProcess(tmp_path_factory.mktemp("process")) as made:
        yield made


class Blocking:
    """The asynchronous client, one call at a time: so that one test is of both."""

    def __init__(self, address: str, token: str, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncTillClient(address, token, **settings)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._loop.run_until_complete(getattr(self._client, name)(*args, **kwargs))

        return call

    def end(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@pytest.fixture(params=["sync", "async"])
def till(request: pytest.FixtureRequest, process: TillProcess) -> Iterator[Any]:
    if request.param == "sync":
        with TillClient(process.address, process.token) as client:
            yield client
        return
    blocking = Blocking(process.address, process.token)
    yield blocking
    blocking.end()


def test_both_clients_have_the_same_calls() -> None:
    sync, other = (
        {
            name: [*inspect.signature(made).parameters.values()]
            for name, made in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }
        for client in (TillClient, AsyncTillClient)
    )
    assert sync == other
    answers = {name: inspect.signature(getattr(TillClient, name)).return_annotation for name in sync}
    awaited = {name: inspect.signature(getattr(AsyncTillClient, name)).return_annotation for name in other}
    assert {name: text.removeprefix("Async") for name, text in awaited.items()} == answers


def test_a_day_of_calls(till: Any) -> None:
    session = till.open_session().session
    till.set_basket(session, basket(1500, 840), 0)
    assert till.identify(session, SANNE.card).member.first_name == "Sanne"
    assert till.redeem(session, "koffie").settlement.points_spent == 250
    assert till.unredeem(session, "koffie").settlement.points_spent == 0
    assert till.quote(session).settlement.points_earned == 34
    booked = till.commit(session)
    assert booked.entry.points == 34
    assert till.return_goods(f"{session}-back", session, {"1": 1000}).entry.points < 0
    assert till.void(till.open_session().session).entry is None
    late = till.attach_late(f"{session}-late", SANNE.card, basket(1000))
    assert late.entry.points == 15
    assert till.receipt(late.session).entry == late.entry.id
    assert till.balance(SANNE.card).member.balance.total == late.member.balance.total
    assert till.tokens().tokens == ()
    assert till.status().queue_length > 0
    assert till.inbox().entries == ()
    with pytest.raises(PluginProblem) as caught:
        till.commit("never-opened")
    assert (caught.value.code, caught.value.status) == ("unknown_session", 404)


def test_killed_between_booking_and_answer_it_is_booked_once(till: Any, process: TillProcess) -> None:
    process.stop()
    process.start(dies=True)
    session = till.open_session().session
    till.set_basket(session, basket(1000), 0)
    till.identify(session, JORIS.card)
    before = till.status().queue_length
    process.start_again_when_it_dies()
    killed = process.pid
    booked = till.commit(session)
    process.back()
    assert process.pid != killed
    assert (booked.entry.kind, booked.entry.points) == ("sale", 10)
    assert till.commit(session).entry == booked.entry
    assert till.status().queue_length == before + 1


def test_a_till_that_is_away_is_waited_for(till: Any, process: TillProcess) -> None:
    process.kill()
    process.start_again_when_it_dies()
    assert till.status().till == "kassa 2"
    process.back()


def test_what_was_open_when_the_till_was_killed_is_said(till: Any, process: TillProcess) -> None:
    session = till.open_session().session
    process.kill()
    process.start_again_when_it_dies()
    with pytest.raises(PluginProblem, match="unknown_session"):
        till.redeem(session, "koffie")
    process.back()
    till.open_session(session)
    till.set_basket(session, basket(1000), 0)
    till.identify(session, SANNE.card)
    assert till.commit(session).entry is not None


@pytest.mark.parametrize("client", [TillClient, Blocking])
def test_patience_ends(client: type[Any]) -> None:
    begun = time.monotonic()
    with pytest.raises(PluginProblem, match="till_unreachable"):
        client(f"http://127.0.0.1:{closed_port()}", "token", patience_s=0.5).status()
    assert time.monotonic() - begun < 2


def test_events_come_to_both_clients(process: TillProcess) -> None:
    async def heard() -> list[str]:
        async with AsyncTillClient(process.address, process.token) as client, await client.events() as events:
            session = (await client.open_session()).session
            await client.void(session)
            found = [await anext(events), await anext(events)]
            assert events.last_id == found[-1].id
            async with await client.events(found[0].id) as again:
                assert await anext(again) == found[1]
            return [event.event for event in found]

    assert asyncio.run(asyncio.wait_for(heard(), WAIT_S)) == ["session_changed", "session_changed"]
    with TillClient(process.address, process.token) as client, client.events() as events:
        client.void(client.open_session().session)
        assert next(events).event == "session_changed"


def test_an_event_stream_ends_with_the_till(process: TillProcess) -> None:
    stopping = threading.Thread(target=process.stop)

    async def heard() -> list[Any]:
        async with AsyncTillClient(process.address, process.token) as client, await client.events() as events:
            stopping.start()
            return [event async for event in events]

    assert asyncio.run(asyncio.wait_for(heard(), WAIT_S)) == []
    stopping.join()
    process.start()


def test_a_wrong_token_is_not_tried_again(process: TillProcess) -> None:
    async def refused() -> PluginProblem:
        async with AsyncTillClient(process.address, "wrong") as client:
            with pytest.raises(PluginProblem) as caught:
                await client.events()
            return caught.value

    begun = time.monotonic()
    assert asyncio.run(refused()).code == "unauthorized"
    with TillClient(process.address, "wrong") as client, pytest.raises(PluginProblem, match="unauthorized"):
        client.status()
    assert time.monotonic() - begun < 5
