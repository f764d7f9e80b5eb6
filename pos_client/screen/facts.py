"""What the cashier's screen shows, read from the till in one go. The only file of the screen that asks the till."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from loyalty.basket import Basket
from loyalty.offline import Verdict
from loyalty.programme import Programme
from loyalty.programme_members import Credential
from loyalty.redemption import RewardOption, options
from pos_client.pairing import Asked
from pos_client.receipts.printing import Unprinted
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from pos_client.session import Quote, SessionState
from pos_client.training import Practice, practice_cards
from pos_client.troubles import Gravity, Trouble, troubles
from sync.mirror import Holder
from sync.terminal import clock_problem, wall_ms


@dataclass(frozen=True, slots=True)
class Facts:
    """The till at one moment. Points, minor units, Unix milliseconds UTC.

    `quote` is the session on the screen; `holder` its member, or the one whose card waits for a session; `rewards` is
    empty without a holder. `as_of_ms` is when the mirror last agreed with head office.
    """

    store_name: str
    till_name: str
    show_first_name: bool
    zone: ZoneInfo
    now_ms: int
    clock_wrong: bool
    programme: Programme | None
    quote: Quote | None
    holder: Holder | None
    rewards: tuple[RewardOption, ...]
    verdict: Verdict | None
    """What may be redeemed for the holder, on whose word."""
    online: bool
    since_ms: int
    queued: int
    short_of_room: bool
    """No points are given without head office: this till's disk or queue comes near its limit."""
    as_of_ms: int | None
    devices_away: tuple[str, ...]
    enrolled: bool
    """The card became a member's at this till, and head office has not said so yet."""
    may_join: bool
    """The card is nobody's yet, and the programme has terms to agree to."""
    manual_sales: bool
    pairing: Asked | None
    """A program that wants to be paired: its code is shown."""
    unprinted: Unprinted | None
    """A receipt that the cashier may print after all."""
    practice: Practice | None = None
    """The cards to practise with, of a till in training."""
    trouble: Trouble | None = None
    """What is wrong with this till, when nobody is at the counter and somebody has to act."""


def read_facts(runtime: Runtime) -> Facts:
    """Read everything the screen shows.

    Raises:
        StoreError: the till's database could not be read.
    """
    till, now = runtime.till, wall_ms()
    programme = runtime.mirror.programme()
    quote = _current(runtime)
    holder = quote.holder if quote else till.waiting
    rewards: tuple[RewardOption, ...] = ()
    verdict: Verdict | None = None
    if quote:
        rewards, verdict = quote.rewards, quote.verdict
    elif holder and programme:
        verdict = till.reckoning.verdict(holder)
        proven = (Credential.ROTATING,) if till.waiting_rotating else ()
        known = till.reckoning.facts(programme, holder, now, proven)
        tier = programme.tier(holder.tier or "").id
        nothing = Basket(currency=programme.currency)
        rewards = options(programme, nothing, (), holder.balance, verdict, tier=tier, facts=known)
    state = runtime.agent.state
    enrolled = holder is not None and not holder.known and runtime.members.enrolled(holder.card)
    has_terms = programme is not None and programme.texts.terms is not None
    return Facts(
        store_name=runtime.terminal.store_name,
        till_name=runtime.config.till.name,
        show_first_name=runtime.config.till.show_first_name,
        zone=ZoneInfo(runtime.config.till.time_zone),
        now_ms=now,
        clock_wrong=clock_problem(now) is not None,
        programme=programme,
        quote=quote,
        holder=holder,
        rewards=rewards,
        verdict=verdict,
        online=state.online or runtime.training,
        since_ms=state.since_ms,
        queued=runtime.room.queued(),
        short_of_room=runtime.room.short(),
        as_of_ms=runtime.mirror.contact().as_of_ms,
        devices_away=tuple(device.name for device in runtime.board.states() if device.status != "online"),
        enrolled=enrolled,
        may_join=has_terms and holder is not None and not holder.known and not enrolled,
        manual_sales=runtime.config.screen.manual_sales,
        pairing=runtime.pairing.shown,
        unprinted=runtime.printing.unprinted,
        practice=practice_cards(runtime.config.card_formats) if runtime.training else None,
        trouble=_trouble(runtime) if _at_rest(holder, quote) else None,
    )


def _at_rest(holder: Holder | None, quote: Quote | None) -> bool:
    """Whether nobody may be at the counter: then there is time to look, and a place to show what is found."""
    return holder is None if quote is None else quote.state is not SessionState.OPEN


def _trouble(runtime: Runtime) -> Trouble | None:
    """The gravest; devices have a place of their own on the screen."""
    for trouble in troubles(runtime):
        if trouble.gravity is not Gravity.INFO and not trouble.code.startswith("device_"):
            return trouble
    return None


def _current(runtime: Runtime) -> Quote | None:
    session = runtime.till.current
    if session is None:
        return None
    try:
        return runtime.till.quote(session)
    except TillError:
        return None  # closed between the two questions: there is nothing to show of it
