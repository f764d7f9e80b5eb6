"""The report of a day on A4, as PDF: the only file of the office that loads what draws it, which takes a while."""

from __future__ import annotations

import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from pos_client.office.day import DayReport
from pos_client.office.files import Health
from pos_client.office.hints import Hint
from pos_client.office.saying import DEVICE_STATES, PROOFS, STATES, day_name, figures, say_hint
from pos_client.screen.words import Words

_RULE = ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor("#d5dadd"))
_RIGHT = ("ALIGN", (1, 0), (-1, -1), "RIGHT")


def report_pdf(words: Words, till: str, made: DayReport, hints: Sequence[Hint], devices: Health) -> bytes:
    """The report on A4, in the language of `words`; `till` is what this till is called."""
    _ = words.translate
    styles = getSampleStyleSheet()
    title = f"{made.store_name} · {till}"
    parts: list[Flowable] = [
        Paragraph(escape(title), styles["Title"]),
        Paragraph(escape(day_name(words, made.day)), styles["Heading2"]),
        _table([(name, value) for name, value in figures(words, made)]),
        Spacer(0, 4 * mm),
        Paragraph(escape(_(PROOFS[made.proof])), styles["Normal"]),
    ]

    def section(heading: str, rows: Sequence[tuple[str, ...]]) -> None:
        if rows:
            parts.append(Paragraph(escape(heading), styles["Heading3"]))
            parts.append(_table(rows))

    section(
        _("Rewards given"),
        [
            (given.name, f"{given.count} ×", words.points(given.points), words.money(given.minor, made.currency))
            for given in made.given
        ],
    )
    section(
        _("Not booked by head office"),
        [(str(item.number), words.signed(item.points), _(STATES[item.state])) for item in made.parked],
    )
    section(_("Worth a look"), [(say_hint(words, hint), words.points(len(hint.entries))) for hint in hints])
    section(_("Devices"), [(name, _(DEVICE_STATES.get(status, status)), text) for name, status, text in devices])
    out = io.BytesIO()
    SimpleDocTemplate(
        out,
        pagesize=A4,
        title=f"{title}, {made.day.isoformat()}",
        author=made.store_name,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=18 * mm,
    ).build(parts)
    return out.getvalue()


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    """Names to the left, figures to the right; a long name breaks into lines."""
    plain = getSampleStyleSheet()["Normal"]
    wide = 170 * mm
    narrow = 34 * mm
    columns = len(rows[0])
    widths = [wide - narrow * (columns - 1), *([narrow] * (columns - 1))]
    cells = [
        (Paragraph(escape(_drawable(first)), plain), *(Paragraph(_to_the_right(cell), plain) for cell in rest))
        for first, *rest in rows
    ]
    return Table(cells, colWidths=widths, hAlign="LEFT", style=[_RULE, _RIGHT])


def _to_the_right(text: str) -> str:
    return f'<para align="right">{escape(_drawable(text))}</para>'


def _drawable(text: str) -> str:
    """`text` in what the PDF's own fonts have (Windows-1252): they need no font files on a till."""
    for narrow, plain in (("\u202f", "\u00a0"), ("−", "-")):
        text = text.replace(narrow, plain)
    return text.encode("cp1252", errors="replace").decode("cp1252")
