"""The agent: carries the journal's tail to head office, brings changes back, and compares the day at night."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import structlog
import tenacity

from sync.backups import Backup, back_up
from sync.calls import Calls
from sync.epochs import Epochs, Notice
from sync.errors import OtherVersion, Rejected, ServerFault, StoreError, SyncError, TransportError, code_of
from sync.holds import tell_head_office
from sync.journal import Journal
from sync.mirror import Mirror
from sync.night import Nights, Window
from sync.progress import Logged, Progress, silent
from sync.proofs import DayResult, Proofs
from sync.prune import prune
from sync.register import Register
from sync.sender import CONFLICT, Sender, Sent
from sync.settling import Settling
from sync.snapshot import Snapshots
from sync.store import Store
from sync.terminal import Terminal, wall_ms
from sync.turns import step_back
from sync.wire_mirror import Change

FEED = "till"
MAX_BACKOFF_S = 300
"""Longest wait between tries: a shop that comes back on the network is in step within five minutes."""

RESTS = 10
"""While the till sells, the agent rests after a batch, so many times as long as the batch took: nine checkouts in ten
then meet nothing of a long queue on its way, and the queue is there some seconds later."""
LONGEST_REST_S = 1.0
"""A batch that took long waited for the line more than it worked."""

_SNAPSHOT_WANTED = ("feed_epoch", "feed_dropped", "cursor")
"""Refusals that say: this cursor cannot be followed, take a snapshot."""

log = structlog.get_logger("spaarpunt.sync")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one round did."""

    sent: int = 0
    booked: int = 0
    parked: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class SyncState:
    """How things stand with head office, for screen and status. `since_ms`: when `online` last turned, Unix ms UTC.

    `problem` is for the log, `code` for programs and translation (`sync.errors.code_of`).
    """

    online: bool
    since_ms: int
    problem: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class NightReport:
    """The night's work: one round, each compared day, the backup (None when there was no space), entries that were
    pruned, and what the manager must hear of since the last night."""

    report: SyncReport
    days: Sequence[DayResult] = field(default_factory=tuple)
    backup: Backup | None = None
    pruned: int = 0
    notices: Sequence[Notice] = field(default_factory=tuple)

    @property
    def agrees(self) -> bool:
        """True when both sides agree on every day compared."""
        return all(day.agrees for day in self.days)


