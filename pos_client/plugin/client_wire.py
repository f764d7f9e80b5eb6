"""What both clients share of the wire: problems, answers, events, and when a call is made again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import tenacity
from pydantic import ValidationError

from pos_client.plugin.client_calls import A, Call
from pos_client.plugin.messages import Problem
from pos_client.plugin.messages_till import EventAnswer

PATIENCE_S = 15.0
"""How long a call is made again: a till that was killed is back within this."""
SILENCE_S = 45.0
"""The stream sends a comment every 15 seconds: after three of those in silence the till is gone."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 2.0
_AGAIN = frozenset({"till_unreachable", "idempotency_key_under_way", "rate_limited"})
"""Problems that pass: the same call, with the same key, may succeed a moment later."""


class PluginProblem(Exception):
    """The till said no. `code` is stable (docs/plugin.md lists them); `status` is 0 when there was no answer at all."""

    def __init__(self, code: str, status: int, detail: str, wait_s: float = 0.0) -> None:
        self.code = code
        self.status = status
        self.detail = detail
        self.wait_s = wait_s
        """What `Retry-After` asked for."""
        super().__init__(f"{detail} ({code})")


def again(patience_s: float) -> dict[str, Any]:
    """The policy for tenacity: the first wait is short, later ones grow, for `patience_s` in all (0: once only)."""
    waits = tenacity.wait_exponential_jitter(max=_LONGEST_WAIT_S, jitter=_FIRST_WAIT_S, multiplier=_FIRST_WAIT_S)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(waits(state), error.wait_s if isinstance(error, PluginProblem) else 0.0)

    return {
        "retry": tenacity.retry_if_exception(lambda error: isinstance(error, PluginProblem) and error.code in _AGAIN),
        "wait": wait,
        "stop": tenacity.stop_before_delay(patience_s) if patience_s else tenacity.stop_after_attempt(1),
        "reraise": True,
    }


def request_of(call: Call[Any]) -> dict[str, Any]:
    """What httpx is asked: a call that is carried out once has a key of its own, the same each time it is made."""
    headers = {"Idempotency-Key": str(uuid.uuid4())} if call.once else {}
    return {
        "method": call.method,
        "url": call.path,
        "json": call.body,
        "headers": headers,
        "timeout": call.timeout_s,
    }


def settings(base_url: str, token: str) -> dict[str, Any]:
    """What an httpx client of a till is made with."""
    # The environment's proxies are not for loopback, and must never see the token.
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return {"base_url": base_url, "headers": headers, "trust_env": False}


def answered(call: Call[A], response: httpx.Response) -> A:
    """The answer in a response that was read.

    Raises:
        PluginProblem: it is a problem, or no answer of a till.
    """
    if not response.is_success:
        raise problem_of(response)
    try:
        return call.answer.model_validate_json(response.content)
    except ValidationError as error:
        raise PluginProblem(
            "unexpected_answer",
            response.status_code,
            f"{response.url.host} answered no {call.answer.__name__}: "
            "is this the till's address, and is its software as new as this client?",
        ) from error


def problem_of(response: httpx.Response) -> PluginProblem:
    """The problem in a response that was read."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return PluginProblem(
            "unexpected_answer",
            response.status_code,
            f"{response.url.host} answered {response.status_code} and is no till",
        )
    wait = response.headers.get("retry-after", "")
    return PluginProblem(problem.code, problem.status, problem.detail, float(wait) if wait.isdigit() else 0.0)


def unreachable(error: Exception) -> PluginProblem:
    """No answer at all."""
    return PluginProblem("till_unreachable", 0, f"the till does not answer ({error}): is it running?")


def listening(last_id: str | None) -> dict[str, Any]:
    """What the request for the event stream is made with."""
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
    return {"headers": headers, "timeout": httpx.Timeout(10.0, read=SILENCE_S)}


class EventLines:
    """Server-sent events out of their lines (HTML Living Standard, 9.2)."""

    def __init__(self, last_id: str | None) -> None:
        self.last_id = last_id
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> EventAnswer | None:
        """The event that this line ends; None in the middle of one."""
        name, _, value = line.partition(":")
        if name:  # a line that starts with a colon is a comment
            self._fields[name] = value.removeprefix(" ")
            return None
        if line:
            return None
        fields: Mapping[str, str] = self._fields
        self._fields = {}
        if "data" not in fields:
            return None
        self.last_id = fields.get("id", self.last_id)
        return EventAnswer(id=self.last_id or "", event=fields.get("event", "message"), data=json.loads(fields["data"]))
