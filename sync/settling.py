"""Agrees with head office on where this till's journal stands, and moves it to its next epoch when the two differ."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from sync.calls import Calls
from sync.certificates import Certificates
from sync.epochs import Declared, Doubt, Epochs
from sync.errors import Rejected, TransportError
from sync.journal import Journal
from sync.proofs import Proofs
from sync.store import Store
from sync.terminal import wall_ms

log = structlog.get_logger("spaarpunt.sync")


class Settling:
    """Where the journal stands, between one till and head office. For one thread at a time."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        transport: Calls,
        now_ms: Callable[[], int] = wall_ms,
        *,
        asked: bool = False,
    ) -> None:
        self._epochs = Epochs(store)
        self._journal = journal
        self._proofs = Proofs(store, journal)
        self._certificates = Certificates(store)
        self._transport = transport
        self._now_ms = now_ms
        self._asked = asked

    def settle(self) -> None:
        """Ask once after the start, and whenever this journal is in doubt, how far head office has it.

        Raises:
            TransportError: head office could not be asked; asked again next time.
        """
        if (declared := self._epochs.declared()) is not None:
            self._open(declared)
        elif not self._asked or self._epochs.doubt() is not None:
            self._compare()
        if not self._asked:
            self._look_for_pruned()
        self._asked = True

    @property
    def due(self) -> bool:
        """Whether head office is to be asked how far it has this journal, before anything else is sent."""
        return not self._asked

    def feed_began_anew(self) -> None:
        """Head office's database came back from a backup: it may lack what it acknowledged, of any epoch."""
        self._epochs.send_closed_again()
        self._asked = False

    def superseded(self) -> None:
        """Head office says that this till's key is past: another copy goes on in its place."""
        if self._epochs.doubt() is Doubt.SUPERSEDED:
            return
        self._epochs.doubted(Doubt.SUPERSEDED)
        text = (
            "another copy of this till goes on in its place: sales go on here and are kept, but not sent; stop one of "
            "the two, or enrol this one with a new code (spaarpunt enrol CODE)"
        )
        self._epochs.tell(self._now_ms(), "superseded", text)

    def before_selling(self) -> None:
        """A journal in doubt asks before its first write; without an answer it sells on in an epoch of its own.

        No entry can then bear a number that another copy used.
        """
        if self._epochs.doubt() is None:
            return
        try:
            self.settle()
        except TransportError as error:
            if self._epochs.declared() is None:
                head = self._journal.head()
                self._epochs.begin(head.epoch + 1)
                log.warning("head office cannot say how far it has this till: on in a new epoch", problem=str(error))

    def move_on(self) -> None:
        """Head office has other entries under this journal's numbers: go on in the next epoch."""
        self._open(self._epochs.begin(self._journal.head().epoch + 1))

    def went_back(self, epoch: int, wanted_seq: int) -> None:
        """Head office asks for entries from `wanted_seq` on that it had acknowledged: it was restored from a backup."""
        durable_to = wanted_seq - 1
        head = self._journal.head()
        if self._journal.rewind(epoch, durable_to):
            text = f"head office was restored from a backup: entries from number {wanted_seq} on are sent again"
            self._epochs.tell(self._now_ms(), "head_office_restored", text)
        elif epoch == head.epoch:
            text = (
                f"head office was restored from a backup and lacks entries from number {wanted_seq} on, which this "
                "till no longer has: it goes on in a new epoch"
            )
            self._epochs.tell(self._now_ms(), "entries_lost", text)
            declared = self._epochs.begin(epoch + 1)
            self._epochs.diverged(epoch)
            self._epochs.send_closed_again()
            self._open(declared)

    def _look_for_pruned(self) -> None:
        """Tell the manager of epochs that were left of which head office lacks what this till no longer has.

        It never asks for anything of a closed epoch; a day that both sides once agreed on shows it.
        """
        for ours in self._proofs.pruned():
            theirs = self._transport.proof(ours.business_date, ours.epoch).proof
            if theirs.last_seq >= ours.last_seq:
                continue
            text = (
                f"head office was restored from a backup and lacks entries of epoch {ours.epoch} up to number "
                f"{ours.last_seq} of {ours.business_date}, which this till no longer has"
            )
            self._epochs.tell(self._now_ms(), "entries_lost", text)
            self._epochs.diverged(ours.epoch)

    def _compare(self) -> None:
        stream = self._transport.stream()
        head = self._journal.head()
        if stream.epoch != head.epoch:
            self._open(self._epochs.begin(max(stream.epoch, head.epoch) + 1))
            return
        ours = self._journal.digest_at(head.epoch, stream.durable_to)
        if stream.durable_to > head.seq or (ours is not None and ours.hex() != stream.head_digest):
            self.move_on()
            return
        if stream.durable_to < head.acked_seq:
            self.went_back(head.epoch, stream.durable_to + 1)
        self._certificates.keep(stream.epoch, stream.certificate)
        if self._epochs.doubt() is not None and self._epochs.declared() is None:
            self._epochs.settled()

    def _open(self, declared: Declared) -> None:
        """Open a declared epoch at head office, and take its key."""
        try:
            answer = self._transport.open_epoch(declared.epoch, declared.key)
        except Rejected as error:
            if error.code != "epoch_taken" or error.wanted_seq is None:
                raise
            declared = self._epochs.begin(error.wanted_seq)
            answer = self._transport.open_epoch(declared.epoch, declared.key)
        left, durable_to = answer.left_epoch, answer.left_durable_to
        last, acked = self._journal.reached(left) or (durable_to, durable_to)
        ours = self._journal.digest_at(left, durable_to)
        other = durable_to > last or (ours is not None and ours.hex() != answer.left_head_digest)
        if durable_to < acked and not other:
            self.went_back(left, durable_to + 1)
        doubt = self._epochs.doubt()
        self._epochs.opened()
        self._transport.sign_with(declared.key)
        self._certificates.keep(answer.epoch, answer.certificate)
        if other:
            self._epochs.diverged(left)
            # It may have lost ours to a backup since it acknowledged them, and booked another copy's in their place.
            self._epochs.send_closed_again()
            lost = f"; {durable_to - last} sales that head office has are not in it" if durable_to > last else ""
            text = f"this till's database was restored or copied{lost}: it goes on in epoch {declared.epoch}"
            self._epochs.tell(self._now_ms(), "restored", text)
            self._look_for_pruned()
        elif doubt is not None:
            text = f"this till's database was {doubt}; nothing of it is missing: it goes on in epoch {declared.epoch}"
            self._epochs.tell(self._now_ms(), "restored", text)
