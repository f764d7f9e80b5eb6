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

    def open_dates(self) -> Sequence[date]:
        """Business dates to compare: never compared, not agreed, or with entries since."""
        proven = {row[0]: row[1] for row in self._store.rows("SELECT business_date, ours FROM proof WHERE agrees = 1")}
        return [
            day
            for day in self._journal.business_dates()
            if proven.get(day.isoformat()) != self._journal.proof(day).model_dump_json()
        ]

    def record(self, day: date, answer: DayProof, now_ms: int) -> DayResult:
        """Compare a day with head office's answer and keep the result."""
        ours = self._journal.proof(day)
        agrees = ours == answer.proof
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO proof VALUES (?, ?, ?, ?, ?, ?)",
                (
                    day.isoformat(),
                    int(agrees),
                    ours.model_dump_json(),
                    answer.proof.model_dump_json(),
                    answer.parked,
                    now_ms,
                ),
            )
        return DayResult(day, agrees, ours, answer.proof, answer.parked)

    def latest(self) -> DayResult | None:
        """The newest day compared, or None."""
        row = self._store.row(
            "SELECT business_date, agrees, ours, theirs, parked FROM proof ORDER BY business_date DESC LIMIT 1"
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
