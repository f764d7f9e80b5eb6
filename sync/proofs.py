"""The proof of the day: this till's figures beside head office's, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sync.journal import Journal
from sync.store import Store
from sync.wire import DayProof, Proof


@dataclass(frozen=True, slots=True)
class DayResult:
    """One business date compared. `parked`: entries head office received but did not book."""

    business_date: date
    agrees: bool
    ours: Proof
    theirs: Proof
    parked: int


class Proofs:
    """Compared days, kept so that each is compared until it agrees and entries came after."""

    def __init__(self, store: Store, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    def open_days(self) -> Sequence[tuple[int, date]]:
        """Epoch and business date of each day to compare: never compared, not agreed, or with entries since.

        Not those of an epoch that diverged (the manager was told), nor days that lost entries to pruning.
        """
        known = self._store.rows(
            "SELECT epoch, business_date, ours, closed FROM day_proof WHERE agrees = 1 OR closed = 1"
        )
        proven = {(epoch, day): ours for epoch, day, ours, closed in known if not closed}
        closed = {(epoch, day) for epoch, day, _, shut in known if shut}
        apart = {row[0] for row in self._store.rows("SELECT epoch FROM closed_epoch WHERE diverged = 1")}
        return [
            (epoch, day)
            for epoch, day in self._journal.business_dates()
            if epoch not in apart
            and (epoch, day.isoformat()) not in closed
            and proven.get((epoch, day.isoformat())) != self._journal.proof(day, epoch).model_dump_json()
        ]

    def record(self, day: date, answer: DayProof, now_ms: int) -> DayResult:
        """Compare a day with head office's answer, in the epoch that this is of, and keep the result."""
        ours = self._journal.proof(day, answer.proof.epoch)
        agrees = ours == answer.proof
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO day_proof (epoch, business_date, agrees, ours, theirs, parked, checked_ms) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    ours.epoch,
                    day.isoformat(),
                    int(agrees),
                    ours.model_dump_json(),
                    answer.proof.model_dump_json(),
                    answer.parked,
                    now_ms,
                ),
            )
        return DayResult(day, agrees, ours, answer.proof, answer.parked)

    def pruned(self) -> Sequence[Proof]:
        """Of each epoch that was left, the newest day that was pruned whole, as both sides agreed on it.

        Not of an epoch that diverged: the manager was told.
        """
        rows = self._store.rows(
            "SELECT d.ours, max(json_extract(d.ours, '$.last_seq')) FROM day_proof d "
            "JOIN pruned p USING (epoch) JOIN closed_epoch c USING (epoch) "
            "WHERE c.diverged = 0 AND d.ours <> '' AND json_extract(d.ours, '$.last_seq') <= p.seq GROUP BY epoch"
        )
        return [Proof.model_validate_json(ours) for ours, _ in rows]

    def latest(self) -> DayResult | None:
        """The newest day compared, or None."""
        row = self._store.row(
            "SELECT business_date, agrees, ours, theirs, parked FROM day_proof "
            "WHERE ours <> '' ORDER BY business_date DESC, epoch DESC LIMIT 1"
        )
        if row is None:
            return None
        return DayResult(
            date.fromisoformat(row[0]),
            bool(row[1]),
            Proof.model_validate_json(row[2]),
            Proof.model_validate_json(row[3]),
            row[4],
        )
