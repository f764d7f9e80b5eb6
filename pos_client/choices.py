"""Whether a reward may be taken on a sale now, and its points held at head office for it."""

from __future__ import annotations

from threading import RLock

from loyalty.errors import RewardRefused
from loyalty.redemption import Choice, redeem
from pos_client.drafts import expect_credential
from pos_client.reckoning import Reckoning
from pos_client.session import Quote, Session, SessionState
from pos_client.sessions import Sessions
from pos_client.spending import Spending


class Choices:
    """Judges what a customer chooses; puts nothing on the sale."""

    def __init__(self, sessions: Sessions, reckoning: Reckoning, spending: Spending, lock: RLock) -> None:
        self._sessions = sessions
        self._reckoning = reckoning
        self._spending = spending
        self._lock = lock

    def hold(self, session_id: str, choice: Choice | None = None) -> None:
        """Have the points held that the sale, with `choice` on top, spends beyond what is set aside for it.

        Waits for head office without the till's lock: other sales go on meanwhile.

        Raises:
            RewardRefused: head office says no.
        """
        with self._lock:
            session = self._sessions.find(session_id)
            if session is None or session.state is not SessionState.OPEN or session.card is None:
                return
            if not self._spending.online or not (session.rewards or choice):
                return
            quote = self._reckoning.quote(session, offer=False)
            account = quote.holder.account if quote.holder else None
            card, short = session.card, self._spending.short(session, account, _points(session, quote, choice))
        held = self._spending.ask(card, short, session_id)
        if held is None:
            return
        with self._lock:
            session.holds.append(held)
            if session.state is not SessionState.OPEN or session.card != card:
                self._spending.give_back(session, [held])


def expect_offered(quote: Quote, reward_id: str) -> None:
    """Check that the quote offers a reward.

    Raises:
        RewardRefused: `unknown_reward`, or with the code that the quote shows beside it.
    """
    option = next((option for option in quote.rewards if option.reward.id == reward_id), None)
    if option is None:
        raise RewardRefused("unknown_reward", f"no reward '{reward_id}' in programme {quote.programme.id}")
    if option.code is not None:
        raise RewardRefused(option.code, f"reward '{reward_id}' cannot be given: {option.code.replace('_', ' ')}")


def expect_allowed(session: Session, quote: Quote, choice: Choice) -> None:
    """Check that basket, balance, limits and the way the member was recognised allow `choice`.

    Raises:
        RewardRefused: they do not.
    """
    assert quote.holder is not None
    assert quote.verdict is not None
    wanted = [*session.rewards, choice]
    taken = redeem(quote.programme, session.basket, wanted, tier=quote.tier, facts=quote.facts)
    spent = sum(redemption.points for redemption in taken)
    if taken[-1].points and spent > min(quote.holder.balance, quote.verdict.limit):
        short = "points_short" if spent > quote.holder.balance else str(quote.verdict.reason)
        raise RewardRefused(short, f"{spent} points asked, {quote.verdict.limit} allowed now")
    expect_credential(quote.programme.credential, quote.facts.credential, spent)


def _points(session: Session, quote: Quote, choice: Choice | None) -> int:
    """What a sale spends, with `choice` on top."""
    if choice is None:
        return quote.settlement.points_spent
    wanted = [*session.rewards, choice]
    taken = redeem(quote.programme, session.basket, wanted, tier=quote.tier, facts=quote.facts)
    return sum(redemption.points for redemption in taken)
