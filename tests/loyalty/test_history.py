"""A member's lots from their bookings: whatever happens, in whatever order, they add up to the balance."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from loyalty.history import Movement, replay
from loyalty.lots import expire
from loyalty.programme_members import Expiry

START = date(2026, 1, 1)
EXPIRY = Expiry(after_months=3, vesting_days=7)


@st.composite
def histories(draw: st.DrawFn) -> list[Movement]:
    """Sales, their voids and returns in parts, adjustments, and nights that book what lapsed, over two years."""
    done: list[Movement] = []
    left: dict[str, tuple[int, int]] = {}
    day = START
    for number in range(draw(st.integers(0, 14))):
        day += timedelta(days=draw(st.integers(0, 60)))
        name = f"e{number}"
        what = draw(st.sampled_from(["sale", "sale", "void", "return", "adjustment", "expiry"]))
        if what in {"void", "return"} and not left:
            what = "opening"
        if what == "sale":
            left[name] = draw(st.integers(0, 200)), draw(st.integers(0, 150))
            done.append(Movement(name, "sale", day, *left[name], 1))
        elif what in {"void", "return"}:
            sale = draw(st.sampled_from(sorted(left)))
            earned, spent = left.pop(sale)
            if what == "return":
                taken, given_back = draw(st.integers(0, earned)), draw(st.integers(0, spent))
                left[sale] = earned - taken, spent - given_back
                earned, spent = taken, given_back
            done.append(Movement(name, "void" if what == "void" else "return", day, -earned, -spent, 1, sale))
        elif what == "expiry":
            _, gone = expire(replay(done, lambda _: EXPIRY).lots, day)
            done.append(Movement(name, "expiry", day, -gone, 0))
        else:
            done.append(Movement(name, "adjustment", day, draw(st.integers(-100, 100)), 0, 1))
    return done


@given(histories())
def test_the_lots_add_up_to_what_was_booked(movements: list[Movement]) -> None:
    for upto in range(len(movements) + 1):
        lots = replay(movements[:upto], lambda _: EXPIRY).lots
        assert lots.balance == sum(part.earned - part.spent for part in movements[:upto])
        assert lots.debt >= 0
        assert all(lot.points > 0 or lot.filled > 0 for lot in lots.lots)


def test_by_hand() -> None:
    """30 in January, 40 in March; 50 spent in mid-March: 30 and 20. The void brings both back with their days."""
    bought = [
        Movement("a", "sale", date(2026, 1, 10), 30, 0, 1),
        Movement("b", "sale", date(2026, 3, 1), 40, 0, 1),
        Movement("c", "sale", date(2026, 3, 15), 5, 50, 1),
    ]

    def lots(*more: Movement) -> dict[str, tuple[int, date | None]]:
        return {lot.id: (lot.points, lot.expires_on) for lot in replay([*bought, *more], lambda _: EXPIRY).lots.lots}

    assert lots() == {"b": (20, date(2026, 6, 1)), "c": (5, date(2026, 6, 15))}
    void = Movement("d", "void", date(2026, 3, 16), -5, -50, 1, "c")
    assert lots(void) == {"a": (30, date(2026, 4, 10)), "b": (40, date(2026, 6, 1))}
    night = Movement("e", "expiry", date(2026, 4, 11), -30, 0)
    assert lots(void, night) == {"b": (40, date(2026, 6, 1))}
