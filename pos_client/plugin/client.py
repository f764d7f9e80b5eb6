"""Typed clients of the loopback API: `TillClient`, and `AsyncTillClient` for asyncio.

What is sent and what it answers stands in `client_calls`, once; what an answer or a fault means in `client_wire`. Each
client adds its way of waiting, and has every call as a method.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from types import TracebackType
from typing import Generic, ParamSpec, Self

import httpx
import tenacity

from pos_client.plugin import client_calls as calls
from pos_client.plugin.client_calls import A, Call
from pos_client.plugin.client_events import AsyncEventStream, EventStream
from pos_client.plugin.client_wire import (
    PATIENCE_S,
    PluginProblem,
    again,
    answered,
    listening,
    problem_of,
    request_of,
    settings,
    unreachable,
)
from pos_client.plugin.messages_pair import PairAnswer

__all__ = ["AsyncEventStream", "AsyncTillClient", "EventStream", "PluginProblem", "TillClient"]

P = ParamSpec("P")


class _Method(Generic[P, A]):
    """A call as a method of `TillClient`: takes what the call takes, gives its answer."""

    def __init__(self, make: Callable[P, Call[A]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: TillClient, _: type[TillClient]) -> Callable[P, A]:
        @wraps(self._make)
        def method(*args: P.args, **kwargs: P.kwargs) -> A:
            return client.ask(self._make(*args, **kwargs))

        return method


class _Awaited(Generic[P, A]):
    """A call as a method of `AsyncTillClient`."""

    def __init__(self, make: Callable[P, Call[A]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __get__(self, client: AsyncTillClient, _: type[AsyncTillClient]) -> Callable[P, Awaitable[A]]:
        @wraps(self._make)
        def method(*args: P.args, **kwargs: P.kwargs) -> Awaitable[A]:
            return client.ask(self._make(*args, **kwargs))

        return method


class TillClient:
    """One till's API. Thread-safe. Every call raises `PluginProblem`.

    A call that got no answer is made again, with the same Idempotency-Key, until the till answers: it is carried out
    once, also when the till was killed and started in between.

    Args:
        base_url: as in `http://127.0.0.1:8321`.
        token: from an earlier pairing, or what the till's plugin.token file holds; none before `pair`.
        patience_s: how long a call is made again; 0 for once only.
    """

    def __init__(self, base_url: str, token: str = "", *, patience_s: float = PATIENCE_S) -> None:
        self._http = httpx.Client(**settings(base_url, token))
        self._again = again(patience_s)

    hello = _Method(calls.hello)
    ask_to_pair = _Method(calls.ask_to_pair)
    tokens = _Method(calls.tokens)
    revoke_token = _Method(calls.revoke_token)
    open_session = _Method(calls.open_session)
    set_basket = _Method(calls.set_basket)
    identify = _Method(calls.identify)
    enter_pin = _Method(calls.enter_pin)
    quote = _Method(calls.quote)
    redeem = _Method(calls.redeem)
    unredeem = _Method(calls.unredeem)
    use_coupon = _Method(calls.use_coupon)
    tender = _Method(calls.tender)
    commit = _Method(calls.commit)
    void = _Method(calls.void)
    return_goods = _Method(calls.return_goods)
    exchange = _Method(calls.exchange)
    attach_late = _Method(calls.attach_late)
    balance = _Method(calls.balance)
    receipt = _Method(calls.receipt)
    print_receipt = _Method(calls.print_receipt)
    adjust = _Method(calls.adjust)
    order_card = _Method(calls.order_card)
    inbox = _Method(calls.inbox)
    decide = _Method(calls.decide)
    status = _Method(calls.status)
    sync = _Method(calls.sync)

    def pair(self, code: str) -> PairAnswer:
        """Take the token with the code on the screen, and use it from now on. Keep it: it is told this once."""
        paired = self.ask(calls.take_token(code))
        self._http.headers["Authorization"] = f"Bearer {paired.token}"
        return paired

    def events(self, last_id: str | None = None) -> EventStream:
        """Listen, from now on (when this returns) or from after the event `last_id`."""
        request = self._http.build_request("GET", "/v1/events", **listening(last_id))
        try:
            response = self._http.send(request, stream=True)
            if not response.is_success:
                response.read()
                raise problem_of(response)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return EventStream(response, last_id)

    def ask(self, call: Call[A]) -> A:
        """Make a call, and again while that may help."""
        request = request_of(call)

        def once() -> A:
            try:
                response = self._http.request(**request)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            return answered(call, response)

        return tenacity.Retrying(**self._again)(once)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTillClient:
    """As `TillClient`, for one event loop: the same calls, awaited."""

    def __init__(self, base_url: str, token: str = "", *, patience_s: float = PATIENCE_S) -> None:
        self._http = httpx.AsyncClient(**settings(base_url, token))
        self._again = again(patience_s)

    hello = _Awaited(calls.hello)
    ask_to_pair = _Awaited(calls.ask_to_pair)
    tokens = _Awaited(calls.tokens)
    revoke_token = _Awaited(calls.revoke_token)
    open_session = _Awaited(calls.open_session)
    set_basket = _Awaited(calls.set_basket)
    identify = _Awaited(calls.identify)
    enter_pin = _Awaited(calls.enter_pin)
    quote = _Awaited(calls.quote)
    redeem = _Awaited(calls.redeem)
    unredeem = _Awaited(calls.unredeem)
    use_coupon = _Awaited(calls.use_coupon)
    tender = _Awaited(calls.tender)
    commit = _Awaited(calls.commit)
    void = _Awaited(calls.void)
    return_goods = _Awaited(calls.return_goods)
    exchange = _Awaited(calls.exchange)
    attach_late = _Awaited(calls.attach_late)
    balance = _Awaited(calls.balance)
    receipt = _Awaited(calls.receipt)
    print_receipt = _Awaited(calls.print_receipt)
    adjust = _Awaited(calls.adjust)
    order_card = _Awaited(calls.order_card)
    inbox = _Awaited(calls.inbox)
    decide = _Awaited(calls.decide)
    status = _Awaited(calls.status)
    sync = _Awaited(calls.sync)

    async def pair(self, code: str) -> PairAnswer:
        """As `TillClient.pair`."""
        paired = await self.ask(calls.take_token(code))
        self._http.headers["Authorization"] = f"Bearer {paired.token}"
        return paired

    async def events(self, last_id: str | None = None) -> AsyncEventStream:
        """As `TillClient.events`."""
        request = self._http.build_request("GET", "/v1/events", **listening(last_id))
        try:
            response = await self._http.send(request, stream=True)
            if not response.is_success:
                await response.aread()
                raise problem_of(response)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return AsyncEventStream(response, last_id)

    async def ask(self, call: Call[A]) -> A:
        """As `TillClient.ask`."""
        request = request_of(call)

        async def once() -> A:
            try:
                response = await self._http.request(**request)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            return answered(call, response)

        return await tenacity.AsyncRetrying(**self._again)(once)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
