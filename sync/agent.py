"""The agent: carries the journal's tail to head office, brings changes back, and compares the day at night."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import structlog
import tenacity

from sync.errors import OtherVersion, Rejected, ServerFault, StoreError, SyncError, TransportError
from sync.holds import tell_head_office
from sync.journal import Journal, Tail
from sync.mirror import Mirror
from sync.proofs import DayResult, Proofs
from sync.snapshot import Snapshots
from sync.store import Store
from sync.terminal import Terminal, boot_id, read_clock, wall_ms
from sync.transport import Transport
from sync.wire import MAX_BATCH_ENTRIES, Batch, BatchAnswer, ClockReading, Outcome, fit_batch

FEED = "till"
MAX_BACKOFF_S = 300
"""Longest wait between tries: a shop that comes back on the network is in step within five minutes."""

_SNAPSHOT_WANTED = ("feed_epoch", "feed_dropped", "cursor")
"""Refusals that say: this cursor cannot be followed, take a snapshot."""

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

log = structlog.get_logger("spaarpunt.sync")


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one round did."""

    sent: int = 0
    booked: int = 0
    parked: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class SyncState:
    """How things stand with head office, for screen and status. `since_ms`: when `online` last turned, Unix ms UTC."""

    online: bool
    since_ms: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NightReport:
    """The night's work: one round, and each compared day."""

    report: SyncReport
    days: Sequence[DayResult] = field(default_factory=tuple)

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
        transport: Transport,
        *,
        poll_s: int,
        on_state: Callable[[SyncState], None] = lambda _: None,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._store = store
        self._terminal = terminal
        self._transport = transport
        self._journal = Journal(store, terminal)
        self._mirror = Mirror(store)
        self._snapshots = Snapshots(store)
        self._proofs = Proofs(store, self._journal)
        self._poll_s = poll_s
        self._on_state = on_state
        self._now_ms = now_ms
        self._round = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._most = MAX_BATCH_ENTRIES
        self.state = SyncState(online=False, since_ms=now_ms())

    # -- one round ------------------------------------------------------------------------------------------------

    def run_once(self, on_progress: Progress = _silent, on_snapshot: Progress = _silent) -> SyncReport:
        """Push the whole queue, then pull all changes; first a snapshot, when the changes do not reach back far enough.

        Args:
            on_progress: called after each batch with entries sent and entries there were.
            on_snapshot: called after each part of a snapshot with rows taken and rows there are.

        Raises:
            TransportError: head office could not be used; nothing is lost, the state says why.
        """
        with self._one_round():
            report = self._exchange(on_progress, on_snapshot)
            self._turn(online=True, problem=None, news=bool(report.sent or report.changes))
            return report

    def nightly(self, on_progress: Progress = _silent, on_snapshot: Progress = _silent) -> NightReport:
        """Push all, pull all, then compare with head office every day that is not proven yet.

        Raises:
            TransportError: head office could not be used.
        """
        report = self.run_once(on_progress, on_snapshot)
        with self._one_round():
            days = tuple(self._compare(day) for day in self._proofs.open_dates())
        return NightReport(report, days)

    @contextlib.contextmanager
    def _one_round(self) -> Iterator[None]:
        """One round at a time; what ends it early is in the state before anybody hears of it."""
        with self._round:
            try:
                yield
            except TransportError as error:
                self._turn(online=False, problem=str(error))
                raise
            except StoreError as error:
                self._turn(online=self.state.online, problem=str(error))
                raise

    def _exchange(self, on_progress: Progress, on_snapshot: Progress) -> SyncReport:
        sent = booked = parked = 0
        total = self._journal.head().queued
        while tail := self._journal.tail(self._most):
            answer = self._send(tail)
            results = {result.seq: result.outcome for result in answer.results}
            count = self._journal.head().acked_seq - tail.from_seq + 1
            if count <= 0:
                raise ServerFault("head office answered without taking anything; it is tried again")
            sent += count
            parked += sum(outcome is Outcome.PARKED for outcome in results.values())
            booked += sum(outcome is Outcome.BOOKED for outcome in results.values())
            on_progress(sent, max(total, sent))
        changes = self._pull(on_snapshot)
        tell_head_office(self._store, self._transport, self._now_ms())
        if sent or changes:
            log.info("synced", sent=sent, booked=booked, parked=parked, changes=changes)
        return SyncReport(sent, booked, parked, changes)

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
                self._mirror.start_over()
                continue
            self._mirror.apply(page, self._now_ms())
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
        log.info("took a snapshot of head office", rows=rows)
        return rows

    def _send(self, tail: Tail) -> BatchAnswer:
        count = fit_batch(tail.raws, self._most)
        clock = read_clock(self._store, self._now_ms)
        batch = Batch(
            terminal=self._terminal.terminal,
            epoch=tail.epoch,
            from_seq=tail.from_seq,
            to_seq=tail.from_seq + count - 1,
            prev_digest=tail.previous.hex(),
            head_digest=tail.digests[count - 1].hex(),
            clock=ClockReading(wall_ms=clock.wall_ms, monotonic_ms=clock.monotonic_ms, boot_id=boot_id()),
            entries=tuple(raw.decode() for raw in tail.raws[:count]),
        )
        answer = self._transport.send(batch)
        # A balance and how far it includes our entries is one write: a crash between these three shows nothing twice.
        self._mirror.confirm(answer.balances, tail.epoch, answer.applied_to)
        self._journal.acknowledge(tail.epoch, min(answer.durable_to, batch.to_seq))
        self._mirror.heard(self._now_ms(), answer.server_time_ms)
        self._most = max(1, min(answer.max_batch, MAX_BATCH_ENTRIES))
        for result in answer.results:
            if result.outcome is Outcome.PARKED:
                log.warning("parked at head office", seq=result.seq, code=result.code, text=result.text)
        return answer

    def _compare(self, day: date) -> DayResult:
        result = self._proofs.record(day, self._transport.proof(day), self._now_ms())
        if not result.agrees:
            log.error("head office disagrees", business_date=day.isoformat(), ours=result.ours, theirs=result.theirs)
        return result

    # -- for ever -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Sync in a thread of its own until `stop`: at once, after every wake-up, and every `poll_s` seconds."""
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
        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(SyncError),
            wait=_delay,
            sleep=tenacity.sleep_using_event(self._stop),
            stop=tenacity.stop_when_event_set(self._stop),
        )
        while not self._stop.is_set():
            self._wake.clear()
            try:
                retry(self.run_once)
            except tenacity.RetryError:
                return  # stopped while head office was away: the queue is in the journal
            self._wake.wait(self._poll_s)

    def _turn(self, *, online: bool, problem: str | None, news: bool = False) -> None:
        """Take the new state over, and tell: when it differs, or when balances here may have moved (`news`)."""
        before = self.state
        if before.online != online or before.problem != problem:
            since = before.since_ms if before.online == online else self._now_ms()
            self.state = SyncState(online, since, problem)
            log.info("head office reachable" if online else "head office not reachable", problem=problem)
        elif not news:
            return
        self._on_state(self.state)


_full_jitter = tenacity.wait_random_exponential(multiplier=1, max=MAX_BACKOFF_S)


def _delay(attempt: tenacity.RetryCallState) -> float:
    """Seconds before the next try: exponential with full jitter, at least what head office asked for."""
    error = attempt.outcome.exception() if attempt.outcome else None
    if isinstance(error, (Rejected, OtherVersion)):
        return MAX_BACKOFF_S  # it will not mend by itself; the state already says what to do
    wanted = error.retry_after_s if isinstance(error, ServerFault) else None
    return max(_full_jitter(attempt), wanted or 0)
