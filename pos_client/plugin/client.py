"""A typed client of the loopback API, for tills in Python, for the demo and for the tests.

`pos_client.plugin.client_async` has the same for asyncio.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
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

__all__ = ["EventStream", "PluginProblem", "TillClient"]


class EventStream:
    """The events of the till, one by one, from the moment this was made. Close it, or use it in a `with` block.

    Iterating ends when the till ends the stream (it stopped, or this client fell too far behind): come back with
    `last_id`. It raises `PluginProblem` (`till_unreachable`) when the connection breaks.
    """

    def __init__(self, response: httpx.Response, last_id: str | None) -> None:
        self._response = response
        self._lines = response.iter_lines()
        self._events = EventLines(last_id)
        self._closed = False

    @property
    def last_id(self) -> str | None:
        """The id of the newest event."""
        return self._events.last_id

    def __iter__(self) -> Iterator[EventAnswer]:
        return self

    def __next__(self) -> EventAnswer:
        try:
            for line in self._lines:
                if event := self._events.take(line):
                    return event
        except (httpx.HTTPError, httpx.StreamError) as error:
            if not self._closed:
                raise unreachable(error) from error
        raise StopIteration

    def close(self) -> None:
        """End the stream; on any thread, also while another waits in it for the next event."""
        self._closed = True
        network = self._response.extensions.get("network_stream")
        if network is not None and not self._response.is_closed:
            # Closing a socket wakes nobody who reads from it; shutting it down does.
            with contextlib.suppress(OSError):
                network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hello(self) -> HelloAnswer:
        """Who is there. Needs no token."""
        return self._call(calls.hello())

    def ask_to_pair(self, request: Pair) -> PairAnswer:
        """Ask for a token: the cashier's screen shows a code, which `pair` takes. Needs no token."""
        return self._call(calls.ask_to_pair(request))

    def pair(self, code: str) -> PairAnswer:
        """Take the token with the code, and use it from now on. Keep it: it is told this once."""
        paired = self._call(calls.pair(code))
        self._http.headers["Authorization"] = f"Bearer {paired.token}"
        return paired

    def open_session(self, session: str | None = None, cashier: str | None = None) -> QuoteAnswer:
        """Start a sale; with an id of one's own, the same id again is the same session. `cashier`: who serves."""
        return self._call(calls.open_session(session, cashier))

    def set_basket(self, session: str, basket: Basket, version: int | None = None) -> QuoteAnswer:
        """Put the whole basket as it is now, in place of `version` of it; None for whatever is there."""
        return self._call(calls.set_basket(session, basket, version))

    def identify(self, session: str, card: str) -> QuoteAnswer:
        """Give the sale a card by its number."""
        return self._call(calls.identify(session, card))

    def enter_pin(self, session: str, pin: str) -> QuoteAnswer:
        """Prove the card by the member's PIN."""
        return self._call(calls.enter_pin(session, pin))

    def quote(self, session: str) -> QuoteAnswer:
        """What the sale comes to now."""
        return self._call(calls.quote(session))

    def redeem(self, session: str, reward: str, amount_minor: int | None = None) -> QuoteAnswer:
        """Take a reward.

        Args:
            amount_minor: for points as part payment, what is paid with them; one step when None.
        """
        return self._call(calls.redeem(session, reward, amount_minor))

    def unredeem(self, session: str, reward: str) -> QuoteAnswer:
        """Take a chosen reward off the sale again."""
        return self._call(calls.unredeem(session, reward))

    def use_coupon(self, session: str, code: str) -> QuoteAnswer:
        """Take the coupon with this single-use code."""
        return self._call(calls.use_coupon(session, code))

    def tender(self, session: str, kind: Tender) -> QuoteAnswer:
        """Say that the customer begins to pay."""
        return self._call(calls.tender(session, kind))

    def commit(self, session: str) -> BookedAnswer:
        """Book the sale."""
        return self._call(calls.commit(session))

    def void(self, session: str) -> BookedAnswer:
        """Drop an open sale, or reverse a booked one."""
        return self._call(calls.void(session))

    def adjust(self, request: Adjust) -> AdjustedAnswer:
        """Give or take points on a manager's word."""
        return self._call(calls.adjust(request))

    def order_card(self, request: OrderCard) -> AdjustedAnswer:
        """Block a card, let it in again, or replace it, on a manager's word."""
        return self._call(calls.order_card(request))

    def inbox(self, *, everything: bool = False) -> InboxAnswer:
        """What head office did not book in this store."""
        return self._call(calls.inbox(everything))

    def decide(self, number: int, request: Decide) -> DecidedAnswer:
        """Decide about a parked entry."""
        return self._call(calls.decide(number, request))

    def return_goods(self, return_id: str, sale: str, lines: Mapping[str, int]) -> BookedAnswer:
        """Take goods back from a sale: thousandths by line id."""
        return self._call(calls.return_goods(return_id, sale, lines))

    def exchange(self, session: str, sale: str, lines: Mapping[str, int]) -> ExchangedAnswer:
        """Take goods back from `sale`, thousandths by line id, and book the open `session` in one."""
        return self._call(calls.exchange(session, sale, lines))

    def print_receipt(self, receipt: str) -> PrintedAnswer:
        """Print a receipt of this till, by the number on it or its entry's id; waits until it is on paper."""
        return self._call(calls.print_receipt(receipt))

    def revoke_token(self, token_id: str) -> TokenAnswer:
        """Refuse a paired program's token from now on."""
        return self._call(calls.revoke_token(token_id))

    def status(self) -> StatusAnswer:
        """How the till is doing."""
        return self._call(calls.status())

    def sync(self, *, nightly: bool = False) -> SyncAnswer:
        """Exchange with head office now; `nightly` compares each open day as well."""
        return self._call(calls.sync(nightly))

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

    def _call(self, call: Call[A]) -> A:
        headers = headers_of(call)

        def ask() -> A:
            try:
                response = self._http.request(
                    call.method, call.path, json=call.body, headers=headers, timeout=call.timeout_s
                )
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            return answered(call, response)

        return tenacity.Retrying(**self._again)(ask)
