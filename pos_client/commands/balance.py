"""`spaarpunt balance`: look a balance up in this till's own database, with no network."""

from __future__ import annotations

from typing import Any

import click

from pos_client.commands.common import EXIT_PROBLEM, console, emit, json_option, pass_config
from pos_client.commands.office import looking
from pos_client.config import Config
from pos_client.moments import iso, minutes
from pos_client.office.lookup import Kind, Person
from sync.mirror import Mirror


@click.command()
@click.argument("who", metavar="CARD|PHONE|EMAIL|RECEIPT")
@json_option
@click.pass_context
@pass_config
def balance(config: Config, context: click.Context, who: str, as_json: bool) -> None:
    """Show a member's balance as this till knows it: confirmed by head office, and added here since.

    Works without a network and beside a running till. Exit code 1 when nobody, or more than one, is found.
    """
    with looking(config) as office:
        finding = office.find(who)
        mirror = Mirror(office.store)
        as_of, programme = mirror.contact().as_of_ms, mirror.programme()
    shown = finding.shown if finding.kind is Kind.CARD else None
    found = [_data(config, person, shown, as_of) for person in finding.people]

    def show() -> None:
        for data in found:
            if not data["known"]:
                text = f"not known here as of {minutes(as_of, config)}; {data['queued']} points wait for head office"
                console.print(f"{finding.shown}: {text}", highlight=False, markup=False)
                continue
            tier = programme.tier(data["tier"] or "").name.get("en") if programme else data["tier"]
            name = f"{data['first_name']}, " if data["first_name"] else ""
            console.print(f"{name}{tier}: [bold]{data['balance']}[/] points", highlight=False)
            console.print(
                f"{data['confirmed']} confirmed at {minutes(as_of, config)}, {data['queued']:+} here", highlight=False
            )
            if soon := data["expiring"]:
                console.print(f"{soon['points']} lapse after {soon['on']}", highlight=False)
            if data["blocked"]:
                console.print("blocked: send the customer to the service desk", style="red")
        if not found:
            console.print(f"nobody here has this {finding.kind} as of {minutes(as_of, config)}", highlight=False)

    emit(found[0] if len(found) == 1 else {"matches": found}, as_json, show)
    if len(found) != 1 or not found[0]["known"]:
        context.exit(EXIT_PROBLEM)


def _data(config: Config, person: Person, shown: str | None, as_of: int | None) -> dict[str, Any]:
    holder = person.holder
    return {
        "card": shown,
        "known": holder.known,
        "blocked": holder.blocked,
        "account": holder.account,
        "first_name": holder.first_name if config.till.show_first_name else None,
        "tier": holder.tier,
        "balance": holder.balance,
        "confirmed": holder.confirmed,
        "queued": holder.queued,
        "pending": holder.pending,
        "expiring": {"points": holder.expiring.points, "on": holder.expiring.on.isoformat()}
        if holder.expiring
        else None,
        "as_of": iso(as_of),
    }
