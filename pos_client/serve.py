"""Runs a till: devices, sync agent, and the loopback web application with the plug-in API and the cashier screen."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from drivers.errors import DriverError
from drivers.printing.receipt_printer import ReceiptPrinter
from drivers.supervisor import Supervisor
from loyalty.errors import LoyaltyError
from pos_client.app import StartError, build_runtime, open_store
from pos_client.config import Config
from pos_client.device_settings import build_devices
from pos_client.manager import mounting
from pos_client.plugin.answers import status_answer
from pos_client.plugin.api import create_api, end_streams
from pos_client.plugin.token import TokenError, read_or_create
from pos_client.runtime import Runtime
from pos_client.screen import cashier
from pos_client.status_file import StatusFile
from pos_client.training import training_config, training_store
from sync.errors import StoreError, SyncError
from sync.serving import signals_return
from sync.store import Store
from sync.terminal import clock_problem, wall_ms

log = structlog.get_logger("spaarpunt.app")


def create_app(runtime: Runtime, token: str) -> FastAPI:
    """The loopback web application: the API under /v1, the manager's pages at /manager, the cashier screen at /."""
    app = create_api(runtime, token)
    mounting.mount(runtime)
    cashier.mount(app, runtime)
    return app


@contextlib.contextmanager
def running(config: Config) -> Iterator[Runtime]:
    """A till with its devices and its sync agent at work, until the block ends.

    Raises:
        StartError: with the one line that says what to do.
    """
    try:
        store = open_store(config)
    except SyncError as error:
        raise StartError(str(error)) from error
    with contextlib.closing(store), _at_work(config, store) as runtime:
        yield runtime


@contextlib.contextmanager
def training(shop: Config) -> Iterator[Runtime]:
    """A till in training with its devices at work, until the block ends: as `running`, and nothing leaves it.

    Args:
        shop: the shop's own configuration, whose data folder gets a folder `training`.

    Raises:
        StartError: with the one line that says what to do.
    """
    config = training_config(shop)
    try:
        with training_store(shop, config) as store, _at_work(config, store, training=True) as runtime:
            yield runtime
    except SyncError as error:
        raise StartError(str(error)) from error


@contextlib.contextmanager
def _at_work(config: Config, store: Store, *, training: bool = False) -> Iterator[Runtime]:
    try:
        runtime = build_runtime(config, store, training=training)
        devices = build_devices(config)
        supervisor = Supervisor(devices, runtime.board.on_event)
        runtime.till.upkeep.resume()
    except (SyncError, DriverError, LoyaltyError) as error:
        raise StartError(str(error)) from error
    if problem := clock_problem(wall_ms()):
        log.warning("clock", problem=problem)
    if not training:
        runtime.agent.before_selling()
    runtime.printing.start(next((device for device in devices if isinstance(device, ReceiptPrinter)), None))
    supervisor.start()
    if not training:
        runtime.agent.start()
    runtime.till.upkeep.start()
    told = StatusFile(config.till.data_dir, lambda: status_answer(runtime).model_dump(mode="json"))
    told.start()
    try:
        yield runtime
    finally:
        told.stop()
        runtime.printing.stop()
        supervisor.stop()
        runtime.till.upkeep.stop()
        try:
            runtime.till.upkeep.suspend()
        except StoreError as error:
            log.error("open sales are not kept: they start again", problem=str(error))  # noqa: TRY400 - it says it all
        runtime.agent.stop()
        runtime.holds.close()


def serve_till(config: Config, on_ready: Callable[[str, Runtime], None], *, to_practise: bool = False) -> None:
    """Run a till until it is told to stop (SIGINT or SIGTERM).

    Args:
        to_practise: as a till in training.
        on_ready: called once with the screen's address, when a browser can open it.

    Raises:
        StartError: the till cannot start.
    """
    token = None if to_practise else _token(config)  # before anything runs
    way = training if to_practise else running
    with signals_return(), loopback_socket(config.screen.port) as listener, way(config) as runtime:
        app = create_app(runtime, token or _token(runtime.config))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        settings = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2)

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                on_ready(address, runtime)

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                end_streams(app)
                await super().shutdown(sockets)

        Server(settings).run(sockets=[listener])


def _token(config: Config) -> str:
    try:
        return read_or_create(config.plugin_token_file)
    except TokenError as error:
        raise StartError(str(error)) from error


def loopback_socket(port: int) -> socket.socket:
    """A bound socket on loopback.

    Raises:
        StartError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise StartError(
            f"port {port} on this machine is taken ({error.strerror}): stop the other program, or set screen.port"
        ) from error
    return listener
