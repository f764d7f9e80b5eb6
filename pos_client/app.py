"""The composition root: builds a till from its configuration, and runs it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import structlog
from fastapi import FastAPI

from drivers.build import DeviceSettings, build_device
from drivers.camera import CameraSettings
from drivers.errors import DriverError
from drivers.keyboard_wedge import WedgeSettings
from drivers.serial_scanner import SerialSettings
from drivers.supervisor import Supervisor
from loyalty.errors import LoyaltyError
from pos_client.config import CameraDevice, Config, DeviceConfig, SerialDevice, WedgeDevice
from pos_client.devices import DeviceBoard
from pos_client.events import EventBus, EventKind
from pos_client.plugin.api import create_api
from pos_client.plugin.token import read_or_create
from pos_client.runtime import Runtime
from pos_client.till import Till, card_patterns
from sync.agent import Agent, SyncState
from sync.errors import SyncError
from sync.journal import Journal
from sync.mirror import Mirror
from sync.proofs import Proofs
from sync.store import Store, read_key
from sync.terminal import Terminal, clock_problem, load_terminal, wall_ms
from sync.transport import Transport

log = structlog.get_logger("spaarpunt.app")

STORE_NAME = "store.db"
"""The database's name in the till's data folder."""


class StartError(Exception):
    """The till cannot start; the text is one line: what, where, what to do."""


def open_store(config: Config, *, create: bool = False) -> Store:
    """Open the till's database for writing.

    Raises:
        StoreUnusable: see `Store.open`.
    """
    path = config.till.data_dir / STORE_NAME
    # A key made anew beside an old database would be the wrong one, and would hide that the right one is missing.
    return Store.open(path, read_key(config.till.store_key_file, create=create and not path.exists()))


def look_store(config: Config) -> Store:
    """Open the till's database to read, beside a running till.

    Raises:
        StoreUnusable: see `Store.look`.
    """
    return Store.look(config.till.data_dir / STORE_NAME, read_key(config.till.store_key_file, create=False))


def build_transport(config: Config, terminal: Terminal, mirror: Mirror) -> Transport:
    """The signed connection to head office, with its clock as last known."""
    return Transport(
        str(config.till.head_office_url),
        terminal.private_key,
        terminal.terminal,
        timeout_s=config.sync.timeout_s,
        clock_offset_ms=mirror.contact().clock_offset_ms or 0,
    )


def build_agent(config: Config, store: Store, terminal: Terminal, on_state: Callable[[SyncState], None]) -> Agent:
    """The sync agent of an enrolled till."""
    transport = build_transport(config, terminal, Mirror(store))
    return Agent(store, terminal, transport, poll_s=config.sync.poll_s, on_state=on_state)


def build_runtime(config: Config, store: Store) -> Runtime:
    """Put a till together on an open store. Nothing runs yet.

    Raises:
        NotEnrolled: head office does not know this till.
        StartError: the configuration has no card formats.
    """
    if not config.card_formats:
        raise StartError("no card formats configured: add [[card_formats]] as in config.example.toml")
    terminal = load_terminal(store)
    bus = EventBus()

    def tell(state: SyncState) -> None:
        bus.publish(EventKind.SYNC_STATE, {"online": state.online, "problem": state.problem})

    agent = build_agent(config, store, terminal, tell)
    till = Till(
        store,
        terminal,
        formats=config.card_formats,
        bus=bus,
        time_zone=config.till.time_zone,
        business_day_starts=config.till.business_day_starts,
        session_timeout_s=config.plugin.session_timeout_s,
        on_booked=agent.wake,
    )
    journal = Journal(store, terminal)
    return Runtime(
        config=config,
        store=store,
        terminal=terminal,
        journal=journal,
        mirror=Mirror(store),
        proofs=Proofs(store, journal),
        bus=bus,
        till=till,
        agent=agent,
        board=DeviceBoard(till, bus),
    )


def build_supervisor(config: Config, board: DeviceBoard) -> Supervisor:
    """The configured devices, under one supervisor that reports to `board`.

    Raises:
        DriverError: settings that cannot work, or a card format that bank cards use.
    """
    patterns = card_patterns(config.card_formats)
    devices = [build_device(name, _settings(device), patterns) for name, device in config.devices.items()]
    return Supervisor(devices, board.on_event)


def _settings(device: DeviceConfig) -> DeviceSettings:
    match device:
        case SerialDevice():
            return SerialSettings(port=device.port, baudrate=device.baudrate)
        case WedgeDevice():
            return WedgeSettings(path=str(device.path))
        case CameraDevice():
            return CameraSettings(source=device.source, formats=device.formats, fps=device.fps)


def create_app(runtime: Runtime) -> FastAPI:
    """The loopback web application: the API under /v1 and the cashier screen at /."""
    from pos_client.screen import cashier  # NiceGUI takes over a second to import: commands that show no screen skip it

    app = create_api(runtime, read_or_create(runtime.config.plugin_token_file))
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
    try:
        runtime = build_runtime(config, store)
        supervisor = build_supervisor(config, runtime.board)
    except (SyncError, DriverError, LoyaltyError) as error:
        store.close()
        raise StartError(str(error)) from error
    except StartError:
        store.close()
        raise
    if problem := clock_problem(wall_ms()):
        log.warning("clock", problem=problem)
    supervisor.start()
    runtime.agent.start()
    try:
        yield runtime
    finally:
        supervisor.stop()
        runtime.agent.stop()
        store.close()


def serve_till(config: Config, on_ready: Callable[[str, Runtime], None]) -> None:
    """Run a till until it is told to stop (SIGINT or SIGTERM).

    Args:
        on_ready: called once with the screen's address, when a browser can open it.

    Raises:
        StartError: the till cannot start.
    """
    import uvicorn

    with _loopback_socket(config.screen.port) as listener, running(config) as runtime:
        app = create_app(runtime)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=2
        )

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                on_ready(address, runtime)

        Server(settings).run(sockets=[listener])


def _loopback_socket(port: int) -> socket.socket:
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
