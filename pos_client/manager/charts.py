"""Charts as SVG: points per hour beside the usual, and the queue over the day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from pos_client.office.series import Hour, Waiting
from pos_client.screen.words import Words

WIDTH, HEIGHT = 640, 190
_LEAST_HOURS = 8
"""Hours that there is room for: the first sale of a day is no wall."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 12, 24


def hours_chart(words: Words, title: str, rows: Sequence[Hour], *, spent: bool) -> str:
    """Bars of each hour's points, with a mark at what the same weekday usually has.

    Args:
        spent: points spent; otherwise points issued.
    """
    values = [(row.hour, *((row.spent, row.usual_spent) if spent else (row.issued, row.usual_issued))) for row in rows]
    top = _round_up(max([1, *(max(value, usual or 0) for _, value, usual in values)]))
    parts = _frame(words, title, top)
    wide = (WIDTH - _LEFT - _RIGHT) / max(_LEAST_HOURS, len(values))
    for place, (hour, value, usual) in enumerate(values):
        left = _LEFT + place * wide
        y = _y(max(0, value), top)
        parts.append(
            f'<rect class="bar" x="{left + wide * 0.2:.1f}" y="{y:.1f}" width="{wide * 0.6:.1f}" '
            f'height="{HEIGHT - _BOTTOM - y:.1f}"><title>{hour}:00 — {escape(words.points(value))}</title></rect>'
        )
        if usual is not None:
            at = _y(max(0, usual), top)
            parts.append(
                f'<line class="usual" x1="{left + wide * 0.08:.1f}" x2="{left + wide * 0.92:.1f}" '
                f'y1="{at:.1f}" y2="{at:.1f}"/>'
            )
        if len(values) <= 12 or place % 2 == 0:
            parts.append(f'<text x="{left + wide / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{hour}</text>')
    return "".join(parts) + "</svg>"


def queue_chart(words: Words, title: str, line: Sequence[Waiting]) -> str:
    """Entries that waited, as a line over the day."""
    top = _round_up(max([1, *(point.entries for point in line)]))
    parts = _frame(words, title, top)
    room = WIDTH - _LEFT - _RIGHT
    if line:
        first, span = line[0].at_ms, max(1, line[-1].at_ms - line[0].at_ms)
        places = [(_LEFT + room * (point.at_ms - first) / span, _y(point.entries, top)) for point in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line" points="{path}"/>')
        for point, anchor in ((line[0], "start"), (line[-1], "end")):
            x = _LEFT + room * (point.at_ms - first) / span
            text = escape(words.time(point.at_ms))
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>')
    return "".join(parts) + "</svg>"


def _frame(words: Words, title: str, top: int) -> list[str]:
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}">']
    for value in (0, top // 2, top) if top > 1 else (0, top):
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(words.points(value))}</text>')
    return parts


def _y(value: int, top: int) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * value / top


def _round_up(value: int) -> int:
    """The next 1, 2, 4 or 10 times a power of ten: what an axis ends at, with a whole half."""
    power = 1
    while value > power * 10:
        power *= 10
    return next(step * power for step in (1, 2, 4, 10) if value <= step * power)
