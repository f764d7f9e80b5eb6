"""What is wrong with a running till, as codes with a sentence and what to do in nl and en: for screens and status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pos_client.devices import DeviceState
from pos_client.i18n import mark, translator
from pos_client.room import LITTLE_SPACE_BYTES, MANY_QUEUED, MOST_QUEUED, NO_SPACE_BYTES
from pos_client.runtime import Runtime
from sync.epochs import Doubt, Epochs
from sync.inbox import Parked
from sync.store import Store
from sync.terminal import clock_problem, skew_problem, wall_ms


class Gravity(StrEnum):
    """Who has to do something."""

    INFO = "info"  # nobody: it is good to know
    WARN = "warn"  # somebody, some time today
    STOP = "stop"  # somebody, now


@dataclass(frozen=True, slots=True)
class Said:
    """What a code says, and what to do; both with {what} for what it is about."""

    gravity: Gravity
    text: str
    todo: str


_CALL = mark("Call head office")
_UPDATE = Said(
    Gravity.STOP,
    mark("This till and head office speak different versions: sales are kept here"),
    mark("Update the older of the two"),
)
_REFUSED = Said(Gravity.STOP, mark("Head office refuses this till: sales are kept here"), _CALL)

SAID: dict[str, Said] = {
    # How the last exchange with head office ended: `SyncState.code`.
    "unreachable": Said(
        Gravity.INFO, mark("No line with head office: sales go on and are sent later"), mark("Check the line")
    ),
    "server_fault": Said(Gravity.INFO, mark("Head office has a fault: it is tried again"), mark("Nothing")),
    "other_version": _UPDATE,
    "protocol_version": _UPDATE,
    "no_such_call": _UPDATE,
    "revoked": Said(
        Gravity.STOP,
        mark("Head office has shut this till out: sales are kept here"),
        mark("Call head office for a new code, then: spaarpunt enrol CODE"),
    ),
    "unknown_terminal": _REFUSED,
    "signature": Said(
        Gravity.STOP,
        mark("Head office does not know this till's key: sales are kept here"),
        mark("Call head office for a new code, then: spaarpunt enrol CODE"),
    ),
    "other_store": _REFUSED,
    "other_terminal": _REFUSED,
    "superseded": Said(
        Gravity.STOP,
        mark("Another copy of this till goes on in its place: sales are kept here and not sent"),
        mark("Stop one of the two, or enrol this one with a new code: spaarpunt enrol CODE"),
    ),
    "clock_skew": Said(
        Gravity.WARN, mark("This till's clock is wrong: please set the date and time"), mark("Set the date and time")
    ),
    "refused": Said(Gravity.WARN, mark("Head office does not take what this till sends: sales are kept here"), _CALL),
    "store_failed": Said(
        Gravity.STOP, mark("The till cannot write on its disk"), mark("Free space on the disk, or call support")
    ),
    # What happened to this till, until the night has reported it: `sync.epochs.Notice`.
    "salvaged": Said(
        Gravity.WARN,
        mark("The till's database was damaged and has been repaired"),
        mark("Keep the file that was set aside until all is settled: spaarpunt sync status"),
    ),
    "restored": Said(
        Gravity.WARN, mark("This till was put back or copied: it goes on under new numbers"), mark("Nothing")
    ),
    "copied": Said(
        Gravity.WARN,
        mark("This till was put back or copied: no rewards until head office was reached"),
        mark("Connect it to head office once"),
    ),
    "head_office_restored": Said(
        Gravity.INFO, mark("Head office was put back from a backup: sales are sent again"), mark("Nothing")
    ),
    "entries_lost": Said(
        Gravity.WARN, mark("Head office was put back from a backup and lacks old sales of this till"), _CALL
    ),
    "stream_conflict": Said(
        Gravity.WARN, mark("Head office has other sales under this till's numbers: they wait in the inbox"), _CALL
    ),
    "no_backup": Said(Gravity.WARN, mark("Last night's backup was not made"), mark("Free space on the disk")),
    # What this till sees by itself.
    "clock_wrong": Said(
        Gravity.WARN, mark("This till's clock is wrong: please set the date and time"), mark("Set the date and time")
    ),
    "parked": Said(
        Gravity.WARN,
        mark("Head office did not book everything of this store ({what}): the manager decides"),
        mark("Open the inbox at /manager, or: spaarpunt inbox"),
    ),
    "day_differs": Said(Gravity.WARN, mark("Head office has other figures of {what}"), _CALL),
    "device_offline": Said(
        Gravity.WARN, mark("{what} is not connected"), mark("Check its cable and power: it comes back by itself")
    ),
    "device_failed": Said(Gravity.WARN, mark("{what} does not work"), mark("Run: spaarpunt devices doctor")),
    "disk_little": Said(
        Gravity.WARN,
        mark("Little space on the disk, {what} MB left: rewards without head office end first"),
        mark("Free space on the disk"),
    ),
    "disk_full": Said(
        Gravity.STOP,
        mark("Almost no space on the disk, {what} MB left: no rewards without head office, then booking ends"),
        mark("Free space now"),
    ),
    "queue_long": Said(
        Gravity.WARN,
        mark("{what} bookings wait for head office: with many more, rewards without it end"),
        mark("Check the line"),
    ),
    "queue_full": Said(
        Gravity.STOP,
        mark("{what} bookings wait for head office: saving goes on, no rewards until it is reached"),
        _CALL,
    ),
    "other": Said(Gravity.WARN, mark("Something is wrong with this till: see its log"), mark("Call support")),
}
"""What each code means; docs/operations.md has the same codes at greater length."""

_REFUSALS = frozenset({"malformed", "cut", "cursor", "gap", "too_large", "slow", "unknown_feed", "epoch_taken"})
"""Refusals that a right till never gets to stay with: one sentence for all of them."""
_GRAVEST_FIRST = [Gravity.STOP, Gravity.WARN, Gravity.INFO]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong; `what` fills in its sentence."""

    code: str
    what: str = ""

    @property
    def said(self) -> Said:
        """Its sentences, in English and not filled in."""
        return SAID[known(self.code)]

    @property
    def gravity(self) -> Gravity:
        """Who has to do something."""
        return self.said.gravity

    def text(self, language: str) -> str:
        """What is wrong, in "nl" or "en"."""
        return translator(language)(self.said.text).format(what=self.what)

    def todo(self, language: str) -> str:
        """What to do about it."""
        return translator(language)(self.said.todo).format(what=self.what)


