"""A chain of shops as a state machine: customers, managers, a bad wire, wrong clocks, crashes, copies, lost disks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from loyalty.errors import LoyaltyError
from loyalty.programme import OfflineMode
from loyalty.resolution import Action
from pos_client.reckoning import TillError
from sync.errors import TransportError
from sync.hq import leases
from sync.hq.errors import ImportRefused
from tests.simulation.office import Office, application
from tests.simulation.shops import RULES, Carrier, Place, Shops, Tally
from tests.simulation.steps import STEPS, TILLS
from tests.simulation.wire import FaultyWire
from tests.support.proxy import Fault

RUNS = 7
STEPS_A_RUN = 150
"""Long enough for a queue, a crash, a lost answer and a late card to meet in one run."""


class Chain(Shops):
    """What happens, step by step."""

    @initialize(may_restore=st.booleans())
    def begin(self, may_restore: bool) -> None:
        """In half of the chains head office forgets nothing, no till is copied and no manager takes points: only there
        is what tills may spend bounded to the point."""
        self.may_restore = may_restore and not self.calm

    @rule(what=STEPS)
    def step(self, what: tuple[str, dict[str, Any]]) -> None:
        """One rule and not one for each step: hypothesis leaves rules out of whole runs, and a shop that never sells
        proves little."""
        name, arguments = what
        getattr(self, name)(**arguments)

    # -- at the counter -------------------------------------------------------------------------------------------

    def sell(self, place: int, customers: list[tuple[str, int, int, bool]]) -> None:
        at = self._at(place)
        for card, amount, lines, reward in customers:
            self.number += 1
            session = f"bon-{self.number}"
            try:
                at.till.sell(session, card, *[amount] * lines, reward="five-off" if reward else None)
            except (LoyaltyError, TillError):
                at.till.till.bookings.void(session)  # the reward cannot be given: this customer leaves
                self.tally.note("reward refused")
            else:
                at.sales.append(session)
                self.tally.note("sale with reward" if reward else "sale")
            self.office_moved |= reward  # points may be held there now

    def come_back(self, place: int, which: int, how: str) -> None:
        """A customer returns, or the till's software did not hear the answer to a booking."""
        at = self._at(place)
        if not at.sales:
            return
        till, session = at.till, at.sales[which % len(at.sales)]
        before = till.journal.head().seq
        self.number += 1
        try:
            match how:
                case "void":
                    till.void(session)
                case "ask again":
                    till.print(till.till.bookings.commit(session))
                    assert till.journal.head().seq == before
                case _:
                    till.take_back(f"retour-{self.number}", session, {"1": 1000 if how == "return" else 250})
        except (LoyaltyError, TillError):
            assert till.journal.head().seq == before  # it came back already, or was voided
            how = f"{how} refused"
        self.tally.note(how)

    def adjust(self, place: int, card: str, points: int) -> None:
        """A manager gives points, or takes them where that may go too far."""
        self.number += 1
        points = points if self.may_restore else abs(points)
        try:
            self._at(place).till.adjust(f"correctie-{self.number}", card, points)
        except TillError:
            assert points == 0
        else:
            self.tally.note("adjustment")

    def decide(self, place: int, which: int, how: int, member: str) -> None:
        """A manager decides about an entry in the inbox, or takes a decision back, with a line or without."""
        till = self._at(place).till
        items = [item for item in till.inbox.items(everything=True) if item.actions]
        if not items:
            return
        item = items[which % len(items)]
        action = item.actions[how % len(item.actions)]
        self.number += 1
        card = member if action is Action.LINK else None
        try:
            till.inbox.decide(
                f"besluit-{self.number}",
                item.entry.number,
                action,
                reason="nagevraagd",
                approver="Wil",
                card_text=card,
            )
        except TillError as refused:
            assert refused.code in {"decided_before", "member_unknown"}, refused
            self.tally.note(f"decision refused, {refused.code}")
        else:
            self.tally.note(f"decision, {action}")

    # -- the wire -------------------------------------------------------------------------------------------------

    def sync(self, place: int, ordered: list[Fault], night: bool) -> None:
        at = self._at(place)
        at.wire.order(*ordered)
        report = at.till.sync()
        at.wire.order()
        self.tally.note("sync that failed" if report is None else "sync")
        self.office_moved = True
        if report is not None:
            at.behind = False
            assert at.till.journal.head().queued == 0
            if night and not at.twin:
                assert at.till.agent.nightly().agrees
                self.tally.note("night")

    def line(self, place: int, what: str) -> None:
        """The line goes or comes; or what seemed lost on it arrives after all."""
        at = self._at(place)
        if what != "late":
            at.wire.up = what == "up"
        elif at.wire.deliver_late():
            self.tally.note("late arrival")
            self.office_moved = True

    # -- the machine ----------------------------------------------------------------------------------------------

    def machine(self, place: int, what: str, jump_ms: int) -> None:
        """The till starts anew, dies in between (what is on the disk is all there is), its clock jumps, its disk is
        copied, an old copy is put back, the disk is moved to another machine, a copy runs beside it, or it is given a
        new key when its own counts no more."""
        at = self._at(place)
        till = at.till
        match what:
            case "restart":
                till.close()
                till.start()
            case "crash":
                till.crash()
            case "clock":
                at.skew_ms = jump_ms
            case "copy":
                at.copy = (till.journal.head().epoch, till.copy_of_disk())
            case "put back" if (copy := at.copy) and copy[0] == till.journal.head().epoch:
                # A copy from before an epoch has a key that is past: head office wants such a till enrolled anew.
                till.put_disk_back(copy[1])
            case "moved":
                till.move_disk()
                self.office_moved = True
            case "clone" if self.may_restore and len(self.places) == TILLS:
                wire = FaultyWire(self.carrier)
                twin = till.clone(Path(self.folder.name) / "twin", wire)
                self.places.append(Place(twin, wire, list(at.sales), at.skew_ms, twin=True, behind=at.behind))
                at.twin = True
                self.forgot = True  # both have the leases: each spends them
            case "enrol":
                try:
                    if not self.enrol_again(at):
                        return
                except TransportError:
                    return
            case _:
                return
        self.tally.note(what)

    # -- head office ----------------------------------------------------------------------------------------------

    def link_card(self, card: str) -> None:
        """Head office imports a card that tills may have sold to; a manager may have linked it before."""
        if card in self.linked:
            return
        try:
            self.office.join(card, 0)
        except ImportRefused:
            self.tally.note("card linked by a manager")
        else:
            self.tally.note("card linked late")
        self.linked.append(card)
        self.office_moved = True

    def head_office_night(self, days: int) -> None:
        """Head office grants leases and takes back what is due, so many days from now by its clock.

        Only tonight while a hold is live: to the calls of the tills, which know no other day, it would not be over.
        """
        with self.office.books() as conn:
            live_hold = "SELECT 1 FROM hold WHERE state IN ('active', 'captured') AND expires_at > now() LIMIT 1"
            if conn.execute(live_hold).fetchone():
                days = 0
            at = datetime.now(UTC) + timedelta(days=days)
            leases.reclaim_due(conn, at)
            leases.grant_anew(conn, RULES[self.policy].offline, at)
            (live,) = conn.execute("SELECT count(*) FROM lease WHERE state = 'active'").fetchone() or (0,)
        self.tally.note("leases live", live)
        self.office_moved = True

    def rest(self, minutes: int) -> None:
        """Nobody buys for a while: holds run out, also those of sales that head office has not heard of yet."""
        self.steady_s += 60 * minutes
        with self.office.books() as conn:
            conn.execute(
                "UPDATE hold SET expires_at = expires_at - make_interval(mins => %s) "
                "WHERE state IN ('active', 'captured')",
                (minutes,),
            )
        self.office_moved = True

    def head_office_disk(self, what: str) -> None:
        """Head office makes a backup, or loses its disk and goes on with the last one."""
        if not self.may_restore:
            return
        if what == "back up":
            self.kept = (self.office.backup(), list(self.linked))
        elif self.kept is not None:
            tables, linked = self.kept
            self.office.restore(tables)
            self.linked = list(linked)
            self.forgot = True
            for place in self.places:
                place.behind = True
            self.office_moved = True
            self.tally.note("head office restored")


def play_once(
    office: Office, seed: int, tally: Tally, carrier: Carrier = application, *, calm: bool = False, shrink: bool = True
) -> None:
    """Some runs of the chain, all of them from `seed`; the policy goes round with the seeds.

    Args:
        calm: head office forgets nothing, no till is copied and no manager takes points, in any of the runs.
        shrink: look for the shortest steps that lead to a failure, which takes minutes.
    """

    def chain() -> Chain:
        return Chain(office, tally, list(OfflineMode)[seed % len(OfflineMode)], carrier, calm=calm)

    run_state_machine_as_test(
        hypothesis.seed(seed)(chain),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS_A_RUN,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
