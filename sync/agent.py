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
from sync.journal import Journal, Tail
from sync.mirror import Mirror
from sync.proofs import DayResult, Proofs
from sync.store import Store
from sync.terminal import Terminal, boot_id, read_clock, wall_ms
from sync.transport import Transport
from sync.wire import MAX_BATCH_ENTRIES, Batch, BatchAnswer, ClockReading, Outcome, fit_batch

FEED = "till"
MAX_BACKOFF_S = 300
"""Longest wait between tries: a shop that comes back on the network is in step within five minutes."""

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

    def run_once(self, on_progress: Callable[[int, int], None] = lambda _sent, _total: None) -> SyncReport:
        """Push the whole queue, then pull all changes.

        Args:
            on_progress: called after each batch with entries sent and entries there were.

        Raises:
            TransportError: head office could not be used; nothing is lost, the state says why.
        """
        with self._one_round():
            report = self._exchange(on_progress)
            self._turn(online=True, problem=None, news=bool(report.sent or report.changes))
            return report

    def nightly(self, on_progress: Callable[[int, int], None] = lambda _sent, _total: None) -> NightReport:
        """Push all, pull all, then compare with head office every day that is not proven yet.

        Raises:
            TransportError: head office could not be used.
        """
        report = self.run_once(on_progress)
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

    def _exchange(self, on_progress: Callable[[int, int], None]) -> SyncReport:
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
        changes = self._pull()
        if sent or changes:
            log.info("synced", sent=sent, booked=booked, parked=parked, changes=changes)
        return SyncReport(sent, booked, parked, changes)

    def _pull(self) -> int:
        changes = 0
        while True:
            try:
                page = self._transport.changes(FEED, self._mirror.cursor())
            except Rejected as error:
                if error.code != "feed_epoch" or not self._mirror.cursor():
                    raise
                log.warning("head office's feed began anew: reading it from the start")
                self._mirror.start_over()
                continue
            self._mirror.apply(page, self._now_ms())
            changes += len(page.changes)
            if not page.more:
                return changes

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
