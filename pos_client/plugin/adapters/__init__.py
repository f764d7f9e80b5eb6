"""Adapters: protocols that other tills speak already, over the use cases of the plug-in API. Each off by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastapi import APIRouter
from fastapi.responses import Response

from pos_client.plugin.adapters import nexo, odoo, toast
from pos_client.plugin.answered import Answered
from pos_client.runtime import Runtime


def routers(runtime: Runtime, answered: Answered, endings: list[Callable[[], None]]) -> Iterator[APIRouter]:
    """Those that the configuration asks for.

    Args:
        endings: what is called on the event loop when the server is told to stop; an adapter may add to it.
    """
    settings = runtime.config.adapters
    if settings.odoo_origins:
        yield odoo.router(runtime, endings)
    if settings.toast:
        yield toast.router(runtime, answered)
    if settings.nexo:
        yield nexo.router(runtime, answered)


def tongues(runtime: Runtime) -> dict[str, Callable[[str, str], Response]]:
    """How those with words of their own for it say that a call was refused: by path, from code and detail."""
    return {toast.PATH: toast.refuse} if runtime.config.adapters.toast else {}
