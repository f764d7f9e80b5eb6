"""One shop morning, played through the real devices and the API that any till's software would use."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from loyalty.basket import Basket
from pos_client.demo.members import DemoMember, members
from pos_client.demo.shops import Taken
from pos_client.demo.world import DemoError, World
from pos_client.plugin.client import EventStream, PluginProblem, TillClient
from pos_client.plugin.messages_till import EventAnswer

EVENT_S = 20
"""How long the demo waits for what a device should cause; real devices take milliseconds."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """What the demo did, by its own count: the figures that till and head office must agree with."""

    sales: int = 0
    points: int = 0
    refused: int = 0
    entries: int = 0
    expected: dict[str, int] = field(default_factory=dict)
    """Balance that each customer should end with, by card number."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The morning's end, from four sides: the demo, the till's journal, head office, and the proof."""

    sales: int
    entries_journaled: int
    entries_at_hq: int
    points_local: int
    points_at_hq: int
    proof_agrees: bool
    payment_cards_refused: int
    killed: int
    queue: int
    balances_agree: bool

    def problems(self, tally: Tally) -> list[str]:
        """What does not add up; empty when every figure agrees."""
        checks = {
            f"sales {self.sales} and journal {self.entries_journaled} (voids included: {tally.entries})": tally.entries
            == self.entries_journaled,
            f"journal {self.entries_journaled} and head office {self.entries_at_hq}": self.entries_journaled
            == self.entries_at_hq,
            f"points counted {tally.points}, journal {self.points_local}, head office {self.points_at_hq}": tally.points
            == self.points_local
            == self.points_at_hq,
            f"queue {self.queue}": self.queue == 0,
            f"bank cards presented {tally.refused}, refused {self.payment_cards_refused}": tally.refused
            == self.payment_cards_refused,
            "each customer's balance": self.balances_agree,
            "the proof of the day": self.proof_agrees,
        }
        return [name for name, holds in checks.items() if not holds]


