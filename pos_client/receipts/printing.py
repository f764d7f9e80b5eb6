"""Receipts printed as sales are booked, by a thread of its own: no checkout waits for paper."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass

import structlog

from drivers.errors import DriverError, PrinterNotReady
from drivers.printing.receipt_printer import ReceiptPrinter
from loyalty.errors import LoyaltyError
from loyalty.ledger import Entry, EntryKind
from pos_client.config import Config
from pos_client.events import EventBus, EventKind, TillEvent
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.layout import lay_out
from pos_client.reckoning import TillError
from sync.errors import StoreError
from sync.journal import Journal
from sync.store import Store
from sync.terminal import wall_ms

MAX_WAITING = 16
"""Receipts that wait: a till prints one a customer, so more means that nobody looks at the printer."""
PRINT_S = 40.0
"""How long one receipt may take: the 15 seconds after which a printer that takes no data is given up, and questions."""
OFFERED_MS = 30 * 60_000
"""How old a receipt may be for a till that starts to offer it: after half an hour its customer has left."""

BUSY = "busy"
"""Code of a receipt that found too many before it."""

_PRINTED = {
    EventKind.SALE_BOOKED: EntryKind.SALE,
    EventKind.SALE_VOIDED: EntryKind.VOID,
    EventKind.RETURN_BOOKED: EntryKind.RETURN,
}
"""What a customer takes a receipt of."""

log = structlog.get_logger("spaarpunt.receipts")


@dataclass(frozen=True, slots=True)
class Unprinted:
    """A receipt that is not on paper, or not whole. `code`: `interrupted` (the till stopped before it was printed), a
    reason of `drivers.errors.PrinterNotReady`, or `failed` for a fault of our own, which is in the log."""

    session: str
    kind: EntryKind
    code: str


@dataclass(frozen=True, slots=True)
class _Job:
    """What to print: an entry by its kind and session, as events name it."""

    session: str
    kind: EntryKind
    done: Future[bool]
    by_itself: bool = False
    """Whether it is the receipt of what was just booked."""


class Printing:
    """Prints receipts, one at a time. Thread-safe."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        desk: ReceiptDesk,
        bus: EventBus,
        config: Config,
        *,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        self._store = store
        self._journal = journal
        self._desk = desk
        self._bus = bus
        self._language = config.till.language
        self._by_itself = config.receipts.print
        self._columns = config.printer.columns if config.printer else 42
        self._now_ms = now_ms
        self._jobs: queue.Queue[_Job | None] = queue.Queue(MAX_WAITING)
        self.printer: ReceiptPrinter | None = None
        """The printer that receipts come out of, while this runs."""
        self._thread: threading.Thread | None = None
        self._end_listening: Callable[[], None] = lambda: None
        self._last: tuple[str, EntryKind] | None = None
        self.unprinted: Unprinted | None = None
        """What the cashier is to be told of; the newest, when there are several."""

    def start(self, printer: ReceiptPrinter | None, *, by_itself: bool = True) -> None:
        """Print from now on; without a printer nothing is ever printed.

        Args:
            by_itself: what is booked, where the configuration does not say otherwise; False for what is asked alone.
        """
        if printer is None:
            return
        self.printer = printer
        if by_itself and self._by_itself:
            self.unprinted = self._left_over()
            self._end_listening = self._bus.listen(self._on_event)
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the receipt in hand. Those that wait are offered when the till starts again."""
        self._end_listening()
        if self._thread is None:
            return
        while True:
            try:
                self._jobs.put_nowait(None)
                break
            except queue.Full:
                self._give_up_one()
        self._thread.join(PRINT_S)
        self._thread = self.printer = None

    def print(self, entry: Entry) -> Future[bool]:
        """Print the receipt of `entry`; one that was printed before is marked as a copy.

        Returns:
            A future of whether it was a copy. Its exception is PrinterNotReady, TillError (`no_receipt`,
            `no_programme`) or StoreError.

        Raises:
            TillError: `no_printer`, or `printer_not_ready` when too many receipts wait.
        """
        if self.printer is None:
            raise TillError("no_printer", "this till has no receipt printer: add a [devices.…] of kind printer")
        job = _Job(entry.session, entry.kind, Future())
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            raise TillError("printer_not_ready", "too many receipts wait for the printer: look at it") from None
        return job.done

    def again(self) -> Future[bool]:
        """Print what was not printed, else the last receipt once more.

        Raises:
            TillError: as `print`; `no_receipt` when none was made since the till was started.
        """
        missing = self.unprinted
        name = (missing.session, missing.kind) if missing else self._last
        wanted = self._journal.find_all(session=name[0]).get(name[1]) if name else None
        if wanted is None:
            raise TillError("no_receipt", "no receipt was made since this till was started: use spaarpunt receipt")
        return self.print(wanted)

    def dismiss(self) -> None:
        """The cashier does not want what was not printed."""
        self.unprinted = None

    def _on_event(self, event: TillEvent) -> None:
        kind = _PRINTED.get(event.kind)
        if kind is None:
            return
        job = _Job(str(event.data["session"]), kind, Future(), by_itself=True)
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self.unprinted = Unprinted(job.session, job.kind, BUSY)  # the event on its way shows it
            log.warning("receipt not printed", receipt=job.session, code=BUSY)

    def _give_up_one(self) -> None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return
        if job is not None:
            job.done.cancel()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._do(job)

    def _do(self, job: _Job) -> None:
        """Print one, and tell how that went."""
        self._last = (job.session, job.kind)
        try:
            copy = self._print(self._journal.find_all(session=job.session)[job.kind])
        except (DriverError, LoyaltyError, StoreError, ValueError) as error:
            code = error.reason if isinstance(error, PrinterNotReady) else "failed"
            log.warning("receipt not printed", receipt=job.session, code=code, error=str(error))
            self.unprinted = Unprinted(job.session, job.kind, code)
            self._bus.publish(EventKind.RECEIPT_NOT_PRINTED, {"session": job.session, "code": code})
            job.done.set_exception(error)
            return
        missing = self.unprinted
        # A later customer has a receipt: whoever missed theirs has left, and can still ask for it by number.
        later = job.by_itself and missing is not None and missing.code != BUSY  # which is newer
        if missing is not None and (later or (missing.session, missing.kind) == self._last):
            self.unprinted = None
        self._bus.publish(EventKind.RECEIPT_PRINTED, {"session": job.session})
        job.done.set_result(copy)

    def _print(self, entry: Entry) -> bool:
        assert self.printer is not None
        copy = was_printed(self._store, entry.id)
        parts = lay_out(self._desk.receipt(entry, copy=copy), self._language, self._columns)
        try:
            self.printer.print(parts).result(PRINT_S)
        except TookTooLong:
            raise PrinterNotReady(
                "the printer took too long", self.printer.name, "look at it, then print the receipt again", "silent"
            ) from None
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO receipt_print VALUES (?, ?)", (entry.id, self._now_ms()))
        return copy

    def _left_over(self) -> Unprinted | None:
        """The receipt that a till which was cut off did not come to; it may be on paper, but nobody noted it."""
        row = self._store.row(
            "SELECT raw FROM journal WHERE kind IN ('sale', 'void', 'return') ORDER BY epoch DESC, seq DESC LIMIT 1"
        )
        if row is None:
            return None
        entry = Entry.decode(row[0])
        if was_printed(self._store, entry.id) or self._now_ms() - entry.clock.wall_ms > OFFERED_MS:
            return None
        return Unprinted(entry.session, entry.kind, "interrupted")


def was_printed(store: Store, entry_id: str) -> bool:
    """Whether the receipt of an entry was on paper before."""
    return store.row("SELECT 1 FROM receipt_print WHERE entry = ?", (entry_id,)) is not None
