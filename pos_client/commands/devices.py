"""`spaarpunt devices`: what is plugged in, what it says, what is wrong with it, and recordings of it."""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from drivers.build import build_device
from drivers.device import Device
from drivers.errors import DriverError
from drivers.events import Event
from drivers.hid.device import HidDevice
from drivers.keyboard.wedge import KeyboardWedge
from drivers.lines.ports import Plugged, names, plugged_in
from drivers.lines.serial_scanner import SerialScanner
from drivers.recording import Recorder, Recording, read_recording
from drivers.simulators.channels import VirtualPipe, VirtualSerialScanner
from drivers.supervisor import Supervisor
from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, fail, json_option, pass_config
from pos_client.commands.devices_show import Shower
from pos_client.config import CameraDevice, Config, DeviceConfig, HidReader, PrinterDevice, WedgeDevice
from pos_client.device_examination import Examination, examine
from pos_client.device_settings import build_devices, settings_for
from pos_client.reckoning import card_patterns

# After the last chunk: the longest gap after which a driver calls a frame unfinished, and its event's way out.
_SETTLE_S = 1.5

seconds_option = click.option(
    "--seconds", type=click.FloatRange(min=0), help="Stop after so many seconds. Default: when you press Ctrl-C."
)


@click.group("devices")
def devices_group() -> None:
    """Scanners, readers, cameras and printers: find them, look after them, record them.

    A running till owns its devices: stop it before watch, doctor and record.
    """


@devices_group.command("list")
@json_option
@pass_config
def list_devices(config: Config, as_json: bool) -> None:
    """Show what is plugged in, and which configured device each thing is."""
    found = plugged_in()
    claimed = {name: [each for each in found if names(_where(device), each)] for name, device in config.devices.items()}
    data = {
        "plugged_in": [
            {**_described(each), "configured_as": [name for name, things in claimed.items() if each in things]}
            for each in found
        ],
        "configured": [
            {
                "name": name,
                "kind": device.kind,
                "where": _where(device),
                "present": bool(claimed[name]) or Path(_where(device)).exists(),
            }
            for name, device in config.devices.items()
        ],
    }

    def show() -> None:
        for each in data["plugged_in"]:
            used = ", ".join(each["configured_as"]) or "not configured"
            _line(f"{each['kind']:7} {each['path']}  {each['usb']}  {each['name']}  → {used}")
        if not found:
            _line("nothing is plugged in that a till could use")
        for each in data["configured"]:
            mark = "✓" if each["present"] else "·" if "://" in each["where"] else "✗"
            note = "" if each["present"] else ("  (on the network)" if mark == "·" else "  (not there)")
            _line(f"{mark} {each['name']}: {each['kind']} at {each['where']}{note}")

    emit(data, as_json, show)


@devices_group.command()
@seconds_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@pass_config
def watch(config: Config, seconds: float | None, as_json: bool) -> None:
    """Show live what the configured devices report, card numbers masked."""
    _need_devices(config)
    _warn_of_till(config)
    shower = Shower(as_json)
    with _problems():
        _run(build_devices(config), shower, seconds)


