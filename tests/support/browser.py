"""A real server in a thread, and a real Chromium before it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, sync_playwright

from tests.support.missing import missing

START_S = 20.0
"""How long a server may take to come up, on a busy machine."""

CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--font-render-hinting=none",
)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve `app` on a free loopback port until the block ends; gives its address, ending in a slash."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(
            uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            assert server.up.wait(START_S), f"expected a server within {START_S:.0f} s"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


NO_CHROMIUM = "no Chromium on this machine: install it, for example with 'apt install chromium'"


@contextlib.contextmanager
def launched(*flags: str, starter: Path | None = None) -> Iterator[Browser]:
    """A headless Chromium of this machine, with `flags` beside the usual ones.

    Args:
        starter: a program that starts it, in its place and with its arguments.

    Raises:
        FileNotFoundError: there is none.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise FileNotFoundError(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=starter or path, args=[*CHROMIUM_FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def chromium(*flags: str, starter: Path | None = None) -> Iterator[Browser]:
    """A headless Chromium for a test, as `launched`; where there is none the test is not run."""
    with contextlib.ExitStack() as stack:
        try:
            browser = stack.enter_context(launched(*flags, starter=starter))
        except FileNotFoundError as error:
            missing(str(error))
        yield browser
