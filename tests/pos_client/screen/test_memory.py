"""What the screen remembers: messages come and go with events, and undo lasts ten seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos_client.events import EventKind, TillEvent
from pos_client.screen.memory import UNDO_MS, Memory, Notice, Result, Tone, after

NOW = 1_790_000_000_000


def told(kind: EventKind, **data: object) -> TillEvent:
    return TillEvent(1, kind, data)


def test_a_refused_card_is_told_until_the_next_card() -> None:
    memory, tone = after(Memory(), told(EventKind.CARD_REFUSED, code="payment_card"), NOW)
    assert (memory.notice, tone) == (Notice("payment_card"), "low")
    memory, tone = after(memory, told(EventKind.CARD_PRESENTED, session=None, known=True, balance=1), NOW)
    assert (memory.notice, tone) == (None, "high")


def test_a_booking_can_be_undone_for_ten_seconds() -> None:
    memory, tone = after(Memory(), told(EventKind.SALE_BOOKED, session="s", points=34, balance=1318), NOW)
    assert tone is None
    assert memory.last == Result("s", 34, NOW)
    assert memory.undo_left_ms(NOW) == UNDO_MS == 10_000
    assert memory.undo_left_ms(NOW + 9_999) == 1
    assert memory.undo_left_ms(NOW + 10_000) == 0


def test_an_undone_booking_cannot_be_undone() -> None:
    memory, _ = after(Memory(), told(EventKind.SALE_VOIDED, session="s", points=-34, balance=1284), NOW)
    assert memory.notice == Notice("undone")
    assert memory.undo_left_ms(NOW) == 0


@given(st.integers(-(10**7), 10**7))
def test_whatever_the_clock_does_undo_is_never_offered_longer(moved_ms: int) -> None:
    memory = Memory(last=Result("s", 1, NOW))
    assert 0 <= memory.undo_left_ms(NOW + moved_ms) <= UNDO_MS
    assert memory.undo_left_ms(NOW + moved_ms) == 0 or 0 <= moved_ms < UNDO_MS


@pytest.mark.parametrize("kind", [EventKind.LABEL_SCANNED, EventKind.DEVICE_STATUS, EventKind.SYNC_STATE])
def test_other_events_leave_the_message(kind: EventKind) -> None:
    memory = Memory(notice=Notice("blocked"))
    expected: tuple[Memory, Tone | None] = (memory, None)
    assert after(memory, told(kind), NOW) == expected


def test_dismissing() -> None:
    memory = Memory(notice=Notice("blocked")).dismiss("s")
    assert (memory.notice, memory.dismissed) == (None, "s")
    back, _ = after(memory, told(EventKind.CARD_PRESENTED), NOW)
    assert back.dismissed is None