@devices_group.command()
@click.argument("names_", metavar="[NAME]...", nargs=-1)
@click.option("--seconds", type=click.FloatRange(0, 600), default=10.0, show_default=True, help="How long to listen.")
@json_option
@click.pass_context
@pass_config
def doctor(config: Config, context: click.Context, names_: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Look at each configured device, listen while you scan a card, and say what to do."""
    _need_devices(config)
    for name in names_:
        _named(config, name)
    _warn_of_till(config)
    found: list[Examination] = []

    def ask(name: str, kind: str) -> None:
        if kind != "printer":
            _line(f"{name}: scan or swipe a card now ({seconds:g} s) …", to_errors=as_json)

    for name, device in config.devices.items():
        if not names_ or name in names_:
            one = examine(name, device, card_patterns(config.card_formats), seconds, ask)
            found.append(one)
            if not as_json:
                for finding in one.findings:
                    _line(f"{'✓' if finding.good else '✗'} {name}: {finding.text}")
    data = {"devices": [one.to_json() for one in found]}
    emit(data, as_json, lambda: None)
    if not all(one.well for one in found):
        context.exit(EXIT_PROBLEM)


@devices_group.command()
@click.argument("device")
@click.argument("file", type=click.Path(path_type=Path))
@seconds_option
@pass_config
def record(config: Config, device: str, file: Path, seconds: float | None) -> None:
    """Write what DEVICE sends to FILE, for support. Payment data is blanked before it is written."""
    chosen = _named(config, device)
    if isinstance(chosen, CameraDevice):
        fail(f"{device} is a camera: take a photograph, and use spaarpunt decode")
    if isinstance(chosen, PrinterDevice):
        fail(f"{device} is a printer: it sends nothing to record")
    _warn_of_till(config)
    patterns = card_patterns(config.card_formats)
    try:
        with _problems():
            settings = settings_for(chosen)
            built = build_device(device, settings, patterns)
            assert isinstance(built, SerialScanner | KeyboardWedge | HidDevice)
            with Recorder(file, settings, patterns, time.monotonic_ns()) as recorder:  # type: ignore[arg-type]
                built.tap = recorder
                _line(f"recording {device} to {file}; scan now, and press Ctrl-C to end", to_errors=True)
                _run([built], Shower(as_json=False), seconds)
    except FileExistsError:
        fail(f"{file} is there already: give another name")
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")


@devices_group.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--to",
    type=click.Choice(["events", "pty"]),
    default="events",
    show_default=True,
    help="events: through the drivers, here. pty: onto a simulated device, whose path is printed, for another program.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@pass_config
def replay(config: Config, file: Path, to: str, as_json: bool) -> None:
    """Play a recording of `spaarpunt devices record` again, at its own speed."""
    with _problems(), tempfile.TemporaryDirectory(prefix="spaarpunt-") as folder:
        recording = read_recording(file)
        hardware = _hardware(recording, Path(folder))
        stop = threading.Event()
        try:
            if to == "pty":
                _line(str(hardware.path))
                _line("open that with the other program, then press Enter here", to_errors=True)
                sys.stdin.readline()
                recording.play(hardware.send, stop.wait)
                return
            device = build_device(
                file.stem, recording.settings_at(str(hardware.path)), card_patterns(config.card_formats)
            )
            online = threading.Event()
            shower = Shower(as_json)

            def tell(event: Event) -> None:
                shower(event)
                if getattr(event, "status", "") == "online":
                    online.set()

            with _supervised([device], tell):
                online.wait()
                recording.play(hardware.send, stop.wait)
                stop.wait(_SETTLE_S)
        finally:
            hardware.close()


def _hardware(recording: Recording, folder: Path) -> VirtualSerialScanner | VirtualPipe:
    """The simulated device that a recording is played on."""
    return VirtualSerialScanner(folder) if recording.kind == "serial" else VirtualPipe(folder, recording.kind)


def _run(devices: list[Device], shower: Shower, seconds: float | None) -> None:
    """Run devices until the time is over or Ctrl-C is pressed."""
    with _supervised(devices, shower), contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait(seconds)


@contextlib.contextmanager
def _supervised(devices: list[Device], sink: Any) -> Iterator[None]:
    supervisor = Supervisor(devices, sink)
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop()


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except DriverError as error:
        fail(str(error))


def _need_devices(config: Config) -> None:
    if not config.devices:
        fail("no devices are configured: add a [devices.NAME] section (docs/devices.md)")


def _named(config: Config, name: str) -> DeviceConfig:
    if name not in config.devices:
        known = ", ".join(config.devices) or "none"
        raise click.UsageError(f"no device is called {name!r}; configured: {known}")
    return config.devices[name]


def _where(device: DeviceConfig) -> str:
    match device:
        case WedgeDevice():
            return str(device.path)
        case HidReader():
            return device.device
        case CameraDevice():
            return device.source
        case _:
            return device.port


def _described(each: Plugged) -> dict[str, Any]:
    return {"kind": each.kind, "path": each.path, "usb": each.usb, "name": each.name}


def _warn_of_till(config: Config) -> None:
    """Say so when a till answers on this machine: it holds the ports, and what it does not hold it reads away."""
    try:
        socket.create_connection(("127.0.0.1", config.screen.port), timeout=0.5).close()
    except OSError:
        return
    errors.print(
        f"! a till runs on this machine (port {config.screen.port}) and owns its devices: stop it first",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _line(text: str, *, to_errors: bool = False) -> None:
    (errors if to_errors else console).print(text, markup=False, highlight=False, soft_wrap=True)
