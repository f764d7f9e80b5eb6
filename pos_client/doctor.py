"""A till examined from top to bottom, running or not: one finding for each part, with what to do about it."""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import sqlcipher3.dbapi2 as sqlcipher

from drivers.errors import DriverError
from drivers.recognition.guard import check_patterns
from pos_client import __version__
from pos_client.app import STORE_NAME, build_transport, till_key
from pos_client.config import Config, ConfigError, load_config
from pos_client.device_examination import examine
from pos_client.moments import local
from pos_client.plugin.client import PluginProblem, TillClient
from pos_client.plugin.messages_till import StatusAnswer
from pos_client.plugin.token import TokenError, read_existing
from pos_client.reckoning import card_patterns
from pos_client.troubles import Gravity, Trouble, queue_trouble, space_trouble, store_troubles
from sync.errors import NotEnrolled, StoreError, SyncError, TransportError, Unreachable, code_of
from sync.health import damage
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import Terminal, clock_problem, load_terminal, skew_problem, wall_ms

SOUND_SQLITE = (3, 51, 3)
"""From this version on SQLite's write-ahead log has no race that can lose commits (3.7.0 to 3.51.2)."""
ASK_S = 5.0
"""How long head office may take to answer a doctor, at most."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found about one part; `todo` is "" where nothing has to be done."""

    part: str
    well: bool
    text: str
    todo: str = ""


def examine_till(path: Path | None) -> Iterator[Checked]:
    """Look at every part that can be looked at. Changes nothing.

    Args:
        path: the configuration file; None when there is none.
    """
    yield _versions()
    yield _clock()
    try:
        config = load_config(path)
    except ConfigError as error:
        for problem in error.problems:
            yield Checked(
                "configuration", False, f"{error.source}: {problem}", "correct it: spaarpunt config check FILE"
            )
        return
    yield from _configuration(path, config)
    status = _running(config)
    if status is None:
        yield Checked("till", False, "no till runs here", "start it: spaarpunt till, or systemctl start spaarpunt-till")
    else:
        yield Checked("till", True, f"runs since {local(status.started, config)}")
    yield from _disk(config)
    with contextlib.ExitStack() as stack:
        store = None
        for checked in _store(config, stack.enter_context):
            if isinstance(checked, Store):
                store = checked
            else:
                yield checked
        yield from _enrolled(config, store)
    yield from _devices(config, status)


def _versions() -> Checked:
    found = f"spaarpunt {__version__}, Python {platform.python_version()}, SQLite {sqlcipher.sqlite_version}"
    old = tuple(int(part) for part in sqlcipher.sqlite_version.split(".")) < SOUND_SQLITE
    if old:
        return Checked("versions", False, f"{found}: this SQLite can lose sales", "install the wheels of the lock file")
    if find_spec("zxingcpp") is None:
        return Checked(
            "versions", False, f"{found}; nothing here reads bar codes", "install the wheels of the lock file"
        )
    return Checked("versions", True, f"{found}, {platform.system()} {platform.release()}")


def _clock() -> Checked:
    problem = clock_problem(wall_ms())
    return Checked("clock", problem is None, problem or "not before 2024", "set the date and time" if problem else "")


def _configuration(path: Path | None, config: Config) -> Iterator[Checked]:
    if path is None:
        yield Checked(
            "configuration", False, "there is no configuration file: only defaults", "copy config.example.toml"
        )
    elif not config.card_formats:
        yield Checked("configuration", False, f"{path} has no card formats", "add [[card_formats]]")
    else:
        try:
            check_patterns(card_patterns(config.card_formats))
        except DriverError as error:
            yield Checked("configuration", False, f"{path}: {error}", "correct card_formats")
        else:
            shown = f"{len(config.card_formats)} card formats, {len(config.devices)} devices"
            yield Checked("configuration", True, f"{path}: {shown}")


def _running(config: Config) -> StatusAnswer | None:
    try:
        token = read_existing(config.plugin_token_file)
        with TillClient(f"http://127.0.0.1:{config.screen.port}", token) as client:
            return client.status()
    except (TokenError, PluginProblem):
        return None


