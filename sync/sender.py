"""Sends the journal's tail: one batch under way, the same bytes on a retry, sized by how the line does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sync.calls import Calls
from sync.epochs import Epochs
from sync.errors import Blame, Rejected, ServerFault, TransportError, Unreachable
from sync.journal import Journal
from sync.mirror import Mirror
from sync.store import Store
from sync.terminal import Terminal, boot_id, read_clock
from sync.wire import MAX_BATCH_ENTRIES, MAX_POLL_S, POLL_S, Batch, BatchAnswer, ClockReading, Outcome, fit_batch

FIRST_BATCH = 125
"""Entries in the first batch: some 30 kB compressed, so that a bad line shows itself before a full one is under way."""
QUICK_S = 0.5
"""A batch answered faster than this may be twice as large next time."""
SLOW_S = 2.0
"""One that takes longer is halved: a till that is stopped waits for the batch under way."""
TRIES_AS_IS = 3
"""Times that the same bytes go out without a word of head office's own: then a line gets a smaller batch. When a proxy
answered instead, head office is asked something else; if that goes well, an entry of the batch is suspected."""
TRIES_ALONE = 5
"""The same for one entry, before it is handed over. Head office answers something else after each of the last three:
one that restarts or is overrun does not come and go in step with our tries."""
FAULTS_BEFORE_SPLIT = 2
"""Times head office may say that it failed on the same bytes before one of the entries is suspected."""
PARKED_IN_A_ROW = 3
"""More entries than this that all fail alone are head office's fault, not theirs: then they wait for it to mend."""
CONFIRMED_AT_ONCE = 64
"""Balances in one transaction. Each is a page of the file: a checkout waits for some 2 ms of them, not for hundreds."""
CONFLICT = "stream_conflict"
TOO_MUCH = ("too_large", "slow")
"""Refusals that ask for a smaller batch."""

