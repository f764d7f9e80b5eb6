"""Odoo's hardware proxy (`hw_proxy`), so that Odoo's point of sale uses this till's scanners and receipt printer.

Source: odoo/odoo 17.0, addons/hw_drivers (controllers/proxy.py, KeyboardUSBDriver_L.py, PrinterDriver_L.py) and
addons/point_of_sale/static/src/app (hardware_proxy, barcode, printer). Odoo's page calls from another origin and sends
no token, so its origin is what lets it in: exactly those that the configuration names.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.errors import DriverError
from drivers.printing.escpos_job import Cut, Drawing, OpenDrawer, Part
from pos_client.config import PrinterDevice
from pos_client.plugin.adapters.odoo_scans import Scans
from pos_client.runtime import Runtime

PATH = "/hw_proxy"
MAX_BODY_BYTES = 4 * 1024 * 1024
"""A receipt is a JPEG of some 100 kB, a third longer in base64; a very long one of hundreds of lines is some 2 MB."""

PRINT_S = 15.0
"""A long receipt takes some seconds to print; a printer that takes longer is stuck."""
DOTS_PER_COLUMN = 12
"""Font A of every common receipt printer: what `columns` says of a printer's width."""
_ALLOW = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, X-Requested-With, X-Debug-Mode",
    "Access-Control-Max-Age": "86400",
}

log = structlog.get_logger("spaarpunt.odoo")


class _Refused(Exception):
    """What was asked cannot be done; the text says what was expected."""


class _Call(BaseModel):
    """A JSON-RPC 2.0 call, as Odoo's `rpc` sends it."""

    model_config = ConfigDict(extra="ignore")

    id: int | str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


class OdooProxy:
    """What Odoo asks of a till's hardware."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.scans = Scans(runtime.bus)

    def status(self) -> dict[str, Any]:
        """Scanner and printer, each connected or not, with what is the matter."""
        printers = {name for name, device in self._runtime.config.devices.items() if isinstance(device, PrinterDevice)}
        told: dict[str, Any] = {}
        for state in self._runtime.board.states():
            kind = "printer" if state.name in printers else "scanner"
            online = state.status == "online"
            if online or kind not in told:
                told[kind] = {
                    "status": "connected" if online else "disconnected",
                    "messages": "" if online else state.text,
                }
        return told

    async def act(self, data: Any) -> bool:
        """Print a receipt that Odoo has drawn, or open the drawer. False when the printer cannot.

        Raises:
            _Refused: no action that Odoo has, or no picture.
        """
        action = data.get("action") if isinstance(data, dict) else None
        if action == "print_receipt":
            return await self._print([Drawing(_picture(data), self._dots), Cut()])
        if action == "cashbox":
            return await self._print([OpenDrawer()])
        raise _Refused("expected the action print_receipt or cashbox")

    @property
    def _dots(self) -> int:
        printer = self._runtime.config.printer
        return (printer.columns if printer else 42) * DOTS_PER_COLUMN

    async def _print(self, parts: Sequence[Part]) -> bool:
        printer = self._runtime.printing.printer
        if printer is None:
            log.warning("Odoo wants to print and no printer is configured: add a device of kind printer")
            return False
        try:
            # Composing draws a picture of a million dots: not on the event loop.
            job = await asyncio.to_thread(printer.print, parts)
            await asyncio.wait_for(asyncio.wrap_future(job), PRINT_S)
        except ValueError as error:
            raise _Refused(str(error)) from error
        except (DriverError, TimeoutError) as error:
            log.warning("Odoo's receipt was not printed", problem=str(error) or "the printer takes too long")
            return False
        return True


def _picture(data: dict[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(data.get("receipt") or ""), validate=True)
    except binascii.Error as error:
        raise _Refused("expected a picture of the receipt, in base64") from error


def router(runtime: Runtime, endings: list[Callable[[], None]]) -> APIRouter:
    """The calls, for the origins that the configuration names.

    Args:
        endings: what is called on the event loop when the server is told to stop; this adds to it.
    """
    proxy = OdooProxy(runtime)
    endings.append(proxy.scans.close)
    allowed = frozenset(runtime.config.adapters.odoo_origins)

    class FromOdoo(APIRoute):
        """A call from one of the origins; its page may read the answer."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            carry_out = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                origin = request.headers.get("origin", "")
                if origin not in allowed:
                    # Without one it is no page: somebody at the till who tries the address.
                    if origin or not request.url.path.endswith("/hello"):
                        return PlainTextResponse("this origin is not in adapters.odoo_origins", 403)
                    return await carry_out(request)
                response = await carry_out(request)
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Vary"] = "Origin"
                return response

            return guarded

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        proxy.scans.open()
        yield

    routes = APIRouter(prefix=PATH, include_in_schema=False, route_class=FromOdoo, lifespan=lifespan)

    @routes.get("/hello")
    def hello() -> PlainTextResponse:
        """Somebody is here."""
        return PlainTextResponse("ping")

    @routes.options("/{call}")
    def preflight(call: str, request: Request) -> Response:
        """What the browser asks before Odoo's page may call."""
        private = request.headers.get("access-control-request-private-network") == "true"
        return Response(None, 204, _ALLOW | ({"Access-Control-Allow-Private-Network": "true"} if private else {}))

    @routes.post("/{call}")
    async def call(call: str, request: Request) -> Response:
        """One JSON-RPC call."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("expected application/json", 415)
        raw = await _body(request)
        if raw is None:
            return PlainTextResponse(f"expected a body of at most {MAX_BODY_BYTES} bytes", 413)
        try:
            asked = _Call.model_validate_json(raw)
        except ValidationError:
            return PlainTextResponse("expected a JSON-RPC call", 400)
        try:
            return _told(asked, result=await _answer(proxy, call, asked.params))
        except _Refused as error:
            problem = {"code": 200, "message": str(error), "data": {"name": call, "message": str(error)}}
            return _told(asked, error=problem)

    return routes


async def _answer(proxy: OdooProxy, call: str, params: dict[str, Any]) -> Any:
    match call:
        case "handshake":
            return True
        case "status_json":
            return proxy.status()
        case "scanner":
            return await proxy.scans.next()
        case "default_printer_action":
            return await proxy.act(params.get("data"))
    raise _Refused(f"no such call here: {call[:40]}")


def _told(asked: _Call, **answer: Any) -> Response:
    return JSONResponse({"jsonrpc": "2.0", "id": asked.id} | answer)


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is too long."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY_BYTES:
            return None
    return bytes(raw)
