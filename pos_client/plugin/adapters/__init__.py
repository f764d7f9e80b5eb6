"""Adapters: protocols that other tills speak already, over the use cases of the plug-in API. Each off by default."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter

from pos_client.plugin.adapters import nexo, odoo, toast
from pos_client.runtime import Runtime


def routers(runtime: Runtime) -> Iterator[APIRouter]:
    """Those that the configuration asks for."""
    settings = runtime.config.adapters
    if settings.odoo_origins:
        yield odoo.router(runtime)
    if settings.toast:
        yield toast.router(runtime)
    if settings.nexo:
        yield nexo.router(runtime)
