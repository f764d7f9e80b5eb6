"""The manager's report of a night: a text file in the till's data folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import structlog

from pos_client.config import Config
from pos_client.i18n import translator
from pos_client.troubles import Trouble
from sync.agent import NightReport
from sync.terminal import Terminal, wall_ms

FOLDER = "reports"
KEPT = 60
"""Reports kept: two months of nights, as long as a dispute about a receipt takes."""

log = structlog.get_logger("spaarpunt.app")


def write_report(config: Config, terminal: Terminal, night: NightReport) -> None:
    """Write the report of `night` under its date (the later of one night replaces the earlier), and drop old ones.

    A disk that takes no report is logged: the night itself was done.
    """
    at = datetime.fromtimestamp(wall_ms() / 1000, UTC).astimezone(ZoneInfo(config.till.time_zone))
    folder = config.till.data_dir / FOLDER
    path = folder / f"{at.date()}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text("\n".join(_lines(config, terminal, night, at)) + "\n", encoding="utf-8")
        draft.replace(path)
        for old in sorted(folder.glob("*.txt"))[:-KEPT]:
            old.unlink()
    except OSError as error:
        log.warning("the night's report was not written", path=str(path), problem=error.strerror)


def _lines(config: Config, terminal: Terminal, night: NightReport, at: datetime) -> Iterator[str]:
    _ = translator(config.till.language)
    yield _("{till}, {store}: night of {at}").format(
        till=config.till.name, store=terminal.store_name, at=at.strftime("%Y-%m-%d %H:%M")
    )
    yield _("Sent to head office: {sent} (booked {booked}, waiting for a decision {parked})").format(
        sent=night.report.sent, booked=night.report.booked, parked=night.report.parked
    )
    yield _("Both sides agree.") if night.agrees else _("The two sides DO NOT agree: call head office.")
    for day in night.days:
        verdict = _("agrees") if day.agrees else _("differs")
        yield _("{day}: {entries} entries, {earned} points earned, {spent} spent, {parked} waiting: {verdict}").format(
            day=day.business_date,
            entries=day.ours.entries,
            earned=day.ours.points_earned,
            spent=day.ours.points_spent,
            parked=day.parked,
            verdict=verdict,
        )
    backup = night.backup.path.name if night.backup else _("none: see below")
    yield _("Backup: {name}").format(name=backup)
    yield _("Entries older than a month taken out: {count}").format(count=night.pruned)
    for notice in night.notices:
        trouble = Trouble(notice.code)
        language = config.till.language
        yield f"! {trouble.text(language)}. {trouble.todo(language)}. [{notice.text}]"
