"""The real `spaarpunt till` as a process of its own, on a till that was enrolled; head office is a closed port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from pos_client.cli import main
from pos_client.plugin.client import TillClient
from tests.support.till import FORMATS, closed_port, make_runtime

READY_S = 60.0
STOP_S = 20.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class TillProcess:
    """A till in a folder. `more`: further lines of its configuration."""

    folder: Path
    more: str = ""
    port: int = field(default_factory=closed_port)
    process: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        make_runtime(self.data).store.close()
        formats = "\n".join(
            f'[[card_formats]]\nname = "{each.name}"\nprefix = "{each.prefix}"\nlength = {each.length}\n'
            f'check = "{each.check.value}"'
            for each in FORMATS
        )
        self.config.write_text(
            f'[till]\nname = "kassa 2"\ndata_dir = {json.dumps(str(self.data))}\n'
            f'head_office_url = "http://127.0.0.1:{closed_port()}"\n[screen]\nport = {self.port}\n'
            f"[sync]\ntimeout_s = 2\n{formats}\n{self.more}\n",
            encoding="utf-8",
        )

    @property
    def data(self) -> Path:
        """The till's data folder."""
        return self.folder / "till"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.folder / "spaarpunt.toml"

    @property
    def url(self) -> str:
        """The cashier's screen."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self, *options: str, data: Path | None = None) -> TillClient:
        """Start it with `options`, and wait until it says that it is ready; the caller closes the client.

        Args:
            data: where its token lies; the till's data folder when None.
        """
        log = (self.folder / "stderr.log").open("a")
        self.process = subprocess.Popen(
            self._command("till", *options), stdout=subprocess.PIPE, stderr=log, text=True, env=self._env(), cwd=ROOT
        )
        log.close()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "is ready" in line, (line, (self.folder / "stderr.log").read_text(encoding="utf-8")[-2000:])
        token = ((data or self.data) / "plugin.token").read_text(encoding="ascii").strip()
        return TillClient(self.url.rstrip("/"), token)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=STOP_S)
        code, self.process = self.process.returncode, None
        return code

    def run(self, *arguments: str) -> Result:
        """Run a command with this till's configuration, in this process: it looks from outside all the same."""
        return CliRunner().invoke(main, ["--config", str(self.config), *arguments])

    def json(self, *arguments: str) -> tuple[Any, int]:
        """Run a command with `--json`; what it says, and its exit code."""
        done = self.run(*arguments, "--json")
        return json.loads(done.stdout or "null"), done.exit_code

    def close(self) -> None:
        """Stop it if it still runs."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pos_client", "--config", str(self.config), *arguments]

    def _env(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("SPAARPUNT_")}
        return {**own, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
