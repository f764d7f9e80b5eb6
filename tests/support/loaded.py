"""What a till's process loads, loaded: tills that tests start are forks of a process that has read this room."""

from __future__ import annotations

import gc

import anyio._backends._asyncio
import httptools
import nicegui.ui_run_with
import uvicorn.lifespan.on
import uvicorn.protocols.http.httptools_impl
import uvloop
import websockets.server

import pos_client.commands.till
from pos_client.lean import without_clients

with without_clients():
    import pos_client.serve

__all__ = ["anyio", "httptools", "nicegui", "pos_client", "uvicorn", "uvloop", "websockets"]

# A fork shares these pages until somebody writes to them, as a collection does.
gc.collect()
gc.freeze()