def known(code: str) -> str:
    """The code that has a sentence: `code` itself, or the one that stands for it."""
    return code if code in SAID else "refused" if code in _REFUSALS else "other"


def troubles(runtime: Runtime) -> tuple[Trouble, ...]:
    """What is wrong with the running till, gravest first.

    Raises:
        StoreError: the till's database could not be read.
    """
    found = list(store_troubles(runtime.store, wall_ms()))
    if (code := runtime.agent.state.code) and code not in {one.code for one in found}:
        found.append(Trouble(code))
    found += [trouble for device in runtime.board.states() if (trouble := _device_trouble(device)) is not None]
    proof = runtime.proofs.latest()
    if proof is not None and not proof.agrees:
        found.append(Trouble("day_differs", f"{proof.business_date:%d-%m-%Y}"))
    room = space_trouble(runtime.room.free_bytes()), queue_trouble(runtime.room.queued())
    found += [trouble for trouble in room if trouble is not None]
    return gravest_first(found)


def store_troubles(store: Store, now_ms: int) -> tuple[Trouble, ...]:
    """What the database says, of a till that runs or not. `now_ms`: this machine's clock, Unix ms UTC."""
    epochs = Epochs(store)
    found = {notice.code: Trouble(notice.code) for notice in epochs.notices(unreported=True)}
    doubt = epochs.doubt()
    if doubt is not None:
        code = "superseded" if doubt is Doubt.SUPERSEDED else "copied"
        found[code] = Trouble(code)
    row = store.row("SELECT clock_offset_ms FROM feed")
    if clock_problem(now_ms) or (row and skew_problem(row[0])):
        found["clock_wrong"] = Trouble("clock_wrong")
    waiting = sum(entry.waits for entry in Parked(store).entries())
    if waiting:
        found["parked"] = Trouble("parked", str(waiting))
    return tuple(found.values())


def device_todo(language: str, device: DeviceState) -> str:
    """What to do about a device; "" for one that works."""
    trouble = _device_trouble(device)
    return trouble.todo(language) if trouble is not None else ""


def _device_trouble(device: DeviceState) -> Trouble | None:
    if device.status == "online":
        return None
    return Trouble("device_offline" if device.status == "offline" else "device_failed", device.name)


def space_trouble(free_bytes: int | None) -> Trouble | None:
    """What is wrong with that much space on the data folder's disk, if anything; None where the machine cannot say."""
    if free_bytes is None or free_bytes >= LITTLE_SPACE_BYTES:
        return None
    return Trouble("disk_full" if free_bytes < NO_SPACE_BYTES else "disk_little", str(free_bytes // 2**20))


def queue_trouble(queued: int) -> Trouble | None:
    """What is wrong with that many entries waiting for head office, if anything."""
    if queued < MANY_QUEUED:
        return None
    return Trouble("queue_full" if queued >= MOST_QUEUED else "queue_long", str(queued))


def gravest_first(found: list[Trouble]) -> tuple[Trouble, ...]:
    """In the order in which people should hear of them."""
    return tuple(sorted(found, key=lambda trouble: _GRAVEST_FIRST.index(trouble.gravity)))
