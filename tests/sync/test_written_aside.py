"""What head office says again goes in beside the sales: by small ranges, and when nothing more urgent is done."""

from __future__ import annotations

import threading

import pytest
import sqlcipher3.dbapi2 as sqlcipher
from msgspec.structs import replace

from sync.mirror import Mirror
from sync.snapshot import AT_ONCE, Place
from sync.store import Store
from sync.wire_mirror import Section, SnapshotPart
from tests.sync.build import CARD, account, card, draft, hear, journal_of, take


def test_a_part_goes_in_by_small_ranges_and_on_from_the_last_that_is_in(store: Store) -> None:
    """What cannot be written ends a part in the middle, as a power cut would: what came before it is there."""
    snapshots = take(store, *tuple(Section)[: tuple(Section).index(Section.ACCOUNTS)])
    known = [account(number, name=f"m{number:04}") for number in range(2 * AT_ONCE + 50)]
    part = SnapshotPart(
        cursor="s",
        section=Section.ACCOUNTS,
        after="",
        upto=None,
        rows=(*known[:-1], replace(known[-1], tier=None)),  # type: ignore[arg-type]
        total=0,
        epoch=1,
        includes_seq=0,
        as_of_ms=1000,
    )
    with pytest.raises(sqlcipher.IntegrityError):
        snapshots.apply(part, 1000)
    assert store.rows("SELECT count(*) FROM account") == [(2 * AT_ONCE,)]
    assert snapshots.place() == Place("s", Section.ACCOUNTS, known[2 * AT_ONCE - 1].account)
    rest = replace(part, after=known[2 * AT_ONCE - 1].account, rows=tuple(known[2 * AT_ONCE :]))
    snapshots.apply(rest, 1000)
    assert store.rows("SELECT account, points FROM account ORDER BY account") == [
        (each.account, each.points) for each in known
    ]
    assert snapshots.place() == Place("s", Section.CARDS, "")


def test_a_sale_waits_for_nothing_that_is_written_aside_after_it(store: Store) -> None:
    """As while the log is folded in: what head office says again waits for that, a sale does not."""
    journal = journal_of(store)
    aside = threading.Thread(target=lambda: hear(store, account(7), card()))
    with store._aside:
        aside.start()
        journal.append(draft())
        assert journal.head().seq == 1
        assert aside.is_alive()
        assert Mirror(store).accounts() == 0
    aside.join(30)
    assert Mirror(store).find(CARD).confirmed == 7
