"""The typed client of the loopback API for asyncio: the same calls as `pos_client.plugin.client`, awaited."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self

import httpx
import tenacity

from loyalty.basket import Basket
from loyalty.serving import Tender
from pos_client.plugin import client_calls as calls
from pos_client.plugin.client_calls import A, Call
from pos_client.plugin.client_wire import (
    PATIENCE_S,
    EventLines,
    PluginProblem,
    again,
    answered,
    headers_of,
    listening,
    problem_of,
    settings,
    unreachable,
)
from pos_client.plugin.messages import BookedAnswer, ExchangedAnswer, PrintedAnswer, QuoteAnswer
from pos_client.plugin.messages_manager import (
    Adjust,
    AdjustedAnswer,
    Decide,
    DecidedAnswer,
    InboxAnswer,
    OrderCard,
)
from pos_client.plugin.messages_pair import HelloAnswer, Pair, PairAnswer, TokenAnswer
from pos_client.plugin.messages_till import EventAnswer, StatusAnswer, SyncAnswer

__all__ = ["AsyncEventStream", "AsyncTillClient", "PluginProblem"]


class AsyncEventStream:
    """The events of the till, one by one, from the moment this was made. Close it, or use it in `async with`.

    Iterating ends when the till ends the stream (it stopped, or this client fell too far behind): come back with
    `last_id`. It raises `PluginProblem` (`till_unreachable`) when the connection breaks.
    """

    def __init__(self, response: httpx.Response, last_id: str | None) -> None:
        self._response = response
        self._lines = response.aiter_lines()
        self._events = EventLines(last_id)

    @property
    def last_id(self) -> str | None:
        """The id of the newest event."""
        return self._events.last_id

    def __aiter__(self) -> AsyncIterator[EventAnswer]:
        return self

    async def __anext__(self) -> EventAnswer:
        try:
            async for line in self._lines:
                if event := self._events.take(line):
                    return event
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise unreachable(error) from error
        raise StopAsyncIteration

    async def close(self) -> None:
        """End the stream. A task that waits in it is ended by cancelling it."""
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncTillClient:
    """One till's API, for one event loop. Every call raises `PluginProblem`.

    A call that got no answer is made again, with the same Idempotency-Key, until the till answers: it is carried out
    once, also when the till was killed and started in between.

    Args:
        base_url: as in `http://127.0.0.1:8321`.
        token: from an earlier pairing, or what the till's plugin.token file holds; none before `pair`.
        patience_s: how long a call is made again; 0 for once only.
    """

    def __init__(self, base_url: str, token: str = "", *, patience_s: float = PATIENCE_S) -> None:
        self._http = httpx.AsyncClient(**settings(base_url, token))
        self._again = again(patience_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def hello(self) -> HelloAnswer:
        """Who is there. Needs no token."""
        return await self._call(calls.hello())

    async def ask_to_pair(self, request: Pair) -> PairAnswer:
        """Ask for a token: the cashier's screen shows a code, which `pair` takes. Needs no token."""
        return await self._call(calls.ask_to_pair(request))

    async def pair(self, code: str) -> PairAnswer:
        """Take the token with the code, and use it from now on. Keep it: it is told this once."""
        paired = await self._call(calls.pair(code))
        self._http.headers["Authorization"] = f"Bearer {paired.token}"
        return paired

    async def open_session(self, session: str | None = None, cashier: str | None = None) -> QuoteAnswer:
        """Start a sale; with an id of one's own, the same id again is the same session. `cashier`: who serves."""
        return await self._call(calls.open_session(session, cashier))

    async def set_basket(self, session: str, basket: Basket, version: int | None = None) -> QuoteAnswer:
        """Put the whole basket as it is now, in place of `version` of it; None for whatever is there."""
        return await self._call(calls.set_basket(session, basket, version))

    async def identify(self, session: str, card: str) -> QuoteAnswer:
        """Give the sale a card by its number."""
        return await self._call(calls.identify(session, card))

    async def enter_pin(self, session: str, pin: str) -> QuoteAnswer:
        """Prove the card by the member's PIN."""
        return await self._call(calls.enter_pin(session, pin))

    async def quote(self, session: str) -> QuoteAnswer:
        """What the sale comes to now."""
        return await self._call(calls.quote(session))

    async def redeem(self, session: str, reward: str, amount_minor: int | None = None) -> QuoteAnswer:
        """Take a reward.

        Args:
            amount_minor: for points as part payment, what is paid with them; one step when None.
        """
        return await self._call(calls.redeem(session, reward, amount_minor))

    async def unredeem(self, session: str, reward: str) -> QuoteAnswer:
        """Take a chosen reward off the sale again."""
        return await self._call(calls.unredeem(session, reward))

    async def use_coupon(self, session: str, code: str) -> QuoteAnswer:
        """Take the coupon with this single-use code."""
        return await self._call(calls.use_coupon(session, code))

    async def tender(self, session: str, kind: Tender) -> QuoteAnswer:
        """Say that the customer begins to pay."""
        return await self._call(calls.tender(session, kind))

    async def commit(self, session: str) -> BookedAnswer:
        """Book the sale."""
        return await self._call(calls.commit(session))

    async def void(self, session: str) -> BookedAnswer:
        """Drop an open sale, or reverse a booked one."""
        return await self._call(calls.void(session))

    async def adjust(self, request: Adjust) -> AdjustedAnswer:
        """Give or take points on a manager's word."""
        return await self._call(calls.adjust(request))

    async def order_card(self, request: OrderCard) -> AdjustedAnswer:
        """Block a card, let it in again, or replace it, on a manager's word."""
        return await self._call(calls.order_card(request))

    async def inbox(self, *, everything: bool = False) -> InboxAnswer:
        """What head office did not book in this store."""
        return await self._call(calls.inbox(everything))

    async def decide(self, number: int, request: Decide) -> DecidedAnswer:
        """Decide about a parked entry."""
        return await self._call(calls.decide(number, request))

    async def return_goods(self, return_id: str, sale: str, lines: Mapping[str, int]) -> BookedAnswer:
        """Take goods back from a sale: thousandths by line id."""
        return await self._call(calls.return_goods(return_id, sale, lines))

    async def exchange(self, session: str, sale: str, lines: Mapping[str, int]) -> ExchangedAnswer:
        """Take goods back from `sale`, thousandths by line id, and book the open `session` in one."""
        return await self._call(calls.exchange(session, sale, lines))

    async def print_receipt(self, receipt: str) -> PrintedAnswer:
        """Print a receipt of this till, by the number on it or its entry's id; waits until it is on paper."""
        return await self._call(calls.print_receipt(receipt))

    async def revoke_token(self, token_id: str) -> TokenAnswer:
        """Refuse a paired program's token from now on."""
        return await self._call(calls.revoke_token(token_id))

    async def status(self) -> StatusAnswer:
        """How the till is doing."""
        return await self._call(calls.status())

    async def sync(self, *, nightly: bool = False) -> SyncAnswer:
        """Exchange with head office now; `nightly` compares each open day as well."""
        return await self._call(calls.sync(nightly))

    async def events(self, last_id: str | None = None) -> AsyncEventStream:
        """Listen, from now on (when this returns) or from after the event `last_id`."""
        request = self._http.build_request("GET", "/v1/events", **listening(last_id))
        try:
            response = await self._http.send(request, stream=True)
            if not response.is_success:
                await response.aread()
                raise problem_of(response)
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        return AsyncEventStream(response, last_id)

    async def _call(self, call: Call[A]) -> A:
        headers = headers_of(call)

        async def ask() -> A:
            try:
                response = await self._http.request(
                    call.method, call.path, json=call.body, headers=headers, timeout=call.timeout_s
                )
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            return answered(call, response)

        return await tenacity.AsyncRetrying(**self._again)(ask)