class Agent:
    """Syncs one till. `run_once` and `nightly` may be called from any thread; one round runs at a time."""

    def __init__(
        self,
        store: Store,
        terminal: Terminal,
        transport: Calls,
        *,
        poll_s: int | None,
        on_state: Callable[[SyncState], None] = lambda _: None,
        on_changes: Callable[[Sequence[Change]], None] = lambda _: None,
        now_ms: Callable[[], int] = wall_ms,
        night: Window | None = None,
        on_night: Callable[[NightReport], None] = lambda _: None,
        steady_s: Callable[[], float] = time.monotonic,
        resumed: bool = False,
    ) -> None:
        """Sync nothing yet.

        Args:
            poll_s: seconds after which changes are asked for when nothing happens; None for as head office wishes.
            on_changes: told of each page of changes, when they are in the mirror.
            now_ms: this till's clock, Unix ms UTC.
            steady_s: seconds that only go forward, from anywhere: what answers are timed by.
            resumed: an agent on this journal asked head office where it stands, and nobody else wrote since.
        """
        self._store = store
        self._transport = transport
        self._journal = Journal(store, terminal)
        self._mirror = Mirror(store)
        self._snapshots = Snapshots(store)
        self._register = Register(store)
        self._proofs = Proofs(store, self._journal)
        self._poll_s = poll_s
        self._on_state = on_state
        self._on_changes = on_changes
        self._now_ms = now_ms
        self._steady_s = steady_s
        self._round = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._sender = Sender(store, terminal, transport, self._journal, now_ms, steady_s=steady_s)
        self._epochs = Epochs(store)
        self._settling = Settling(store, self._journal, transport, now_ms, asked=resumed)
        self._nights = Nights(store, terminal.terminal, night) if night else None
        self._on_night = on_night
        self.state = SyncState(online=False, since_ms=now_ms())

    def before_selling(self) -> None:
        """When this journal may be a copy or a backup: ask head office how far it has it, or go on in a new epoch."""
        with self._round:
            self._settling.before_selling()

    # -- one round ------------------------------------------------------------------------------------------------

    def run_once(self, on_progress: Progress = silent, on_snapshot: Progress = silent) -> SyncReport:
        """Push the whole queue, then pull all changes; first a snapshot, when the changes do not reach back far enough.

        Args:
            on_progress: called after each batch with entries sent and entries there were.
            on_snapshot: called after each part of a snapshot with rows taken and rows there are.

        Raises:
            TransportError: head office could not be used; nothing is lost, the state says why.
        """
        with self._one_round():
            report = self._exchange(on_progress, on_snapshot)
            self._turn(online=True, news=bool(report.sent or report.changes))
            return report

    def nightly(self, on_progress: Progress = silent, on_snapshot: Progress = silent) -> NightReport:
        """Push all, pull all, compare with head office every day that is not proven yet, back up, prune, report.

        Raises:
            TransportError: head office could not be used.
        """
        report = self.run_once(on_progress, on_snapshot)
        with self._one_round():
            days = tuple(self._compare(epoch, day) for epoch, day in self._proofs.open_days())
        night = NightReport(report, days, self._back_up(), self._prune(), self._epochs.notices(unreported=True))
        self._on_night(night)
        self._epochs.reported()
        if self._nights is not None:
            self._nights.done(self._now_ms())
        return night

    def _back_up(self) -> Backup | None:
        """Without a backup the night goes on: the manager is told."""
        try:
            return back_up(self._store.path, self._store.key, self._now_ms())
        except StoreError as error:
            self._epochs.tell(self._now_ms(), "no_backup", str(error))
            return None

    def _prune(self) -> int:
        """By head office's time, and only once that is known."""
        offset_ms = self._mirror.contact().clock_offset_ms
        return 0 if offset_ms is None else prune(self._store, self._proofs, self._now_ms() + offset_ms)

    @contextlib.contextmanager
    def _one_round(self) -> Iterator[None]:
        """One round at a time; what ends it early is in the state before anybody hears of it."""
        with self._round:
            try:
                yield
            except TransportError as error:
                if isinstance(error, Rejected) and error.code == "superseded":
                    self._settling.superseded()
                self._turn(online=False, error=error)
                raise
            except StoreError as error:
                self._turn(online=self.state.online, error=error)
                raise

    def _exchange(self, on_progress: Progress, on_snapshot: Progress) -> SyncReport:
        self._register.catch_up(self._stop.is_set)
        done = self._send_all(on_progress)
        changes = self._pull(on_snapshot)
        if self._settling.due:  # its feed began anew: it was restored, and what it lost goes again
            again = self._send_all(on_progress)
            done = Sent(done.entries + again.entries, done.booked + again.booked, done.parked + again.parked)
            changes += self._pull(on_snapshot)
        tell_head_office(self._store, self._transport, self._now_ms())
        if done.entries or changes:
            log.info("synced", sent=done.entries, booked=done.booked, parked=done.parked, changes=changes)
        return SyncReport(done.entries, done.booked, done.parked, changes)

    def _send_all(self, on_progress: Progress) -> Sent:
        """Agree on where the journal stands, and send what head office does not have."""
        self._settling.settle()
        sent = booked = parked = 0
        total = self._journal.head().queued
        while True:
            began, last = self._steady_s(), self._journal.head().seq
            done = self._send()
            if done is None:
                return Sent(sent, booked, parked)
            sent += done.entries
            booked += done.booked
            parked += done.parked
            on_progress(sent, max(total, sent))
            if self._journal.head().seq > last:  # a customer is being served
                self._stop.wait(min(RESTS * (self._steady_s() - began), LONGEST_REST_S))

    def _send(self) -> Sent | None:
        """Send one batch; when head office knows this journal otherwise, settle that and go on with what is next."""
        head = self._journal.head()
        try:
            return self._sender.send_next()
        except Rejected as error:
            if error.code == CONFLICT:
                self._settling.move_on()
            elif error.code == "gap" and error.wanted_seq is not None and error.wanted_seq <= head.acked_seq:
                self._settling.went_back(head.epoch, error.wanted_seq)
            else:
                raise
            self._sender.start_over()
            return Sent()

    def _pull(self, on_snapshot: Progress) -> int:
        rows = 0
        snapshot_taken = False
        while True:
            if not self._mirror.cursor():
                rows += self._take_snapshot(on_snapshot)
                snapshot_taken = True
                if not self._mirror.cursor():
                    return rows  # told to stop: the next start goes on from here
            try:
                page = self._transport.changes(FEED, self._mirror.cursor())
            except Rejected as error:
                if error.code not in _SNAPSHOT_WANTED or snapshot_taken:
                    raise
                log.warning("the feed cannot be followed any more: taking a snapshot", code=error.code)
                if error.code == "feed_epoch":
                    self._settling.feed_began_anew()
                self._mirror.start_over()
                continue
            self._mirror.apply(page, self._now_ms())
            self._on_changes(page.changes)
            rows += len(page.changes)
            if not page.more:
                return rows

    def _take_snapshot(self, on_progress: Progress) -> int:
        """Take a snapshot, or go on with one that was broken off; rows it brought. Ends early when told to stop."""
        rows = 0
        while not self._mirror.cursor():
            place, taken = self._snapshots.place(), 0
            asked = (place.cursor, place.section, place.after) if place else None
            try:
                with contextlib.closing(self._transport.snapshot(asked)) as parts:
                    for part in parts:
                        self._snapshots.apply(part, self._now_ms())
                        taken += 1
                        rows += len(part.rows)
                        on_progress(min(rows, part.total), part.total)
                        if self._stop.is_set():
                            return rows
            except Rejected as error:
                if error.code not in _SNAPSHOT_WANTED or place is None:
                    raise
                self._snapshots.give_up()
                continue
            if not taken:
                raise ServerFault("head office ended a snapshot before its first part; it is tried again")
        self._register.catch_up(self._stop.is_set)
        log.info("took a snapshot of head office", rows=rows)
        return rows

    def _compare(self, epoch: int, day: date) -> DayResult:
        result = self._proofs.record(day, self._transport.proof(day, epoch), self._now_ms())
        if not result.agrees:
            log.error("head office disagrees", business_date=day.isoformat(), ours=result.ours, theirs=result.theirs)
        return result

    # -- for ever -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Sync in a thread of its own until `stop`: at once, after every wake-up, and when it has waited long."""
        if self._nights is not None:
            self._nights.begin(self._now_ms())
        self._thread = threading.Thread(target=self._run, name="sync-agent", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def stop(self) -> None:
        """Finish the request under way and end the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        step_back()
        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(SyncError),
            wait=_delay,
            sleep=tenacity.sleep_using_event(self._stop),
            stop=tenacity.stop_when_event_set(self._stop),
        )
        while not self._stop.is_set():
            self._wake.clear()
            try:
                retry(lambda: self.run_once(Logged(self._steady_s)))
                if self._nights is not None and self._nights.due(self._now_ms()):
                    retry(self.nightly)
            except tenacity.RetryError:
                return  # stopped while head office was away: the queue is in the journal
            self._wake.wait(self._poll_s or self._sender.poll_s)

    def _turn(self, *, online: bool, error: SyncError | None = None, news: bool = False) -> None:
        """Take the new state over, and tell: when it differs, or when balances here may have moved (`news`)."""
        before = self.state
        problem = None if error is None else str(error)
        if before.online != online or before.problem != problem:
            since = before.since_ms if before.online == online else self._now_ms()
            self.state = SyncState(online, since, problem, None if error is None else code_of(error))
            log.info("head office reachable" if online else "head office not reachable", problem=problem)
        elif not news:
            return
        self._on_state(self.state)


def _delay(attempt: tenacity.RetryCallState) -> float:
    return pause_s(attempt.attempt_number, attempt.outcome.exception() if attempt.outcome else None, random.uniform)


def pause_s(tries: int, error: BaseException | None, uniform: Callable[[float, float], float]) -> float:
    """Seconds before the next try: exponential with full jitter, at least what head office asked for.

    Args:
        tries: how often it failed in a row, from 1.
        uniform: a number by chance between two.
    """
    if isinstance(error, (Rejected, OtherVersion)):
        return MAX_BACKOFF_S  # it will not mend by itself; the state already says what to do
    wanted = error.retry_after_s if isinstance(error, ServerFault) else None
    longest = min(MAX_BACKOFF_S, 2 ** min(tries - 1, 16))
    return max(uniform(0, longest), wanted or 0)
