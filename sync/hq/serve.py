"""Runs head office as a server until it is told to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import uvicorn

from sync.hq.app import create_app
from sync.hq.database import Database
from sync.hq.errors import HqError
from sync.serving import signals_return

MAX_CONNECTIONS = 500
"""Requests and connections at once; past that tills are told 503 and come back, instead of all waiting."""

SHUTDOWN_S = 10
"""How long requests under way may take to end when head office is stopped."""

KEEP_ALIVE_S = 75
"""An idle connection stays open across a till's polls, so that it need not shake hands for each."""


def serve(host: str, port: int, database: Database, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve `database` on `host`:`port` until SIGINT or SIGTERM; the caller closes the database.

    Args:
        port: 0 takes a free one.
        on_ready: called with the address once requests are taken.

    Raises:
        HqError: the address cannot be listened on.
    """
    with listen(host, port) as listener, signals_return():
        make_server(database, listener, on_ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        HqError: taken, not ours, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise HqError(
            f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose another --host or --port"
        ) from error


def make_server(database: Database, listener: socket.socket, on_ready: Callable[[str], None]) -> uvicorn.Server:
    """The server for a socket from `listen`; run it with that socket."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    config = uvicorn.Config(
        create_app(database, lambda: on_ready(address)),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return uvicorn.Server(config)
