"""Runs head office as a server until it is told to stop."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.synchronize import Semaphore
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

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


MAX_WORKERS = 8
"""Processes of one head office: with their pools of connections just below PostgreSQL's default of 100."""


COLLECT_AFTER = 50_000
"""New objects before a look for cycles: some five batches, a few megabytes."""


def default_workers() -> int:
    """One process for every two processors: the database needs as much as they do."""
    return max(1, min(MAX_WORKERS, len(os.sched_getaffinity(0)) // 2))


def _as_it_is() -> None:
    """A worker's process is left as it starts."""


def serve(
    host: str,
    port: int,
    database: Database,
    workers: int = 1,
    *,
    on_ready: Callable[[str], None] = lambda _: None,
    set_up: Callable[[], object] = _as_it_is,
) -> None:
    """Serve `database` on `host`:`port` until SIGINT or SIGTERM; the caller closes the database.

    Args:
        port: 0 takes a free one.
        workers: processes that share the port, 1 to `MAX_WORKERS`; one that dies is replaced. 1 serves in this process.
        on_ready: called with the address once requests are taken.
        set_up: called first in each worker process of several, which shares nothing with this one: its logs, say. It is
            pickled on the way there.

    Raises:
        HqError: the address cannot be listened on.
    """
    with listen(host, port) as listener, signals_return():
        if workers == 1:
            _leave_what_stays()
            make_server(database, listener, on_ready).run(sockets=[listener])
        else:
            _serve_by_many(database, listener, workers, on_ready, set_up)


def _serve_by_many(
    database: Database,
    listener: socket.socket,
    workers: int,
    on_ready: Callable[[str], None],
    set_up: Callable[[], object],
) -> None:
    ready = multiprocessing.get_context("spawn").Semaphore(0)
    config = _config(partial(_worker_app, database.url, ready, set_up), factory=True, workers=workers)
    supervisor = Multiprocess(config, [listener])

    def tell() -> None:
        for _ in range(workers):
            ready.acquire()
        on_ready(address_of(listener))

    # A daemon: should a worker never get ready, the supervisor ends, and nobody waits for this any more.
    threading.Thread(target=tell, name="workers-ready", daemon=True).start()
    supervisor.run()


def _worker_app(database_url: str, ready: Semaphore, set_up: Callable[[], object]) -> FastAPI:
    """The application of one worker, in its own process with its own connections."""
    set_up()
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()

    # Closed by the end of the process, which is all that a worker has to look after.
    def on_ready() -> None:
        _leave_what_stays()
        ready.release()

    return create_app(Database(database_url), on_ready)


def _end_with_parent() -> None:
    """Stop this worker when head office itself was killed: nobody could stop or replace it, and it holds the port."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


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


def address_of(listener: socket.socket) -> str:
    """The address of a socket from `listen`, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(database: Database, listener: socket.socket, on_ready: Callable[[str], None]) -> uvicorn.Server:
    """The server for a socket from `listen`; run it with that socket."""
    return uvicorn.Server(_config(create_app(database, lambda: on_ready(address_of(listener)))))


def _leave_what_stays() -> None:
    """Tell the collector of cycles that what is loaded stays, and to look less often at what comes.

    A batch makes thousands of objects, none of them part of a cycle: looking through them and all that was imported for
    every seven hundred took a fifth of the time of booking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _config(app: Callable[..., Any], **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
        **more,
    )
