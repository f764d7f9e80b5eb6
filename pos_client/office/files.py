"""The report of a day as a file for spreadsheets; `paper` has it as PDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pos_client.office.day import DayReport
from pos_client.office.hints import Hint

Health = Sequence[tuple[str, str, str]]
"""Devices: name, status and what it says of itself; empty when nobody runs the till."""


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


def _cell(text: str) -> str:
    """`text` that no spreadsheet takes for a formula (OWASP, CSV Injection)."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
