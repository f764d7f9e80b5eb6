"""The report of a day as files: PDF for people, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table

from pos_client.office.day import DayReport
from pos_client.office.hints import Hint
from pos_client.office.saying import DEVICE_STATES, PROOFS, STATES, day_name, figures, say_hint
from pos_client.screen.words import Words

Health = Sequence[tuple[str, str, str]]
"""Devices: name, status and what it says of itself; empty when nobody runs the till."""

_RULE = ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.HexColor("#d5dadd"))
_RIGHT = ("ALIGN", (1, 0), (-1, -1), "RIGHT")


def report_csv(made: DayReport, hints: Sequence[Hint], devices: Health) -> str:
    """One figure a line: section, name, count, points, minor units, text; empty where a figure has none.

    Names are stable and English; amounts are whole minor units of the currency in the first line. UTF-8 with a byte
    order mark, which spreadsheets ask for.
    """
    out = io.StringIO()
    out.write("\ufeff")
    write = csv.writer(out, lineterminator="\r\n").writerow
    write(("section", "name", "count", "points", "minor", "text"))
    write(("day", made.day.isoformat(), "", "", "", f"{made.store_name}, {made.terminal}, {made.currency}"))
    for name, tally in (
        ("sales", made.sales),
        ("voids", made.voids),
        ("returns", made.returns),
        ("adjustments", made.adjustments),
    ):
        write(("entries", name, tally.count, tally.points, made.paid_minor if name == "sales" else "", ""))
    write(("points", "earned", "", made.earned, "", ""))
    write(("points", "spent", "", made.spent, "", ""))
    write(("members", "members", made.members, "", "", ""))
    for given in made.given:
        write(("reward", _cell(given.reward), given.count, given.points, given.minor, _cell(given.name)))
    for item in made.parked:
        write(("parked", item.number, "", item.points, "", f"{item.code} {item.state}"))
    write(("queue", "waiting", made.queued, "", "", ""))
    write(("proof", made.proof.value, made.entries, "", "", ""))
    for hint in hints:
        write(("hint", hint.kind.value, len(hint.entries), hint.points, "", " ".join(hint.entries)))
    for device, status, text in devices:
        write(("device", _cell(device), "", "", "", _cell(f"{status} {text}")))
    return out.getvalue()


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


def _cell(text: str) -> str:
    """`text` that no spreadsheet takes for a formula (OWASP, CSV Injection)."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
