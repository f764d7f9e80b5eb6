"""What must hold after a run, whatever went wrong in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loyalty.ledger import Entry
from pos_client.simulation.office import Office
from pos_client.simulation.tills import Machine, Tills
from sync.hq.spending import debt_totals

SHOWN = 5
"""Things named of each kind that is wrong."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a customer walked away with: the id of its entry, and the machine that printed it."""

    id: str
    machine: str


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found in the books. `problems` in sentences: none when everything holds."""

    at_head_office: int
    waiting: int
    waiting_at_copies: int
    parked: dict[str, int]
    debts: int
    overspent_points: int
    allowed_points: int
    problems: tuple[str, ...]


def checked(
    office: Office,
    tills: Tills,
    machines: Sequence[Machine],
    receipts: Sequence[Receipt],
    *,
    allowed_points: int,
) -> Checks:
    """Hold head office's books against what the tills printed.

    Args:
        allowed_points: the most that the policy lets tills overspend together.
    """
    here = _entries(office)
    waiting: dict[str, set[str]] = {
        machine.name: _queue(tills, machine) for machine in machines if machine.queued or machine.superseded
    }
    superseded = {machine.name for machine in machines if machine.superseded}
    lost = [one for one in receipts if not here[one.id] and one.id not in waiting.get(one.machine, set())]
    twice = [one for one in receipts if here[one.id] > 1]
    strangers = set(here) - {one.id for one in receipts}
    debts, overspent = debt_totals(office.conn)
    problems = [
        *_named("receipts neither at head office nor in their till's queue", [one.id for one in lost]),
        *_named("receipts more than once at head office", [one.id for one in twice]),
        *_named("entries at head office that no till printed", sorted(strangers)),
        *_named("accounts whose balance is not the sum of their ledger", _wrong_sums(office)),
    ]
    if overspent > allowed_points:
        problems.append(f"{overspent} points overspent, the policy allows {allowed_points}")
    left = [(one, one.machine in superseded) for one in receipts if not here[one.id]]
    return Checks(
        at_head_office=len(receipts) - len(left),
        waiting=sum(not at_copy for _, at_copy in left),
        waiting_at_copies=sum(at_copy for _, at_copy in left),
        parked=dict(office.conn.execute("SELECT code, count(*) FROM parked GROUP BY code ORDER BY code").fetchall()),
        debts=debts,
        overspent_points=overspent,
        allowed_points=allowed_points,
        problems=tuple(problems),
    )


def _entries(office: Office) -> Counter[str]:
    """How often each entry is at head office, booked or parked."""
    booked = office.conn.execute("SELECT entry_id::text FROM ledger WHERE raw IS NOT NULL").fetchall()
    parked = office.conn.execute("SELECT raw FROM parked WHERE state NOT IN ('linked', 'approved')").fetchall()
    return Counter([entry for (entry,) in booked] + [Entry.decode(raw).id for (raw,) in parked])


def _queue(tills: Tills, machine: Machine) -> set[str]:
    """Ids of the entries that a till keeps and that it does not know to be at head office."""
    rows = tills.open(machine).store.rows(
        "SELECT id FROM journal j JOIN (SELECT epoch, acked_seq FROM head UNION ALL "
        "SELECT epoch, acked_seq FROM closed_epoch) h ON j.epoch = h.epoch WHERE j.seq > h.acked_seq"
    )
    return {entry for (entry,) in rows}


def _wrong_sums(office: Office) -> list[str]:
    rows = office.conn.execute(
        "SELECT coalesce(b.account_id, l.account_id) FROM balance b "
        "FULL JOIN (SELECT account_id, sum(points) AS points FROM ledger GROUP BY account_id) l USING (account_id) "
        "WHERE coalesce(b.points, 0) <> coalesce(l.points, 0)"
    )
    return [account for (account,) in rows]


def _named(what: str, found: Sequence[str]) -> Iterable[str]:
    if found:
        yield f"{len(found)} {what}, such as {', '.join(found[:SHOWN])}"
