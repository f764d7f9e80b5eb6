"""A small typed client of the loopback API, for tills in Python, for the demo and for the tests."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote as in_path

import httpx
from pydantic import ValidationError

from loyalty.basket import Basket
from loyalty.serving import Tender
from pos_client.plugin.messages import Answer, BookedAnswer, ExchangedAnswer, PrintedAnswer, Problem, QuoteAnswer
from pos_client.plugin.messages_manager import (
    Adjust,
    AdjustedAnswer,
    Approved,
    Decide,
    DecidedAnswer,
    InboxAnswer,
    OrderCard,
)
from pos_client.plugin.messages_pair import TokenAnswer
from pos_client.plugin.messages_till import EventAnswer, StatusAnswer, SyncAnswer

A = TypeVar("A", bound=Answer)
TIMEOUT_S = 10.0
"""A call takes milliseconds; a disk that needs longer than this is failing."""
SYNC_TIMEOUT_S = 900.0
"""A day's queue over a bad mobile line."""
PRINT_TIMEOUT_S = 60.0
"""Longer than the till waits for a printer that takes no data."""
SILENCE_S = 45.0
"""The stream sends a comment every 15 seconds: after three of those in silence the till is gone."""


class PluginProblem(Exception):
    """The till said no. `code` is stable (docs/plugin.md lists them); `status` is 0 when there was no answer at all."""

    def __init__(self, code: str, status: int, detail: str) -> None:
        self.code = code
        self.status = status
        self.detail = detail
        super().__init__(f"{detail} ({code})")