def _disk(config: Config) -> Iterator[Checked]:
    folder = next(path for path in [config.till.data_dir, *config.till.data_dir.parents] if path.exists())
    free = shutil.disk_usage(folder).free
    trouble = space_trouble(free)
    if trouble is None:
        yield Checked("disk", True, f"{free // 2**20} MB free at {folder}")
    else:
        yield Checked("disk", False, trouble.text("en"), trouble.todo("en"))


def _store(config: Config, enter: Callable[[contextlib.closing[Store]], Store]) -> Iterator[Checked | Store]:
    """What is found about key and database, and the database itself when it can be read."""
    path = config.till.data_dir / STORE_NAME
    try:
        key = till_key(config)
        yield Checked("key", True, f"{config.till.store_key_file}, for its owner alone")
    except StoreError as error:
        yield _said("key", error)
        return
    try:
        store = enter(contextlib.closing(Store.look(path, key)))
        wrong = damage(store.db.conn)
        if wrong is not None:
            yield Checked(
                "database", False, f"{path} is damaged: {wrong}", "start the till: it salvages what can be read"
            )
            return
        yield Checked("database", True, f"{path}, {path.stat().st_size // 2**20} MB, whole")
        yield store
    except (StoreError, sqlcipher.DatabaseError) as error:
        yield _said("database", error)


def _enrolled(config: Config, store: Store | None) -> Iterator[Checked]:
    """Who this till is, what its database says, and what head office says of it."""
    if store is None:
        yield Checked(
            "head office", False, "not asked: this till does not know who it is", "mend key and database first"
        )
        return
    try:
        terminal = load_terminal(store)
        programme = Mirror(store).programme()
        found = list(store_troubles(store, wall_ms()))
        if (queue := queue_trouble(Journal(store, terminal).head().queued)) is not None:
            found.append(queue)
    except NotEnrolled:
        yield Checked("enrolment", False, "this till has no place at head office", "spaarpunt enrol CODE")
        return
    except StoreError as error:
        yield _said("database", error)
        return
    yield Checked("enrolment", True, f"{terminal.terminal} of {terminal.store_name}")
    if programme is None:
        yield Checked("programme", False, "none yet", "connect this till to head office once")
    else:
        yield Checked("programme", True, f"{programme.id}, version {programme.version}")
    for trouble in found:
        yield Checked("notice", trouble.gravity is Gravity.INFO, trouble.text("en"), trouble.todo("en"))
    yield from _head_office(config, store, terminal)


def _head_office(config: Config, store: Store, terminal: Terminal) -> Iterator[Checked]:
    transport = build_transport(config, terminal, Mirror(store), timeout_s=min(ASK_S, config.sync.timeout_s))
    try:
        hello = transport.hello()
        stream = transport.stream()
    except TransportError as error:
        trouble = Trouble(code_of(error))
        fact = error.fact if isinstance(error, Unreachable) else error
        yield Checked("head office", False, f"{trouble.text('en')} ({fact})", trouble.todo("en"))
        return
    finally:
        transport.close()
    yield Checked(
        "head office",
        True,
        f"{config.till.head_office_url}: {hello.software}, has this till to entry {stream.durable_to}",
    )
    skew = skew_problem(hello.server_time_ms - wall_ms())
    if skew is not None:
        yield Checked("clock", False, skew, "set the date and time")


def _devices(config: Config, status: StatusAnswer | None) -> Iterator[Checked]:
    """As a running till has them, which owns them; else each is opened and closed again."""
    if not config.devices:
        yield Checked("devices", True, "none configured: readers that type work on the cashier's screen")
    if status is not None:
        for device in status.devices:
            trouble = Trouble(f"device_{device.status}", device.name)
            well = device.status == "online"
            yield Checked(f"device {device.name}", well, device.text, "" if well else trouble.todo("en"))
        return
    patterns = card_patterns(config.card_formats)
    for name, configured in config.devices.items():
        found = examine(name, configured, patterns, 0, lambda _name, _kind: None)
        for finding in found.findings:
            todo = "" if finding.good else f"spaarpunt devices doctor {name}"
            yield Checked(f"device {name}", finding.good, finding.text, todo)


def _said(part: str, error: Exception) -> Checked:
    """An error of the till's own says what and what to do, parted by a colon."""
    if not isinstance(error, SyncError):
        return Checked(part, False, str(error), "keep the file, and put a backup back: spaarpunt sync restore")
    text, _, todo = str(error).rpartition(": ")
    return Checked(part, False, text or str(error), todo)
