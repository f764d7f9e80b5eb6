"""The manager's pages put on the till's web application, at `/manager`."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from pos_client.i18n import LANGUAGES
from pos_client.runtime import Runtime
from pos_client.screen.page import MARK


def mount(runtime: Runtime) -> None:
    """Put the pages of `runtime` at `/manager`; `?lang=nl|en` picks a language for one window.

    Once per process, and before the cashier's screen is mounted: NiceGUI keeps its pages in the process.
    """

    @ui.page("/manager", title=f"{runtime.terminal.store_name} · {runtime.config.till.name}", favicon=MARK)
    def manager(request: Request) -> None:
        from pos_client.manager.page import Window  # a start does not wait for pages that are opened once a day

        asked = request.query_params.get("lang", "")
        Window(runtime, asked if asked in LANGUAGES else runtime.config.till.language)
