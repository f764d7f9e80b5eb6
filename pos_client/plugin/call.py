"""A call of the API, as FastAPI carries it out but for one thing: its answer is written in the thread that made it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fastapi.responses import Response
from fastapi.routing import APIRoute

from pos_client.plugin.messages import Answer


class Call(APIRoute):
    """FastAPI checks an answer anew in another worker thread, and writes it on the event loop.

    Ours are checked when they are made, and a program waits for one thread less.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """As FastAPI's; `endpoint` is a plain function, for a worker thread."""
        super().__init__(path, _written(endpoint), **options)


def _written(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(endpoint)  # FastAPI reads parameters and answer from what is wrapped
    def answer(*arguments: Any, **named: Any) -> Any:
        made = endpoint(*arguments, **named)
        return Response(made.model_dump_json(), media_type="application/json") if isinstance(made, Answer) else made

    return answer
