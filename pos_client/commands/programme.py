"""`spaarpunt programme`: check a programme, try it, compare two versions, run one over past sales. No till needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from loyalty.basket import Basket
from loyalty.errors import LoyaltyError, ProgrammeError
from loyalty.explain import say
from loyalty.programme import Programme
from pos_client.commands.common import EXIT_PROBLEM, console, emit, errors, fail, json_option, read_config
from pos_client.i18n import LANGUAGES, mark, translator
from pos_client.programme_tools.checking import PayoutWarning, warnings
from pos_client.programme_tools.differing import Change, diff
from pos_client.programme_tools.reading import Unreadable, read_document, read_programme
from pos_client.programme_tools.replaying import Replay
from pos_client.programme_tools.reporting import ASSUMPTIONS, Report, Segment, report
from pos_client.programme_tools.sales import read_sales
from pos_client.programme_tools.saying import Sayer
from pos_client.programme_tools.trying import Member, Return, Trial, moment_ms, try_basket, try_return

lang_option = click.option(
    "--lang", type=click.Choice(LANGUAGES), help="Language of the answer. Default: till.language of the configuration."
)
programme_option = click.option(
    "--programme",
    "name",
    required=True,
    metavar="P",
    help="A TOML or JSON file, or a sample: bakery, supermarket, fashion.",
)


@click.group()
def programme() -> None:
    """Try out a loyalty programme before it is published. Needs no till and no head office."""


@programme.command()
@click.argument("file")
@json_option
@click.pass_context
def check(context: click.Context, file: str, as_json: bool) -> None:
    """Say what is wrong in the programme FILE (TOML or JSON), each with its path and what to change.

    Warns of a programme that could pay out without limit, with a basket that shows it. Exit code 1 for errors;
    warnings do not change it.
    """
    problems: list[str] = []
    found: tuple[PayoutWarning, ...] = ()
    checked: Programme | None = None
    try:
        checked = read_programme(file)
        found = warnings(checked, date.today())
    except ProgrammeError as error:
        problems = error.problems
    except Unreadable as error:
        fail(str(error))
    data = {
        "file": file,
        "ok": not problems,
        "errors": problems,
        "warnings": [warning.to_json() for warning in found],
        "programme": checked.id if checked else None,
        "programme_version": checked.version if checked else None,
    }

    def show() -> None:
        for problem in problems:
            errors.print(f"[bold red]✗[/] {escape(f'{file}: {problem}')}", highlight=False, soft_wrap=True)
        for warning in found:
            console.print(f"[yellow]![/] {escape(f'{warning.path}: {warning.text}')}", highlight=False, soft_wrap=True)
        if checked is not None:
            console.print(
                f"✓ {checked.id} version {checked.version} can be published"
                + (f"; {len(found)} to look at" if found else ""),
                highlight=False,
            )

    emit(data, as_json, show)
    if problems:
        context.exit(EXIT_PROBLEM)


@programme.command("try")
@programme_option
@click.option("--basket", metavar="B", help="The basket as the API takes it: a JSON file, or the JSON itself.")
@click.option("--member", metavar="M", help="Who buys: tier, balance, birthday, takes, … as a JSON file or JSON.")
@click.option("--at", metavar="TIME", help="When, ISO 8601; without an offset on the shop's clock. Default: now.")
@click.option("--return", "back", metavar="R", help="Instead of a basket: a sale and what comes back of it, as JSON.")
@lang_option
@json_option
@click.pass_context
def try_command(
    context: click.Context,
    *,
    name: str,
    basket: str | None,
    member: str | None,
    at: str | None,
    back: str | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """Say what programme P gives for basket B: points for each rule and line, rewards to be had, what is left to pay.

    With --return R it says what a return takes back and gives back.
    """
    if (basket is None) == (back is None):
        raise click.UsageError("expected --basket or --return, and not both")
    if back is not None and (member is not None or at is not None):
        raise click.UsageError("with --return the member and the time of the sale stand in R")
    with problems_end():
        tried = read_programme(name)
        now = datetime.now(UTC)
        if back is not None:
            trial = try_return(tried, read_document(Return, back), now)
        else:
            assert basket is not None
            who = read_document(Member, member) if member else Member()
            trial = try_basket(tried, read_document(Basket, basket), who, moment_ms(_moment(at), tried, now))
    emit(trial.to_json(), as_json, lambda: _show_trial(trial, _language(context, lang)))


@programme.command("diff")
@click.argument("old")
@click.argument("new")
@lang_option
@json_option
@click.pass_context
def diff_command(context: click.Context, old: str, new: str, lang: str | None, as_json: bool) -> None:
    """Say in words what changes for customers from the programme OLD to NEW."""
    language = _language(context, lang) if lang or not as_json else "en"
    with problems_end():
        changes = diff(read_programme(old), read_programme(new), language)
    data = {"changes": [_change_json(change) for change in changes]}

    def show() -> None:
        marks = {"better": "[green]+[/]", "worse": "[red]−[/]", "changed": "·"}
        for change in changes:
            console.print(f"{marks[change.effect]} {escape(change.text)}", highlight=False, soft_wrap=True)
        if not changes:
            console.print(translator(language)(mark("nothing changes for customers")))

    emit(data, as_json, show)


@programme.command("replay")
@programme_option
@click.option(
    "--sales",
    required=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Past sales as CSV: receipt,time,sku,category,quantity,amount,card, or as the Online Retail data set.",
)
@lang_option
@json_option
@click.pass_context
def replay_command(context: click.Context, *, name: str, sales: Path, lang: str | None, as_json: bool) -> None:
    """Run programme P over past sales: points issued and their worth, what members would have taken, what it costs."""
    import rich.progress

    language = _language(context, lang) if lang or not as_json else "en"
    with problems_end():
        replay = Replay(read_programme(name))
        columns = (
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TimeRemainingColumn(),
        )
        with rich.progress.Progress(*columns, console=errors, transient=True) as bar:
            task = bar.add_task(sales.name, total=sales.stat().st_size)
            for receipt in read_sales(sales, replay.programme.currency, lambda done: bar.update(task, completed=done)):
                replay.take(receipt)
        replay.finish()
    found = report(replay)
    emit(found.to_json(), as_json, lambda: _show_report(found, Sayer(found.programme, language)))


# -- for people -----------------------------------------------------------------------------------------------------


def _show_trial(trial: Trial, language: str) -> None:
    sayer = Sayer(trial.programme, language)
    _ = sayer.words.translate
    points = {line.line_id: line.points for line in trial.settlement.accrual.lines}
    off: dict[str, int] = {}
    for redemption in trial.settlement.redemptions:
        for part in redemption.lines:
            off[part.line_id] = off.get(part.line_id, 0) + part.discount_minor
    table = Table(_("article"), _("quantity"), _("amount"), _("off"), _("points"))
    for column in table.columns[1:]:
        column.justify = "right"
    for line in trial.basket.lines:
        table.add_row(
            escape(line.text or line.sku),
            sayer.words.quantity(line.quantity),
            sayer.money(line.gross_minor),
            sayer.money(off[line.line_id]) if off.get(line.line_id) else "",
            sayer.words.points(points.get(line.line_id, 0)),
        )
    table.add_section()
    taken = sum(off.values())
    table.add_row(
        _("together"),
        "",
        sayer.money(trial.basket.gross_minor),
        sayer.money(taken) if taken else "",
        sayer.words.points(trial.settlement.points_earned),
    )
    console.print(table, highlight=False)
    console.print(_("to pay: {amount}").format(amount=sayer.money(trial.settlement.payable_minor)), highlight=False)
    console.print(escape(say(trial.programme, trial.settlement, language)), highlight=False, soft_wrap=True)
    if trial.affordable:
        names = ", ".join(option.reward.name.get(language) for option in trial.affordable)
        console.print(escape(_("can be had now: {rewards}").format(rewards=names)), highlight=False, soft_wrap=True)


def _show_report(found: Report, sayer: Sayer) -> None:
    _ = sayer.words.translate
    whole, members, points = found.whole, found.members, sayer.words.points
    table = Table(show_header=False, box=None)
    table.add_column()
    table.add_column(justify="right")
    rows: list[tuple[str, str]] = [
        (_("receipts"), points(whole.receipts)),
        (_("receipt lines"), points(whole.lines)),
        (_("turnover"), sayer.money(whole.turnover_minor)),
        (_("turnover with a card"), sayer.money(members.sums.turnover_minor)),
        (_("cards"), points(members.cards)),
        (_("points issued"), points(members.sums.issued)),
        (_("points taken back by returns"), points(members.sums.taken_back)),
        (_("points redeemed"), points(members.sums.redeemed)),
        (_("points lapsed"), points(members.sums.expired)),
        (_("points outstanding"), points(members.outstanding)),
        (_("rewards taken"), points(whole.redemptions)),
        (_("worth of the rewards"), sayer.money(members.sums.redeemed_minor)),
        (_("liability at the end"), sayer.money(members.liability_minor)),
        (_("cost"), sayer.money(members.cost_minor)),
        (_("cost of turnover with a card"), _percent(members.cost_basis_points, sayer)),
        (_("cost of the whole turnover"), _percent(found.cost_of_all_basis_points, sayer)),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table, highlight=False)
    if found.value is not None:
        console.print(
            _("a point is worth most with '{reward}': {points} for {amount}").format(
                reward=found.programme.name_of(found.value.reward, sayer.language),
                points=sayer.points(found.value.points),
                amount=sayer.money(found.value.value_minor),
            ),
            highlight=False,
        )
    console.print(_segments(found, sayer), highlight=False)
    console.print(_("This assumes that:"))
    for sentence in ASSUMPTIONS:
        console.print(f"- {_(sentence)}", highlight=False, soft_wrap=True)
    if whole.unmatched_returns:
        text = _("{count} returned lines have no sale in the file: they take nothing back")
        console.print(text.format(count=points(whole.unmatched_returns)), highlight=False)


def _segments(found: Report, sayer: Sayer) -> Table:
    _ = sayer.words.translate
    first = _("tier") if found.by == "tier" else _("tenth by spend")
    table = Table(first, _("cards"), _("turnover"), _("points issued"), _("rewards"), _("liability"), _("cost"))
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True

    def name(segment: Segment) -> str:
        return found.programme.tier(segment.name).name.get(sayer.language) if found.by == "tier" else segment.name

    for segment in found.segments:
        table.add_row(
            escape(name(segment)),
            sayer.words.points(segment.cards),
            sayer.money(segment.sums.turnover_minor),
            sayer.words.points(segment.sums.issued),
            sayer.money(segment.sums.redeemed_minor),
            sayer.money(segment.liability_minor),
            _percent(segment.cost_basis_points, sayer),
        )
    return table


def _percent(basis_points: int, sayer: Sayer) -> str:
    """123 → "1.23 %"."""
    return (
        f"{sayer.words.points(basis_points // 100)}{',' if sayer.language == 'nl' else '.'}{basis_points % 100:02d} %"
    )


def _change_json(change: Change) -> dict[str, Any]:
    return {"path": change.path, "kind": change.kind, "effect": change.effect, "text": change.text}


# -- arguments ------------------------------------------------------------------------------------------------------


@contextmanager
def problems_end() -> Iterator[None]:
    """Turn what is wrong with a document or a basket into one line a problem and exit code 1."""
    try:
        yield
    except ProgrammeError as error:
        fail("no programme: " + "\n  ".join(error.problems))
    except Unreadable as error:
        fail("\n  ".join(error.problems))
    except LoyaltyError as error:
        fail(str(error))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"expected a time such as 2026-11-24T10:30, got '{text}'", param_hint="--at"
        ) from error
    if not 1971 <= moment.year <= 2400:
        raise click.BadParameter(f"expected a year from 1971 to 2400, got {moment.year}", param_hint="--at")
    return moment


def _language(context: click.Context, lang: str | None) -> str:
    return lang or read_config(context.find_root().params.get("config")).till.language