log = structlog.get_logger("spaarpunt.sync")


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one batch, in entries. All of them 0 when it has to be made anew, smaller."""

    entries: int = 0
    booked: int = 0
    parked: int = 0


class Sender:
    """The way of a till's entries to head office. For one thread at a time."""

    def __init__(
        self,
        store: Store,
        terminal: Terminal,
        transport: Calls,
        journal: Journal,
        now_ms: Callable[[], int],
        *,
        steady_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._terminal = terminal
        self._transport = transport
        self._journal = journal
        self._mirror = Mirror(store)
        self._epochs = Epochs(store)
        self._now_ms = now_ms
        self._steady_s = steady_s
        self.poll_s = POLL_S
        """How long a till with nothing to send waits before it asks for changes, as head office last said."""
        self._most = MAX_BATCH_ENTRIES
        self._size = FIRST_BATCH
        self._under_way: Batch | None = None
        self._faults = 0
        self._unanswered = 0
        self._suspected_to: tuple[int, int] | None = None
        self._before_split = FIRST_BATCH
        self._parked_in_a_row = 0

    def send_next(self) -> Sent | None:
        """Send the batch under way, or the next; None when head office has everything.

        Raises:
            TransportError: no verdict; the batch is kept as it is and goes out again.
        """
        batch = self._under_way = self._under_way or self._make()
        if batch is None:
            return None
        started = self._steady_s()
        try:
            answer = self._transport.send(batch)
        except (ServerFault, Unreachable) as error:
            if self._is_suspected(batch, error):
                return self._split(batch) if len(batch.entries) > 1 else self._hand_over(batch, error)
            if isinstance(error, Unreachable):
                self._fit_to_failing(batch, error)
            raise
        except Rejected as error:
            self._under_way = None
            if error.code in TOO_MUCH and len(batch.entries) > 1:
                self._smaller(batch)
                return Sent()
            raise
        self._fit_to(self._steady_s() - started)
        self._parked_in_a_row = 0
        return self._take(batch, answer)

    def start_over(self) -> None:
        """The journal's place has changed: the batch under way is no longer the next."""
        self._under_way = None
        self._faults = self._unanswered = 0
        self._clear()

    def _make(self) -> Batch | None:
        tail = self._journal.tail(min(self._size, self._most))
        if tail is None:
            return None
        count = fit_batch(tail.raws)
        clock = read_clock(self._store, self._now_ms)
        return Batch(
            terminal=self._terminal.terminal,
            epoch=tail.epoch,
            from_seq=tail.from_seq,
            to_seq=tail.from_seq + count - 1,
            prev_digest=tail.previous.hex(),
            head_digest=tail.digests[count - 1].hex(),
            clock=ClockReading(wall_ms=clock.wall_ms, monotonic_ms=clock.monotonic_ms, boot_id=boot_id()),
            entries=tuple(raw.decode() for raw in tail.raws[:count]),
        )

    def _take(self, batch: Batch, answer: BatchAnswer) -> Sent:
        """Take an answer over: balances, then what is acknowledged with head office's clock.

        A balance says up to which entry it goes: taken over without the rest, it is true all the same.
        """
        durable_to = min(answer.durable_to, batch.to_seq)
        if durable_to < batch.from_seq:
            raise ServerFault("head office answered without taking anything; it is tried again")
        now = self._now_ms()
        self._confirm(answer, batch.epoch)
        with self._store.transaction(flushed=False) as connection:  # when it is lost, head office says it again
            self._journal.acknowledge(batch.epoch, durable_to, at_ms=answer.server_time_ms, within=connection)
            self._mirror.heard(now, answer.server_time_ms, within=connection)
        self._under_way = None
        self._faults = self._unanswered = 0
        if self._suspected_to is not None and (batch.epoch, durable_to) >= self._suspected_to:
            self._clear()
        self._most = max(1, min(answer.max_batch, MAX_BATCH_ENTRIES))
        self.poll_s = max(1, min(answer.next_poll_s, MAX_POLL_S))
        parked = [result for result in answer.results if result.outcome is Outcome.PARKED]
        if parked:  # one line a batch: a long queue may hold thousands
            first = parked[0]
            log.warning("parked at head office", count=len(parked), seq=first.seq, code=first.code, text=first.text)
        if conflicts := sum(result.code == CONFLICT for result in parked):
            self._epochs.diverged(batch.epoch)
            self._epochs.tell(
                now,
                CONFLICT,
                f"{conflicts} entries of epoch {batch.epoch} from number {batch.from_seq} on differ from those that "
                "head office has: they wait there for a manager's word",
            )
        return Sent(
            durable_to - batch.from_seq + 1,
            sum(result.outcome is Outcome.BOOKED for result in answer.results),
            len(parked),
        )

    def _confirm(self, answer: BatchAnswer, epoch: int) -> None:
        for start in range(0, len(answer.balances), CONFIRMED_AT_ONCE):
            self._mirror.confirm(answer.balances[start : start + CONFIRMED_AT_ONCE], epoch, answer.applied_to)

    def _is_suspected(self, batch: Batch, error: ServerFault | Unreachable) -> bool:
        """Whether an entry of the batch is why: head office says so, or is silent on it and answers all else."""
        alone = len(batch.entries) == 1
        part = self._suspected_to is not None and not alone  # of a batch that was suspected: one fault is enough
        said = error.blame is Blame.SAID
        # Batches that are cut get smaller in any case: the line may be why, until only one entry is left.
        silent = error.blame is Blame.SILENCE and (alone or isinstance(error, ServerFault))
        self._faults = self._faults + 1 if said or silent else 0
        if not silent:
            return said and self._faults >= (1 if part else FAULTS_BEFORE_SPLIT)
        if self._faults < (1 if part else TRIES_AS_IS):
            return False
        if not self._answers_else():
            self._faults = 0
        return self._faults >= (TRIES_ALONE if alone else 1)

    def _answers_else(self) -> bool:
        """Whether head office answers something small that goes the same way."""
        try:
            self._transport.stream()
        except TransportError:
            return False
        return True

    def _split(self, batch: Batch) -> Sent:
        if self._suspected_to is None:
            self._before_split = self._size
        self._suspected_to = (batch.epoch, batch.to_seq)
        self._faults = 0
        self._smaller(batch)
        return Sent()

    def _clear(self) -> None:
        """Nothing is suspected any more: batches are as large again as before."""
        if self._suspected_to is not None:
            self._size, self._suspected_to = self._before_split, None

    def _hand_over(self, batch: Batch, error: ServerFault | Unreachable) -> Sent:
        if self._parked_in_a_row >= PARKED_IN_A_ROW:
            raise error
        answer = self._transport.park(batch)
        log.error("head office cannot book this entry: handed over as it is", epoch=batch.epoch, seq=batch.from_seq)
        self._parked_in_a_row += 1
        return self._take(batch, answer)

    def _smaller(self, batch: Batch) -> None:
        self._size = max(1, len(batch.entries) // 2)
        self._under_way = None

    def _fit_to_failing(self, batch: Batch, error: Unreachable) -> None:
        """Without a connection nothing is learnt of what the line carries."""
        self._unanswered += error.blame is not Blame.NONE
        if self._unanswered >= TRIES_AS_IS and len(batch.entries) > 1:
            self._unanswered = 0
            self._smaller(batch)

    def _fit_to(self, seconds: float) -> None:
        if seconds > SLOW_S:
            self._size = max(1, self._size // 2)
        elif seconds < QUICK_S and self._suspected_to is None:
            self._size = min(self._most, self._size * 2)