class EventStream:
    """The events of the till, one by one, from the moment this was made. Close it, or use it in a `with` block.

    Iterating ends when the till ends the stream (it stopped, or this client fell too far behind): come back with
    `last_id`. It raises `PluginProblem` (`till_unreachable`) when the connection breaks.
    """

    def __init__(self, response: httpx.Response, last_id: str | None) -> None:
        self._response = response
        self._lines = response.iter_lines()
        self._closed = False
        self.last_id = last_id

    def __iter__(self) -> Iterator[EventAnswer]:
        return self

    def __next__(self) -> EventAnswer:
        fields: dict[str, str] = {}
        try:
            for line in self._lines:
                name, _, value = line.partition(":")
                if name:  # a line that starts with a colon is a comment
                    fields[name] = value.removeprefix(" ")
                elif not line and "data" not in fields:
                    fields = {}
                elif not line:
                    self.last_id = fields.get("id", self.last_id)
                    return EventAnswer(
                        id=self.last_id or "", event=fields.get("event", "message"), data=json.loads(fields["data"])
                    )
        except (httpx.HTTPError, httpx.StreamError) as error:
            if not self._closed:
                raise _unreachable(error) from error
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
    """One till's API. Thread-safe. Nothing is tried again by itself: every call but `redeem` may be repeated safely.

    Every call raises `PluginProblem`.

    Args:
        base_url: as in `http://127.0.0.1:8321`.
        token: what the till's plugin.token file holds.
    """

    def __init__(self, base_url: str, token: str) -> None:
        # The environment's proxies are not for loopback, and must never see the token.
        self._http = httpx.Client(
            base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open_session(self, session: str | None = None, cashier: str | None = None) -> QuoteAnswer:
        """Start a sale; with an id of one's own, the same id again is the same session. `cashier`: who serves."""
        asked = {"id": session, "cashier": cashier}
        given = {name: value for name, value in asked.items() if value is not None}
        return self._call(QuoteAnswer, "POST", "/v1/sessions", given)

    def set_basket(self, session: str, basket: Basket, version: int | None = None) -> QuoteAnswer:
        """Put the whole basket as it is now, in place of `version` of it; None for whatever is there."""
        body = basket.model_dump(mode="json") | ({} if version is None else {"version": version})
        return self._call(QuoteAnswer, "PUT", _path(session, "basket"), body)

    def identify(self, session: str, card: str) -> QuoteAnswer:
        """Give the sale a card by its number."""
        return self._call(QuoteAnswer, "POST", _path(session, "identify"), {"card": card})

    def enter_pin(self, session: str, pin: str) -> QuoteAnswer:
        """Prove the card by the member's PIN."""
        return self._call(QuoteAnswer, "POST", _path(session, "pin"), {"pin": pin})

    def quote(self, session: str) -> QuoteAnswer:
        """What the sale comes to now."""
        return self._call(QuoteAnswer, "POST", _path(session, "quote"))

    def redeem(self, session: str, reward: str, amount_minor: int | None = None) -> QuoteAnswer:
        """Take a reward; after a fault ask for the quote first, since a repeat takes it once more.

        Args:
            amount_minor: for points as part payment, what is paid with them; one step when None.
        """
        body = {"reward": reward} | ({} if amount_minor is None else {"amount_minor": amount_minor})
        return self._call(QuoteAnswer, "POST", _path(session, "redeem"), body)

    def unredeem(self, session: str, reward: str) -> QuoteAnswer:
        """Take a chosen reward off the sale again."""
        return self._call(QuoteAnswer, "DELETE", _path(session, "redeem") + f"/{in_path(reward, safe='')}")

    def use_coupon(self, session: str, code: str) -> QuoteAnswer:
        """Take the coupon with this single-use code; a repeat is refused and harms nothing."""
        return self._call(QuoteAnswer, "POST", _path(session, "coupons"), {"code": code})

    def tender(self, session: str, kind: Tender) -> QuoteAnswer:
        """Say that the customer begins to pay."""
        return self._call(QuoteAnswer, "POST", _path(session, "tender"), {"kind": kind.value})

    def commit(self, session: str) -> BookedAnswer:
        """Book the sale."""
        return self._call(BookedAnswer, "POST", _path(session, "commit"))

    def void(self, session: str) -> BookedAnswer:
        """Drop an open sale, or reverse a booked one."""
        return self._call(BookedAnswer, "POST", _path(session, "void"))

    def adjust(self, request: Adjust) -> AdjustedAnswer:
        """Give or take points on a manager's word."""
        return self._call(AdjustedAnswer, "POST", "/v1/adjustments", _body(request))

    def order_card(self, request: OrderCard) -> AdjustedAnswer:
        """Block a card, let it in again, or replace it, on a manager's word."""
        return self._call(AdjustedAnswer, "POST", "/v1/cards", _body(request))

    def inbox(self, *, everything: bool = False) -> InboxAnswer:
        """What head office did not book in this store."""
        return self._call(InboxAnswer, "GET", f"/v1/inbox?everything={str(everything).lower()}")

    def decide(self, number: int, request: Decide) -> DecidedAnswer:
        """Decide about a parked entry."""
        return self._call(DecidedAnswer, "POST", f"/v1/inbox/{number}", _body(request))

    def return_goods(self, return_id: str, sale: str, lines: Mapping[str, int]) -> BookedAnswer:
        """Take goods back from a sale: thousandths by line id."""
        body = {"id": return_id, "sale": sale, "lines": _lines(lines)}
        return self._call(BookedAnswer, "POST", "/v1/returns", body)

    def exchange(self, session: str, sale: str, lines: Mapping[str, int]) -> ExchangedAnswer:
        """Take goods back from `sale`, thousandths by line id, and book the open `session` in one."""
        body = {"session": session, "sale": sale, "lines": _lines(lines)}
        return self._call(ExchangedAnswer, "POST", "/v1/exchanges", body)

    def print_receipt(self, receipt: str) -> PrintedAnswer:
        """Print a receipt of this till, by the number on it or its entry's id; waits until it is on paper."""
        return self._call(
            PrintedAnswer, "POST", f"/v1/receipts/{in_path(receipt, safe='')}/print", timeout_s=PRINT_TIMEOUT_S
        )

    def revoke_token(self, token_id: str) -> TokenAnswer:
        """Refuse a paired program's token from now on."""
        return self._call(TokenAnswer, "DELETE", f"/v1/tokens/{in_path(token_id, safe='')}")

    def status(self) -> StatusAnswer:
        """How the till is doing."""
        return self._call(StatusAnswer, "GET", "/v1/status")

    def sync(self, *, nightly: bool = False) -> SyncAnswer:
        """Exchange with head office now; `nightly` compares each open day as well."""
        return self._call(SyncAnswer, "POST", "/v1/sync", {"nightly": nightly}, timeout_s=SYNC_TIMEOUT_S)

    def events(self, last_id: str | None = None) -> EventStream:
        """Listen, from now on (when this returns) or from after the event `last_id`."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        request = self._http.build_request(
            "GET", "/v1/events", headers=headers, timeout=httpx.Timeout(TIMEOUT_S, read=SILENCE_S)
        )
        try:
            response = self._http.send(request, stream=True)
            if not response.is_success:
                response.read()
                raise _problem(response)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return EventStream(response, last_id)

    def _call(
        self,
        answer: type[A],
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> A:
        try:
            response = self._http.request(method, path, json=body, timeout=timeout_s)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if not response.is_success:
            raise _problem(response)
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            raise PluginProblem(
                "unexpected_answer",
                response.status_code,
                f"{self._http.base_url} answered no {answer.__name__}: "
                "is this the till's address, and is its software as new as this client?",
            ) from error


def _body(request: Approved) -> dict[str, Any]:
    """What is sent: the PIN as it is, which a model shows to nobody."""
    return {**request.model_dump(mode="json", exclude_none=True), "pin": request.pin.get_secret_value()}


def _lines(lines: Mapping[str, int]) -> list[dict[str, str | int]]:
    return [{"line_id": line, "quantity": quantity} for line, quantity in lines.items()]


def _path(session: str, call: str) -> str:
    return f"/v1/sessions/{in_path(session, safe='')}/{call}"


def _problem(response: httpx.Response) -> PluginProblem:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return PluginProblem(
            "unexpected_answer",
            response.status_code,
            f"{response.url.host} answered {response.status_code} and is no till",
        )
    return PluginProblem(problem.code, problem.status, problem.detail)


def _unreachable(error: Exception) -> PluginProblem:
    return PluginProblem("till_unreachable", 0, f"the till does not answer ({error}): is it running?")
