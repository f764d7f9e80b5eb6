"""The till under any order of use cases: what it shows always adds up, and no limit is ever passed."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from loyalty.basket import Basket
from loyalty.cards import CardNumber
from loyalty.errors import RewardRefused
from loyalty.ledger import EntryKind, follow
from loyalty.programme import Programme
from loyalty.settlement import settle
from pos_client.reckoning import TillError
from sync.wire_mirror import AccountChange, Change
from tests.support.entries import basket
from tests.support.till import CARD_KEY, FATIMA, FORMATS, JORIS, PROGRAMME, SANNE, UNKNOWN_CARD, make_runtime, publish

CARD_CAP, TILL_CAP = 500, 800
DOCUMENT = copy.deepcopy(PROGRAMME)
DOCUMENT["offline"].update(per_card_day_points=CARD_CAP, per_till_day_points=TILL_CAP)
RULES = Programme.from_document(DOCUMENT)

KNOWN = {member.card: member for member in (SANNE, JORIS, FATIMA)}
CARDS = (*KNOWN, UNKNOWN_CARD)
START = {card: KNOWN[card].points if card in KNOWN else 0 for card in CARDS}
TIER = {card: KNOWN[card].tier if card in KNOWN else "basis" for card in CARDS}


@dataclass
class Sale:
    """What the model knows of one session."""

    goods: Basket = field(default_factory=Basket)
    card: str | None = None
    rewards: list[str] = field(default_factory=list)
    state: str = "open"
    points: int = 0
    spent: int = 0


class TillMachine(RuleBasedStateMachine):
    """One till and a model of it: dictionaries and sums."""

    sessions: Bundle[str] = Bundle("sessions")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runtime = make_runtime(Path(self.folder.name), programme=DOCUMENT)
        self.till = self.runtime.till
        self.sales: dict[str, Sale] = {}
        self.booked: list[tuple[str, int, int]] = []
        """Card, points and points spent of each entry, in the order of the journal."""

    def teardown(self) -> None:
        self.runtime.store.close()
        self.folder.cleanup()

    def balance(self, card: str) -> int:
        return START[card] + sum(points for held, points, _ in self.booked if held == card)

    def spent_today(self, card: str | None = None) -> int:
        return sum(spent for held, _, spent in self.booked if card in (None, held))

    @rule(target=sessions, name=st.integers(min_value=1, max_value=6))
    def open(self, name: int) -> str:
        session = f"bon-{name}"
        quote = self.till.open_session(session)
        sale = self.sales.setdefault(session, Sale())
        assert quote.state == sale.state
        return session

    @rule(session=sessions, amounts=st.lists(st.integers(min_value=-500, max_value=4000), max_size=4))
    def put_basket(self, session: str, amounts: list[int]) -> None:
        sale, goods = self.sales[session], basket(*amounts)
        try:
            quote = self.till.set_basket(session, goods)
        except TillError as error:
            assert (error.code, sale.state != "open") == ("session_closed", True)
            return
        sale.goods = goods
        assert quote.settlement.payable_minor <= goods.gross_minor
        kept = [redemption.reward for redemption in quote.settlement.redemptions]
        assert sorted(kept + list(quote.dropped_rewards)) == sorted(sale.rewards)
        sale.rewards = kept

    @rule(session=sessions, card=st.sampled_from(CARDS))
    def identify(self, session: str, card: str) -> None:
        sale = self.sales[session]
        try:
            quote = self.till.identify(session, card)
        except TillError as error:
            assert (error.code, sale.state != "open") == ("session_closed", True)
            return
        if sale.card != card:
            sale.card, sale.rewards = card, []
        assert quote.holder is not None
        assert quote.holder.balance == self.balance(card)

    @rule(session=sessions, reward=st.sampled_from(["koffie", "vijf-euro"]))
    def redeem(self, session: str, reward: str) -> None:
        sale = self.sales[session]
        try:
            quote = self.till.redeem(session, reward)
        except TillError as error:
            assert error.code == ("session_closed" if sale.state != "open" else "no_card")
            return
        except RewardRefused:
            assert sale.state == "open"
            return
        sale.rewards.append(reward)
        assert sale.card is not None
        spent = quote.settlement.points_spent
        assert sale.card in KNOWN
        assert spent <= self.balance(sale.card)
        assert spent + self.spent_today(sale.card) <= CARD_CAP
        assert spent + self.spent_today() <= TILL_CAP
        assert quote.settlement.payable_minor >= 0

    @rule(session=sessions)
    def commit(self, session: str) -> None:
        sale = self.sales[session]
        try:
            entry = self.till.bookings.commit(session).entry
        except TillError as error:
            assert error.code == ("session_closed" if sale.state == "voided" else "no_card")
            return
        except RewardRefused:
            assert sale.rewards  # the points or the day's room went to another sale meanwhile
            return
        if sale.state == "booked":
            assert entry.points == sale.points
            return
        assert sale.card is not None
        assert entry.settlement == settle(RULES, sale.goods, TIER[sale.card], sale.rewards)
        spent = entry.settlement.points_spent
        assert spent <= max(0, self.balance(sale.card))
        sale.state, sale.points, sale.spent = "booked", entry.points, spent
        self.booked.append((sale.card, sale.points, spent))
        if spent:
            assert self.spent_today(sale.card) <= CARD_CAP
            assert self.spent_today() <= TILL_CAP

    @rule(session=sessions)
    def void(self, session: str) -> None:
        sale = self.sales[session]
        undone = self.till.bookings.void(session)
        assert (undone is None) == (sale.points == 0 and not self.was_booked(session))
        if sale.state == "booked":
            assert undone is not None
            assert undone.entry.points == -sale.points
            assert sale.card is not None
            self.booked.append((sale.card, -sale.points, -sale.spent))
        sale.state = "voided"

    def was_booked(self, session: str) -> bool:
        return self.runtime.journal.find_all(session=session).get(EntryKind.SALE) is not None

    @precondition(lambda self: self.runtime.journal.head().queued)
    @rule()
    def head_office_confirms(self) -> None:
        head = self.runtime.journal.head()
        changes: list[Change] = [
            AccountChange(
                account=member.account, first_name=member.first_name, tier=member.tier, points=self.balance(member.card)
            )
            for member in KNOWN.values()
        ]
        publish(self.runtime.mirror, changes, includes_seq=head.seq)
        self.runtime.journal.acknowledge(head.epoch, head.seq)
        for member in KNOWN.values():
            assert self.runtime.mirror.find(self.token(member.card)).queued == 0

    @invariant()
    def every_balance_is_confirmed_plus_queued(self) -> None:
        for card in CARDS:
            holder = self.runtime.mirror.find(self.token(card))
            assert holder.balance == holder.confirmed + holder.queued == self.balance(card)

    @invariant()
    def the_journal_is_an_unbroken_chain_of_what_was_booked(self) -> None:
        head = self.runtime.journal.head()
        assert head.seq == len(self.booked)
        raws = [row[0] for row in self.runtime.store.rows("SELECT raw FROM journal ORDER BY seq")]
        assert follow(bytes(32), raws) == head.digest

    def token(self, card: str) -> str:
        return CardNumber.parse(card, FORMATS).token(CARD_KEY)


TestTillMachine = TillMachine.TestCase
# Each example opens an encrypted store and syncs each booking to the disk.
TestTillMachine.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
