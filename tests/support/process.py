"""The real till as a process of its own: started, stopped, killed with kill -9 at will and started again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

from click.testing import CliRunner, Result

from pos_client.cli import main
from pos_client.plugin.client import TillClient
from tests.support.till import FORMATS, closed_port, make_runtime

START_S = 60.0
"""The first start loads everything; the later ones are forks of a process that has."""
STOP_S = 20.0
COMMAND_S = 60.0
_BOOKINGS = frozenset({"sale_booked", "return_booked"})

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.support.process", "tests.support.loaded"])


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int | None
    stdout: str
    stderr: str


def command(config: Path, *arguments: str, **environment: str) -> Done:
    """Run `spaarpunt` to its end with these arguments, in a process of its own.

    Args:
        environment: variables beside those of the tests.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        line = ["--config", str(config), *arguments]
        process = _processes.Process(target=_run_command, args=(line, environment, str(out), str(err)), daemon=True)
        process.start()
        process.join(COMMAND_S)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"expected 'spaarpunt {' '.join(arguments)}' to end within {COMMAND_S:.0f} s")
        return Done(process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


class TillProgram:
    """`spaarpunt till` with the configuration file `config`, on `port`: one address through all restarts.

    What it writes to standard error is kept in the file `log`.
    """

    def __init__(self, config: Path, data: Path, port: int, log: Path) -> None:
        self.config = config
        self.data = data
        self.port = port
        self.log = log
        self._process: ForkServerProcess | None = None
        self._stdout: Connection | None = None
        self._watch: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The till's own, with every scope."""
        return (self.data / "plugin.token").read_text(encoding="ascii").strip()

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def client(self, **settings: Any) -> TillClient:
        """A client of it; the caller closes it."""
        return TillClient(self.address, self.token, **settings)

    def start(self, *options: str, dies: bool = False) -> None:
        """Start it with `options`, and wait until it says that it is ready.

        Args:
            dies: kill -9 between its next booking and the answer to that.
        """
        if self._stdout is not None:
            self._stdout.close()
        self._stdout, its = _processes.Pipe(duplex=False)
        arguments = (str(self.config), options, dies, its, str(self.log))
        self._process = _processes.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        its.close()
        line = b""
        while b"is ready" not in line:
            part = os.read(self._stdout.fileno(), 4096) if self._stdout.poll(START_S) else b""
            assert part, f"expected a till that is ready in time; {self.said()}"
            line += part

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.is_alive()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8")[-2000:] if self.log.exists() else "no log"

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal and wait; its exit code, or the signal's number as a negative one."""
        assert self._process is not None
        os.kill(self.pid, number)
        self._process.join(STOP_S)
        code, self._process = self._process.exitcode, None
        assert code is not None, f"expected a till that stops in time; {self.said()}"
        return code

    def kill(self) -> None:
        """kill -9: no goodbye."""
        assert self._process is not None
        self._process.kill()
        self._process.join()

    def start_again_when_it_dies(self) -> None:
        """From now on, once: a killed till comes back by itself, as its service does."""
        process = self._process
        assert process is not None

        def watch() -> None:
            process.join()
            self.start()

        self._watch = threading.Thread(target=watch)
        self._watch.start()

    def back(self) -> None:
        """Wait until it has come back."""
        assert self._watch is not None
        self._watch.join(START_S)
        assert not self._watch.is_alive()

    def stop(self) -> None:
        """Ask it to stop if it runs, and wait until it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(STOP_S)
            if self._process.is_alive():
                self.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class TillProcess(TillProgram):
    """A till in `folder` that was enrolled and knows the usual members; head office is a closed port.

    Args:
        sections: of its configuration, beside those it needs: `plugin={"origins": ["http://…"]}`.
    """

    def __init__(self, folder: Path, **sections: Mapping[str, Any]) -> None:
        super().__init__(folder / "spaarpunt.toml", folder / "till", closed_port(), folder / "stderr.log")
        make_runtime(self.data).store.close()
        usual: dict[str, Mapping[str, Any]] = {
            "till": {
                "name": "kassa 2",
                "data_dir": str(self.data),
                "head_office_url": f"http://127.0.0.1:{closed_port()}",
            },
            "screen": {"port": self.port},
            "sync": {"timeout_s": 2},
        }
        changed = {name: {**usual.get(name, {}), **sections.get(name, {})} for name in usual | sections}
        formats = "".join(f"[[card_formats]]\n{_lines(each.model_dump(mode='json'))}" for each in FORMATS)
        self.config.write_text(_toml(changed) + formats, encoding="utf-8")

    def run(self, *arguments: str) -> Result:
        """Run a command with this till's configuration, in this process: it looks from outside all the same."""
        return CliRunner().invoke(main, ["--config", str(self.config), *arguments])

    def json(self, *arguments: str) -> tuple[Any, int]:
        """Run a command with `--json`; what it says, and its exit code."""
        done = self.run(*arguments, "--json")
        return json.loads(done.stdout or "null"), done.exit_code


def _toml(sections: Mapping[str, Mapping[str, Any]], above: str = "") -> str:
    parts = []
    for name, values in sections.items():
        inner = {key: value for key, value in values.items() if isinstance(value, Mapping)}
        own = {key: value for key, value in values.items() if key not in inner}
        parts.append(f"[{above}{name}]\n{_lines(own)}{_toml(inner, f'{above}{name}.')}")
    return "".join(parts)


def _lines(values: Mapping[str, Any]) -> str:
    """Texts, numbers, truths and lists of those are written in TOML as in JSON."""
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def _run(config: str, options: tuple[str, ...], dies: bool, told: Connection, log: str) -> None:
    """In the new process: as the command line does it."""
    os.dup2(told.fileno(), 1)
    told.close()
    _write_to(2, log)
    _as_started()
    if dies:
        _serve_and_die(Path(config))
    else:
        main(["--config", config, "till", *options])


def _run_command(arguments: list[str], environment: Mapping[str, str], out: str, err: str) -> None:
    _write_to(1, out)
    _write_to(2, err)
    _as_started()
    os.environ.update(environment)
    main(arguments, prog_name="spaarpunt")


def _write_to(number: int, path: str) -> None:
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(opened, number)
    os.close(opened)


def _as_started() -> None:
    """What a program finds that a shell starts: signals as they come, no settings of somebody else's."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in [name for name in os.environ if name.startswith("SPAARPUNT_")]:
        del os.environ[name]


def _serve_and_die(path: Path) -> None:
    from pos_client.config import load_config
    from pos_client.events import TillEvent
    from pos_client.logs import set_up_logs
    from pos_client.runtime import Runtime
    from pos_client.serve import serve_till

    config = load_config(path)
    set_up_logs(config.log, config.log_folder, config.card_formats)

    def die(event: TillEvent) -> None:
        """Told after the booking is on the disk, before anything is answered."""
        if event.kind in _BOOKINGS:
            os.kill(os.getpid(), signal.SIGKILL)

    def ready(address: str, runtime: Runtime) -> None:
        runtime.bus.listen(die)
        print(f"is ready: {address}", flush=True)

    serve_till(config, ready)
