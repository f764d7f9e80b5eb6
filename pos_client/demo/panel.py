"""The panel of virtual devices: buttons that write real bytes, beside the cashier screen they act on."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from nicegui import run, ui

from drivers.errors import DriverError
from loyalty.basket import Basket
from pos_client.demo.members import DemoMember, members
from pos_client.demo.morning import BANK_STRIPE
from pos_client.demo.world import DemoError, World
from pos_client.plugin.client import PluginProblem, TillClient
from sync.serving import signals_return

_STYLE = """
body { font-family: system-ui, sans-serif; background: #f6f6f4; color: #1c1c1a; }
.nicegui-content { padding: 16px; }
.panel { display: grid; grid-template-columns: 1024px 1fr; gap: 16px 24px; }
.panel .aside { min-width: 200px; }
.panel .devices { grid-column: 1 / -1; display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.panel .devices { gap: 8px 24px; }
.panel .title { font-size: 14px; font-weight: 600; line-height: 20px; margin: 8px 0 4px; }
.panel .row { display: flex; flex-wrap: wrap; gap: 4px; }
.panel iframe { border: 1px solid #c9c9c4; width: 1024px; height: 600px; background: white; }
.panel .q-btn { padding: 4px 8px; }
"""


class Panel:
    """The page's buttons, and the basket of the little till software behind them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._people = members()
        self._next = 100
        self._basket: list[dict[str, Any]] = []
        self._open = ""

    def show(self) -> None:
        """Build the page for one browser."""
        ui.add_css(_STYLE)
        with ui.element("div").classes("panel"):
            ui.element("iframe").props(f'src="{self._world.screen}" title="cashier screen"')
            with ui.element("div").classes("aside"):
                ui.label("Spaarpunt: virtual devices").style("font-size: 20px; font-weight: 600")
                ui.label("Each button writes to a real pty, pipe or picture; the till beside it reads it as hardware.")
                self._sale()
                self._trouble()
            with ui.element("div").classes("devices"):
                self._scanner()
                self._table_scanner()
                self._wedge()
                self._stripe()
                self._camera()
                self._printer()

    def _scanner(self) -> None:
        with _section("Scanner"):
            _button("Scan an EAN-13 card", lambda: self._scan(0, "]E0"))
            _button("Scan a Code 128 tag", lambda: self._scan(1, "]C0"))
            _button("Scan an article", lambda: self._world.scanner.scan("8710400280507", aim="]E0"))
            _button("Garble", garbles(self._world)["scanner"])
            _button("Unplug", self._world.scanner.unplug)
            _button("Plug in", self._world.scanner.plug)

    def _table_scanner(self) -> None:
        scanner = self._world.table_scanner
        with _section("Table scanner (network)"):
            _button("Scan an EAN-13 card", lambda: scanner.scan(self._member(0).card))
            _button("Garble", garbles(self._world)["table"])
            _button("Unplug", scanner.unplug)
            _button("Plug in", scanner.plug)

    def _wedge(self) -> None:
        wedge = self._world.wedge
        with _section("Magstripe reader that types"):
            _button("Swipe a card", lambda: wedge.swipe(f";{self._member(2).card}?"))
            _button("Swipe a bank card", lambda: wedge.swipe(BANK_STRIPE))
            _button("Swipe badly", lambda: wedge.swipe(";E?"))
            _button("Garble", garbles(self._world)["swipe"])
            _button("Unplug", wedge.unplug)
            _button("Plug in", wedge.plug)

    def _stripe(self) -> None:
        stripe = self._world.stripe
        with _section("Magstripe reader (HID)"):
            _button("Swipe a card", lambda: stripe.swipe("", f";{self._member(2).card}?"))
            _button("Swipe a bank card", lambda: stripe.swipe(*_bank_tracks()))
            _button("Swipe badly", lambda: stripe.swipe("E", "E"))
            _button("Garble", garbles(self._world)["stripe"])
            _button("Unplug", stripe.unplug)
            _button("Plug in", stripe.plug)

    def _camera(self) -> None:
        with _section("Camera"):
            _button("Show a QR code", lambda: self._world.camera.show_qr(self._member(0).card))
            _button("Garble", garbles(self._world)["camera"])
            _button("Unplug", self._world.camera.unplug)
            _button("Plug in", self._world.camera.plug)

    def _printer(self) -> None:
        printer = self._world.printer
        with _section("Receipt printer"):
            _button("Out of paper", lambda: setattr(printer, "paper", "out"))
            _button("New roll", lambda: setattr(printer, "paper", "ok"))
            _button("Open the cover", lambda: setattr(printer, "cover_open", True))
            _button("Close the cover", lambda: setattr(printer, "cover_open", False))
            _button("Garble", garbles(self._world)["receipts"])
            _button("Unplug", printer.unplug)
            _button("Plug in", printer.plug)

    def _sale(self) -> None:
        with _section("The till's own software"):
            shop = self._world.shop
            for good in (shop.small, shop.large, shop.middle, shop.deposit):
                price = f"{good['gross_minor'] // 100},{good['gross_minor'] % 100:02d}"
                _button(f"{good['text']} € {price}", functools.partial(self._add, good))
            _button("Pay and book", self._book)
            _button("Start over", self._start_over)

    def _trouble(self) -> None:
        with _section("Trouble"):
            _button("Cut the line", self._world.line.cut)
            _button("Mend the line", self._world.line.mend)
            _button("Kill the till (kill -9)", self._kill)
            _button("Start the till", self._start)

    # -- what the buttons do ----------------------------------------------------------------------------------------

    def _member(self, kind: int) -> DemoMember:
        self._next += 3
        return self._people[(self._next - self._next % 3 + kind) % len(self._people)]

    def _scan(self, kind: int, aim: str) -> None:
        self._world.scanner.scan(self._member(kind).card, aim=aim)

    def _client(self) -> TillClient:
        if self._world.client is None:
            raise DemoError("the till does not run: start it first")
        return self._world.client

    def _add(self, good: dict[str, Any]) -> None:
        client = self._client()
        if not self._basket:
            opened = client.open_session()
            self._open, self._version = opened.session, opened.basket_version
        self._basket.append({"line_id": str(len(self._basket) + 1), **good})
        basket = Basket.model_validate({"currency": "EUR", "lines": self._basket})
        self._version = client.set_basket(self._open, basket, self._version).basket_version

    def _book(self) -> None:
        if not self._basket:
            raise DemoError("nothing in the basket: add something first")
        self._client().commit(self._open)
        self._basket = []

    def _start_over(self) -> None:
        if self._basket:
            self._client().void(self._open)
            self._basket = []

    def _kill(self) -> None:
        self._client()
        self._world.kill_till()
        self._basket = []

    def _start(self) -> None:
        if self._world.client is not None:
            raise DemoError("the till runs already")
        self._world.start_till()


def garbles(world: World) -> dict[str, Callable[[], object]]:
    """What each device sends when its line, or what it looks at, is damaged; by the device's name at the till."""
    return {
        "scanner": lambda: world.scanner.send(b"]E02910\xff\xfe12\r"),
        "table": lambda: world.table_scanner.send(b"\x02]E0291\x80\x00\x02\r"),
        "swipe": lambda: world.wedge.send(b"\xff" * 48),
        "stripe": lambda: world.stripe.send(b"\xff" * 48),
        # A picture that is no code is nothing at all to a camera; a damaged code on a phone is refused.
        "camera": lambda: world.camera.show_qr("S1.29100000.5800.1234"),
        "receipts": world.printer.garble,
    }


def _bank_tracks() -> list[str]:
    """The bank card's stripe track by track, as a HID reader reports it."""
    return [f"{track}?" for track in BANK_STRIPE.split("?") if track]


@contextlib.contextmanager
def _section(title: str) -> Iterator[None]:
    with ui.element("section"):
        ui.label(title).classes("title")
        with ui.element("div").classes("row"):
            yield


def _button(text: str, action: Callable[[], object]) -> None:
    async def press() -> None:
        try:
            await run.io_bound(action)
        except (DemoError, DriverError, PluginProblem) as error:
            ui.notify(str(error), type="warning", multi_line=True)

    ui.button(text, on_click=press).props("outline no-caps dense color=teal-10")


def serve_panel(world: World) -> None:
    """Serve the panel on loopback until Ctrl-C."""

    app = FastAPI()

    @ui.page("/", title="Spaarpunt demo")
    def page() -> None:
        Panel(world).show()

    ui.run_with(app)
    settings = uvicorn.Config(
        app, host="127.0.0.1", port=world.panel_port, log_level="warning", timeout_graceful_shutdown=1
    )
    with signals_return():
        uvicorn.Server(settings).run()