class Ears:
    """Listens to the till's event stream, so that the demo waits for what happens and not for time to pass."""

    def __init__(self, client: TillClient) -> None:
        self._events: queue.Queue[EventAnswer] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, args=(client.events(),), daemon=True)
        self._thread.start()

    def _listen(self, stream: EventStream) -> None:
        try:
            for event in stream:
                self._events.put(event)
        except PluginProblem:
            return  # the till was killed; the next one gets ears of its own

    def expect(self, kind: str) -> EventAnswer:
        """The next event of a kind; others are passed over.

        Raises:
            DemoError: it did not come.
        """
        until = time.monotonic() + EVENT_S
        while (left := until - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            if event.event == kind:
                return event
        raise DemoError(f"expected event '{kind}' within {EVENT_S} s, and it did not come")


# A published test number of a card scheme, with the tracks a bank card carries.
BANK_NUMBER = "4111111111111111"
BANK_STRIPE = "%B4111111111111111^DEMO/BANKPAS^29121010000000000?;4111111111111111=29121010000000000?"


class Morning:
    """Plays the morning on a world whose parts run. `say` is told each step as it happens."""

    def __init__(self, world: World, say: Say) -> None:
        self._world = world
        self._say = say
        self._tally = Tally()
        self._people = members()
        self._shop = world.shop
        assert world.client is not None
        self._listen(world.client)

    def _listen(self, client: TillClient) -> None:
        self._client = client
        self._ears = Ears(client)

    def play(self) -> tuple[Figures, Tally]:
        """The whole morning.

        Raises:
            DemoError, PluginProblem: something did not happen as it should.
        """
        world, people = self._world, self._people
        small, middle, large, deposit = self._shop.small, self._shop.middle, self._shop.large, self._shop.deposit
        self._say("[bold]The shop opens, the line is up[/]")
        self._sell(people[0], [small, small, small, large])
        self._sell(people[1], [small, middle])
        self._sell(people[2], [large, deposit])
        self._show_phone(people[3], [middle, middle])
        self._bank_card()
        self._client.sync()
        self._say(f"head office holds {world.hq_status()['entries']} entries")

        world.line.cut()
        self._say("[bold]The line to head office is cut[/]")
        self._sell(people[5], [large, large])
        self._sell(people[30], [large], reward=self._shop.first)
        self._sell(people[7], [small])
        if self._shop.card:
            self._sell(people[12], [middle] * 10)
        self._say(f"offline: {self._client.status().queue_length} sales wait in the journal")
        refused = self._client.status().payment_cards_refused
        world.kill_till()
        self._say("[bold red]kill -9[/] of the till, between two customers")
        self._listen(world.start_till())
        self._say(f"the till is back: {self._client.status().queue_length} sales wait in the journal, as before")
        self._sell(people[8], [large, small])
        self._bank_card_number()
        self._void(people[9], [middle, small])
        self._return(people[14], [large, large, small])
        self._sell(people[60], [middle, middle], reward=self._shop.second)
        if self._shop.card:
            self._sell(people[12], [middle, large], reward=self._shop.card)
        self._show_phone(people[10], [small, large, middle])

        world.line.mend()
        self._say("[bold]The line is back[/]")
        report = self._client.sync().report
        self._say(f"sent {report.sent} entries: booked {report.booked}, parked {report.parked}")
        self._sell(people[11], [small, small])
        night = world.run("sync", "nightly", "--json", expect=(0, 1))
        self._say(f"the proof of the day {'agrees' if night['agrees'] else 'DIFFERS'}")
        return self._figures(night, refused), self._tally

    # -- what happens at the counter --------------------------------------------------------------------------------

    def _sell(self, member: DemoMember, goods: list[dict[str, Any]], reward: str | None = None) -> None:
        if member.card.startswith("9528"):
            how = "swipes"
            self._world.wedge.swipe(f";{member.card}?")
        else:
            how = "scans"
            self._world.scanner.scan(member.card, aim="]E0" if member.card.isdigit() else "]C0")
        self._check_out(member, how, goods, reward)

    def _show_phone(self, member: DemoMember, goods: list[dict[str, Any]]) -> None:
        self._world.camera.show_qr(member.card)
        self._check_out(member, "shows a QR code", goods, None)

    def _check_out(self, member: DemoMember, how: str, goods: list[dict[str, Any]], reward: str | None) -> str:
        self._ears.expect("card_presented")
        session = self._client.open_session().session
        lines = [{"line_id": str(number), **good} for number, good in enumerate(goods, 1)]
        self._client.set_basket(session, Basket.model_validate({"currency": "EUR", "lines": lines}), 0)
        if reward:
            self._client.redeem(session, reward)
        booked = self._client.commit(session)
        assert booked.member is not None
        points, cost = self._points(member, goods, reward)
        before = self._tally.expected.get(member.card, member.points)
        self._tally.sales += 1
        self._tally.entries += 1
        self._tally.points += points - cost
        self._tally.expected[member.card] = before + points - cost
        offline = "" if booked.offline.online else ", [yellow]offline[/]"
        price = f" − {cost}" if cost else ""
        spent = f"{price} ({reward})" if reward else ""
        self._say(f"{member.first_name} {how}: + {points}{spent} = {booked.member.balance.total} points{offline}")
        return session

    def _void(self, member: DemoMember, goods: list[dict[str, Any]]) -> None:
        before = self._tally.expected.get(member.card, member.points)
        points = self._tally.points
        self._world.scanner.scan(member.card) if member.card.isdigit() and len(member.card) == 13 else (
            self._world.wedge.swipe(f";{member.card}?")
        )
        session = self._check_out(member, "presents a card", goods, None)
        self._client.void(session)
        self._tally.entries += 1
        self._tally.points = points
        self._tally.expected[member.card] = before
        self._say(f"{member.first_name} changes their mind: voided, {before} points again")

    def _return(self, member: DemoMember, goods: list[dict[str, Any]]) -> None:
        """The first line comes back: just that is taken back which the sale's own lines say it earned."""
        if member.card.startswith("9528"):
            self._world.wedge.swipe(f";{member.card}?")
        else:
            self._world.scanner.scan(member.card, aim="]E0" if member.card.isdigit() else "]C0")
        session = self._check_out(member, "presents a card", goods, None)
        settled = self._client.quote(session).settlement
        back = self._client.return_goods(f"{session}-back", session, {"1": goods[0].get("quantity", 1000)})
        assert back.entry is not None
        taken = next(line.points for line in settled.lines if line.line_id == "1")
        if back.entry.points != -taken:
            raise DemoError(f"expected the return to take back {taken} points, got {-back.entry.points}")
        self._tally.entries += 1
        self._tally.points -= taken
        self._tally.expected[member.card] -= taken
        self._say(f"{member.first_name} brings one article back: − {taken} points, as that line had earned")

    def _points(self, member: DemoMember, goods: list[dict[str, Any]], reward: str | None) -> tuple[int, int]:
        """Points earned and spent by the programme as a customer reads it: worked out here, apart from the engine."""
        taken = self._shop.rewards[reward] if reward else Taken(0, 0)
        return self._shop.earns(member, goods, taken.off_minor), taken.points

    def _bank_card(self) -> None:
        self._world.wedge.swipe(BANK_STRIPE)
        refused = self._ears.expect("card_refused")
        self._tally.refused += 1
        self._say(f"a customer swipes a bank card: refused ({refused.data['code']}), nothing of it kept")

    def _bank_card_number(self) -> None:
        self._world.scanner.scan(BANK_NUMBER, aim="]C0")
        self._ears.expect("card_refused")
        self._tally.refused += 1
        self._say("a bank card's number printed as a bar code is scanned: refused as well")

    # -- the reckoning ----------------------------------------------------------------------------------------------

    def _figures(self, night: dict[str, Any], refused_before_kill: int) -> Figures:
        local = self._world.run("sync", "status", "--json")
        theirs = self._world.hq_status()
        return Figures(
            sales=self._tally.sales,
            entries_journaled=local["seq"],
            entries_at_hq=theirs["entries"],
            points_local=sum(day["ours"]["points_earned"] - day["ours"]["points_spent"] for day in night["days"]),
            points_at_hq=theirs["points"] - self._world.opening_points,
            proof_agrees=bool(night["agrees"]) and bool(night["days"]),
            payment_cards_refused=refused_before_kill + self._client.status().payment_cards_refused,
            killed=self._world.killed,
            queue=local["queue"],
            balances_agree=all(self._balance(card) == points for card, points in self._tally.expected.items()),
        )

    def _balance(self, card: str) -> int:
        session = self._client.open_session().session
        member = self._client.identify(session, card).member
        self._client.void(session)
        assert member is not None
        return member.balance.total
