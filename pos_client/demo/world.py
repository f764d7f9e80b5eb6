"""What the demo runs: processes of head office and till, a line between them, and devices that write real bytes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import tenacity

from drivers.simulators.channels import VirtualCamera, VirtualSerialScanner, VirtualWedge
from drivers.simulators.hid import VirtualHidStripe
from drivers.simulators.lines import VirtualTcpScanner
from drivers.simulators.printer import VirtualPrinter
from pos_client.demo.members import FORMATS, write_csv
from pos_client.demo.network import Line
from pos_client.demo.shops import Shop
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.samples import sample

START_S = 60
"""How long a part may take to start: the first start of PostgreSQL makes its files."""
STOP_S = 15


class DemoError(Exception):
    """A part of the demo failed; the text has the end of its log."""


class World:
    """Head office, line, till and devices in one folder. Close it to stop everything."""

    def __init__(self, folder: Path, shop: Shop) -> None:
        self.folder = folder
        self.shop = shop
        folder.mkdir(parents=True, exist_ok=True)
        self.hq_port, self.till_port, self.panel_port = free_port(), free_port(), free_port()
        devices = folder / "devices"
        devices.mkdir(exist_ok=True)
        self.scanner = VirtualSerialScanner(devices)
        self.wedge = VirtualWedge(devices)
        self.camera = VirtualCamera(devices)
        self.table_scanner = VirtualTcpScanner()
        self.stripe = VirtualHidStripe(devices)
        self.printer = VirtualPrinter(devices)
        self.devices = (self.scanner, self.wedge, self.camera, self.table_scanner, self.stripe, self.printer)
        self.line = Line(self.hq_port)
        self.opening_points = 0
        self.killed = 0
        self.config = folder / "spaarpunt.toml"
        self.config.write_text(self._config_text(), encoding="utf-8")
        self._hq: subprocess.Popen[bytes] | None = None
        self._till: subprocess.Popen[bytes] | None = None
        self.client: TillClient | None = None

    def _config_text(self) -> str:
        formats = "".join(
            f'[[card_formats]]\nname = "{f.name}"\nprefix = "{f.prefix}"\nlength = {f.length}\ncheck = "{f.check}"\n\n'
            for f in FORMATS
        )
        return f"""# Made by spaarpunt demo.
[till]
name = "kassa 2"
data_dir = "{self.folder / "till"}"
head_office_url = "http://127.0.0.1:{self.line.port}"

[screen]
port = {self.till_port}

[plugin]
origins = ["http://127.0.0.1:{self.panel_port}"]

[sync]
poll_s = 5
timeout_s = 5

[hq]
data_dir = "{self.folder / "hq"}"
port = {self.hq_port}

{formats}[devices.scanner]
kind = "serial"
port = "{self.scanner.path}"

[devices.swipe]
kind = "wedge"
path = "{self.wedge.path}"

[devices.camera]
kind = "camera"
source = "{self.camera.path}"

[devices.table]
kind = "serial"
port = "{self.table_scanner.port}"

[devices.stripe]
kind = "hid"
device = "{self.stripe.path}"

[devices.receipts]
kind = "printer"
port = "{self.printer.port}"
"""

    @property
    def screen(self) -> str:
        """The cashier screen's address."""
        return f"http://127.0.0.1:{self.till_port}/"

    # -- parts ----------------------------------------------------------------------------------------------------

    def start_head_office(self) -> None:
        """Start `spaarpunt hq serve` with its own PostgreSQL, and wait until it answers."""
        self._hq = self._start("hq", "serve")
        self._wait_for_port(self.hq_port, self._hq, "hq")

    def fill_head_office(self) -> None:
        """Publish the sample programme and load the members."""
        programme, people = self.folder / f"{self.shop.sample}.toml", self.folder / "members.csv"
        programme.write_text(sample(self.shop.sample), encoding="utf-8")
        self.run("hq", "programme", "publish", str(programme))
        self.opening_points = write_csv(people, self.shop.tiers)
        self.run("hq", "members", "import", str(people))

    def enrol_till(self) -> str:
        """Enrol the till with a one-time code; returns the terminal id."""
        code = self.run("hq", "code", "--store", self.shop.store, "--name", self.shop.name, "--json")["code"]
        return str(self.run("enrol", code, "--json")["terminal"])

    def start_till(self, *, wait_for_devices: bool = True) -> TillClient:
        """Start `spaarpunt till`, wait until its API answers and, unless told otherwise, its devices are online."""
        self._till = self._start("till")
        self._wait_for_port(self.till_port, self._till, "till")
        token = (self.folder / "till" / "plugin.token").read_text(encoding="ascii").strip()
        client = TillClient(self.screen.rstrip("/"), token, patience_s=0)
        for attempt in _patiently():
            with attempt:
                devices = client.status().devices
                awaited = wait_for_devices and len(devices) < len(self.devices)
                if awaited or (wait_for_devices and any(device.status != "online" for device in devices)):
                    raise DemoError(f"devices are not online: {devices}; {self._log_end('till')}")
        self.client = client
        return client

    def kill_till(self) -> None:
        """kill -9: no goodbye, no flush."""
        assert self._till is not None
        self._till.send_signal(signal.SIGKILL)
        self._till.wait()
        self._till = None
        self.client = None
        self.killed += 1

    def stop_till(self) -> None:
        """Ask the till to stop, and wait until it has."""
        if self._till is not None:
            _stop(self._till)
        self._till = None
        self.client = None

    def hq_status(self) -> dict[str, Any]:
        """What head office holds."""
        status: dict[str, Any] = self.run("hq", "status", "--json")
        return status

    def run(self, *arguments: str, expect: tuple[int, ...] = (0,)) -> Any:
        """Run a `spaarpunt` command to its end; returns its JSON with `--json`, else None.

        Raises:
            DemoError: another exit code than expected.
        """
        done = subprocess.run(self._command(*arguments), capture_output=True, text=True, check=False, env=self._env())
        if done.returncode not in expect:
            raise DemoError(f"spaarpunt {' '.join(arguments[:2])} ended with {done.returncode}: {done.stderr[-800:]}")
        return json.loads(done.stdout) if "--json" in arguments else None

    def close(self) -> None:
        """Stop the till, head office and its PostgreSQL, the line and the devices."""
        self.stop_till()
        if self._hq is not None:
            _stop(self._hq)
        self.line.close()
        for device in self.devices:
            device.close()

    # -- within ---------------------------------------------------------------------------------------------------

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pos_client", "--config", str(self.config), *arguments]

    def _env(self) -> dict[str, str]:
        # The demo's parts are configured by the demo's file alone.
        return {name: value for name, value in os.environ.items() if not name.startswith("SPAARPUNT_")}

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(
                self._command(*arguments), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._env()
            )

    def _wait_for_port(self, port: int, process: subprocess.Popen[bytes], name: str) -> None:
        for attempt in _patiently():
            with attempt:
                if process.poll() is not None:
                    raise PartEnded(f"{name} ended at once: {self._log_end(name)}")
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                except OSError as error:
                    raise DemoError(f"{name} does not answer: {self._log_end(name)}") from error

    def _log_end(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace")[-800:] if path.exists() else "no log"


class PartEnded(DemoError):
    """A process ended that should run: waiting longer will not help."""


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _patiently() -> tenacity.Retrying:
    return tenacity.Retrying(
        stop=tenacity.stop_after_delay(START_S),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_exception_type((DemoError, PluginProblem))
        & tenacity.retry_if_not_exception_type(PartEnded),
        reraise=True,
    )


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
