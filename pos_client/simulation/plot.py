"""A run as a picture: requests a second at head office, and entries waiting at tills, over simulated time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pos_client.simulation.report import Sample
from pos_client.simulation.scenario import DAY_S, HOUR_S

WIDTH, HEIGHT, MARGIN = 900, 550, 60
STEP_S = 300
"""Requests are averaged, and queues looked at, over so many seconds: finer than this is less than a pixel."""


def draw(path: Path, by_second: Counter[int], samples: Sequence[Sample], *, until_s: float, title: str) -> None:
    """Write the picture to `path` as SVG.

    Raises:
        OSError: it cannot be written.
    """
    # Heavy, and wanted by this alone.
    from reportlab.graphics import renderSVG
    from reportlab.graphics.shapes import Drawing, String

    steps: Counter[int] = Counter()
    for at, count in by_second.items():
        steps[at // STEP_S] += count
    rates = [(step * STEP_S / HOUR_S, steps[step] / STEP_S) for step in range(int(until_s) // STEP_S + 1)]
    queued = [(sample.at_s / HOUR_S, float(sample.queued)) for sample in samples]
    region = [(sample.at_s / HOUR_S, float(sample.queued_region)) for sample in samples]
    drawing = Drawing(WIDTH, HEIGHT)
    drawing.add(String(MARGIN, HEIGHT - 20, title, fontName="Helvetica-Bold", fontSize=13))
    for place, (name, lines) in enumerate(
        (
            ("requests a second at head office, 5-minute mean", [rates]),
            ("entries waiting at tills: all (blue), the region without a line (red)", [queued, region]),
        )
    ):
        base = HEIGHT - 270 - place * 240
        drawing.add(String(MARGIN, base + 205, name, fontName="Helvetica", fontSize=10))
        drawing.add(_chart(base, lines, until_s))
    drawing.add(String(WIDTH - 190, 10, "hours since the first midnight", fontName="Helvetica", fontSize=9))
    renderSVG.drawToFile(drawing, str(path))


def _chart(base: float, lines: list[list[tuple[float, float]]], until_s: float) -> Any:
    from reportlab.graphics.charts.lineplots import LinePlot
    from reportlab.lib import colors

    chart = LinePlot()
    chart.x, chart.y, chart.width, chart.height = MARGIN, base, WIDTH - 2 * MARGIN, 190
    chart.data = [line or [(0.0, 0.0)] for line in lines]
    for number, color in enumerate((colors.HexColor("#1f5fa8"), colors.HexColor("#c0392b"))):
        chart.lines[number].strokeColor = color
        chart.lines[number].strokeWidth = 1
    chart.xValueAxis.valueMin, chart.xValueAxis.valueMax = 0, max(1.0, until_s / HOUR_S)
    chart.xValueAxis.valueStep = 6 if until_s <= 4 * DAY_S else 24
    chart.yValueAxis.valueMin = 0
    chart.yValueAxis.valueMax = max(1.0, *(value for line in lines for _, value in line)) * 1.05 if lines[0] else 1.0
    return chart
