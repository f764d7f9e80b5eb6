"""What a session comes to, from the mirror and the journal: who holds the card, what may be redeemed, the quote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drivers.guard import CardPattern, classify_digits
from loyalty.cards import CardFormat, CardNumber
from loyalty.errors import LoyaltyError, RewardRefused
from loyalty.offline import Verdict, assess
from loyalty.programme import Programme
from loyalty.redemption import options, redeem
from loyalty.settlement import Settlement, settle
from pos_client.session import Quote, Session, SessionState
from sync.journal import Journal
from sync.mirror import Holder, Mirror


class TillError(LoyaltyError):
    """A use case that cannot be carried out now; `code` is stable, for programs and translation."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class Reckoning:
    """Answers from what this till knows; changes nothing but a session's rewards that no longer fit."""

    def __init__(
        self,
        mirror: Mirror,
        journal: Journal,
        *,
        formats: Sequence[CardFormat],
        card_key: bytes,
        time_zone: str,
        business_day_starts: time,
        now_ms: Callable[[], int],
    ) -> None:
        self._mirror = mirror
        self._journal = journal
        self._formats = tuple(formats)
        self._patterns = card_patterns(formats)
        self._card_key = card_key
        self._zone = ZoneInfo(time_zone)
        self._day_starts = timedelta(hours=business_day_starts.hour, minutes=business_day_starts.minute)
        self._now_ms = now_ms

    def business_date(self, at_ms: int) -> date:
        """The shop's trading day at a moment (Unix ms UTC): it turns at the configured hour, not at midnight."""
        local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone)
        return (local - self._day_starts).date()

    def programme(self) -> Programme:
        """The programme in force.

        Raises:
            TillError: `no_programme`: head office was never reached.
        """
        programme = self._mirror.programme()
        if programme is None:
            raise TillError(
                "no_programme", "no programme yet: this till has to reach head office once before it can sell"
            )
        return programme

    def verdict(self, holder: Holder) -> Verdict:
        """What may be redeemed for `holder` now, on this till's own word."""
        now = self._now_ms()
        today = self.business_date(now)
        return assess(
            self.programme().offline,
            known=holder.known,
            blocked=holder.blocked,
            balance=holder.balance,
            mirror_as_of_ms=self._mirror.contact().as_of_ms,
            now_ms=now,
            card_spent_today=self._journal.spent_on(today, holder.card),
            till_spent_today=self._journal.spent_on(today),
        )

    def look_up(self, card_text: str) -> Holder:
        """Who holds a card, by its number as typed or sent by the till's software.

        Raises:
            TillError: `payment_card`: a bank card's number; nothing of it is kept or repeated.
            CardFormatError: not a card of any configured format.
        """
        if classify_digits(card_text, self._patterns) == "payment":
            raise TillError("payment_card", "this is a bank card: use the payment terminal, or scan the loyalty card")
        return self.recognise(card_text)

    def recognise(self, label: str) -> Holder:
        """Who holds a card, by the label a driver read.

        The driver's payment guard has seen the label, and the symbol it came from. Judging the digits alone once more
        would take every tenth article number for a bank card: it passes Luhn by chance.

        Raises:
            CardFormatError: not a card of any configured format.
        """
        return self._mirror.find(CardNumber.parse(label, self._formats).token(self._card_key))

    def settlement(self, session: Session, holder: Holder | None) -> tuple[str, Settlement]:
        """Tier and settlement of `session`. Takes rewards off that no longer fit, and names them."""
        if session.entry is not None:
            # What was booked stands, whatever programme was published since.
            return session.entry.tier, session.entry.settlement
        programme = self.programme()
        _drop_unfit(session, programme)
        tier = programme.tier(holder.tier or "").id if holder else programme.tiers[0].id
        return tier, settle(programme, session.basket, tier, session.rewards)

    def quote(self, session: Session) -> Quote:
        """What `session` comes to now. Takes rewards off that no longer fit, and names them."""
        programme = self.programme()
        holder = self._mirror.find(session.card) if session.card else None
        tier, settlement = self.settlement(session, holder)
        verdict = self.verdict(holder) if holder else None
        rewards = (
            options(programme, session.basket, settlement.redemptions, holder.balance, verdict)
            if holder and verdict
            else ()
        )
        pending = settlement.points_delta if session.state is SessionState.OPEN else 0
        after = None if holder is None else holder.balance + pending
        return Quote(
            session.id,
            session.state,
            session.basket,
            programme,
            tier,
            holder,
            settlement,
            rewards,
            verdict,
            after,
            session.dropped_rewards,
        )


def card_patterns(formats: Sequence[CardFormat]) -> tuple[CardPattern, ...]:
    """Our card formats as the plain data that the drivers' payment guard knows them by."""
    return tuple(CardPattern(card_format.name, card_format.prefix, card_format.length) for card_format in formats)


def _drop_unfit(session: Session, programme: Programme) -> None:
    """Take off the rewards that the basket, or a programme published meanwhile, no longer allows."""
    kept: list[str] = []
    for reward in session.rewards:
        try:
            redeem(programme, session.basket, [*kept, reward])
        except RewardRefused:
            session.dropped_rewards += (reward,)
        else:
            kept.append(reward)
    session.rewards[:] = kept
