"""What a session comes to, from the mirror and the journal: who holds the card, what may be redeemed, the quote."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from drivers.recognition.guard import CardPattern, classify_digits
from loyalty.basket import Basket
from loyalty.cards import CardFormat, CardNumber
from loyalty.counting import counters_on
from loyalty.credentials import CredentialRefused, Fault, is_credential, step_at
from loyalty.errors import CardFormatError, LoyaltyError, RewardRefused
from loyalty.facts import Count, Facts, birthday_windows
from loyalty.offline import Verdict, assess
from loyalty.programme import Programme
from loyalty.programme_members import Credential
from loyalty.programme_rules import Birthday
from loyalty.redemption import Choice, options, redeem
from loyalty.settlement import Settlement, settle
from pos_client.credential_uses import CredentialUses
from pos_client.credentials import CredentialReader
from pos_client.session import Presented, Quote, Session, SessionState, Settled
from pos_client.spending import Spending
from sync.journal import Journal
from sync.mirror import Holder, Mirror


class TillError(LoyaltyError):
    """A use case that cannot be carried out now; `code` is stable, for programs and translation."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class BasketStale(TillError):
    """A basket made from an older one than is there; `version` and `basket` are what is there."""

    def __init__(self, version: int, basket: Basket) -> None:
        self.version = version
        self.basket = basket
        super().__init__(
            "basket_stale", f"expected a basket made from version {version}: take it up in the basket that is there"
        )


class Reckoning:
    """Answers from what this till knows; changes nothing but a session's rewards that no longer fit."""

    def __init__(
        self,
        mirror: Mirror,
        journal: Journal,
        *,
        formats: Sequence[CardFormat],
        card_key: bytes,
        credentials: CredentialReader,
        spending: Spending,
        uses: CredentialUses,
        time_zone: str,
        business_day_starts: time,
        now_ms: Callable[[], int],
        short_of_room: Callable[[], bool],
    ) -> None:
        self._mirror = mirror
        self._journal = journal
        self._formats = tuple(formats)
        self._patterns = card_patterns(formats)
        self._card_key = card_key
        self._credentials = credentials
        self._spending = spending
        self._uses = uses
        self._zone = ZoneInfo(time_zone)
        self._day_starts = business_day_starts
        self._now_ms = now_ms
        self._short_of_room = short_of_room

    def business_date(self, at_ms: int) -> date:
        """The shop's trading day at a moment (Unix ms UTC): it turns at the configured hour, not at midnight."""
        return business_date(at_ms, self._zone, self._day_starts)

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

    def verdict(self, holder: Holder, session: Session | None = None, *, promised: bool = False) -> Verdict:
        """What may be redeemed for `holder` now.

        Args:
            session: the sale that it is for, with the points held for it.
            promised: True for what may be promised without asking head office any more: what is held and leased, and
                what the offline policy allows on this till's own word.
        """
        now = self._now_ms()
        today = self.business_date(now)
        return assess(
            self.programme().offline,
            known=holder.known,
            blocked=holder.blocked,
            balance=holder.balance,
            spendable=holder.spendable,
            mirror_as_of_ms=self._mirror.contact().as_of_ms,
            now_ms=now,
            card_spent_today=self._journal.spent_on(today, holder.card),
            till_spent_today=self._journal.spent_on(today),
            restored=self._journal.in_doubt(),
            online=self._spending.online and not promised,
            held=sum(source.points for source in self._spending.held(session)),
            leased=sum(source.points for source in self._spending.leased(holder.account)),
            short_of_room=self._short_of_room(),
        )

    def look_up(self, card_text: str, proven: str | None = None) -> Presented:
        """Who holds a card, by its number or rotating credential as typed or sent by the till's software.

        Args:
            proven: as for `recognise`.

        Raises:
            TillError: `payment_card`: a bank card's number; nothing of it is kept or repeated.
            CardFormatError: not a card of any configured format.
            CredentialRefused: a rotating credential that does not count.
        """
        if classify_digits(card_text, self._patterns) == "payment":
            raise TillError("payment_card", "this is a bank card: use the payment terminal, or scan the loyalty card")
        return self.recognise(card_text, proven)

    def recognise(self, label: str, proven: str | None = None) -> Presented:
        """Who holds a card, by the label a driver read: a card number, or a rotating credential.

        The driver's payment guard has seen the label, and the symbol it came from. Judging the digits alone once more
        would take every tenth article number for a bank card: it passes Luhn by chance.

        Args:
            proven: token of the card that a credential proved for this same sale already. Its code read once more, by
                a camera that still sees the phone or a call that is repeated, is then no second use.

        Raises:
            CardFormatError: not a card of any configured format.
            CredentialRefused: a rotating credential that does not count.
        """
        if not is_credential(label):
            return Presented(self._mirror.find(self._token(label)))
        # Head office's time as far as this till knows it: its own clock may be minutes off.
        now_step = step_at(self._now_ms() + (self._mirror.contact().clock_offset_ms or 0))
        credential = self._credentials.verify(label, now_step)
        try:
            card = self._token(credential.member)
        except CardFormatError:
            raise CredentialRefused(Fault.MALFORMED) from None
        try:
            self._uses.take(credential, now_step)
        except CredentialRefused:
            if card != proven:
                raise
        return Presented(self._mirror.find(card), rotating=True)

    def _token(self, number: str) -> str:
        return CardNumber.parse(number, self._formats).token(self._card_key)

    def facts(self, programme: Programme, holder: Holder | None, at_ms: int, shown: Iterable[Credential] = ()) -> Facts:
        """What this till knows of a member and a moment (Unix ms UTC), as far as the programme asks for it.

        Args:
            shown: how the member proved who they are, beside their card; the first that spending asks for counts.
        """
        compiled = programme.compiled
        counters: tuple[Count, ...] = ()
        first = False
        birthday: tuple[Birthday, ...] = ()
        segments: tuple[str, ...] = ()
        wanted = counters_on(programme, at_ms)
        if holder is not None and (wanted or compiled.first_purchase or compiled.birthday or compiled.segments):
            standing = self._mirror.standing(holder)
            first = compiled.first_purchase and standing.first_purchase
            counters = tuple(
                Count(counter=name, count=standing.counters[name])
                for name in sorted(wanted)
                if standing.counters.get(name)
            )
            segments = tuple(sorted(standing.segments & compiled.segments))
            if compiled.birthday and standing.birthday is not None:
                birthday = birthday_windows(*standing.birthday, compiled.asker("", Facts(at_ms=at_ms)).moment.day)
        today = 0
        if holder is not None and programme.caps.per_card_day_points is not None:
            today = self._journal.earned_on(self.business_date(self._now_ms()), holder.card)
        proofs = list(shown)
        enough = [proof for proof in proofs if proof in programme.credential.spend]
        return Facts(
            at_ms=at_ms,
            birthday=birthday,
            first_purchase=first,
            earned_today=today,
            segments=segments,
            counters=counters,
            stock=tuple(
                Count(counter=reward, count=max(0, stock - self._mirror.given(reward)))
                for reward, stock in compiled.stocks.items()
            ),
            credential=next(iter(enough + proofs), Credential.STATIC),
        )

    def quote(self, session: Session, *, offer: bool = True) -> Quote:
        """What `session` comes to now. Takes rewards off that no longer fit, and names them.

        Args:
            offer: also say which rewards may be given; a booking does not ask, and goes by what may be promised.
        """
        programme = self.programme()
        holder = self._mirror.find(session.card) if session.card else None
        if session.entry is not None:
            # What was booked stands, whatever programme was published since.
            tier, settlement, facts = session.entry.tier, session.entry.settlement, session.entry.known_facts
        else:
            tier = programme.tier(holder.tier or "").id if holder else programme.tiers[0].id
            facts = self.facts(programme, holder, session.priced_ms, session.shown)
            settlement = _settled(session, programme, tier, facts)
        verdict = self.verdict(holder, session, promised=not offer) if holder else None
        rewards = (
            options(programme, session.basket, settlement.redemptions, holder.balance, verdict, tier=tier, facts=facts)
            if offer and holder and verdict
            else ()
        )
        pending = settlement.points_delta if session.state is SessionState.OPEN else 0
        after = None if holder is None else holder.balance + pending
        return Quote(
            session.id,
            session.state,
            session.basket,
            session.basket_version,
            programme,
            tier,
            holder,
            settlement,
            rewards,
            verdict,
            after,
            session.dropped_rewards,
            facts,
            session.rotating,
            session.serving,
            (*self._spending.held(session), *self._spending.leased(holder.account)) if holder else (),
        )


def business_date(at_ms: int, zone: ZoneInfo, starts: time) -> date:
    """The trading day at a moment (Unix ms UTC) in `zone`; it turns at `starts`."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    return (local - timedelta(hours=starts.hour, minutes=starts.minute)).date()


def card_patterns(formats: Sequence[CardFormat]) -> tuple[CardPattern, ...]:
    """Our card formats as the plain data that the drivers' payment guard knows them by."""
    return tuple(CardPattern(card_format.name, card_format.prefix, card_format.length) for card_format in formats)


def _settled(session: Session, programme: Programme, tier: str, facts: Facts) -> Settlement:
    if session.settled is None or not session.settled.holds(programme, session, tier, facts):
        _drop_unfit(session, programme, tier, facts)
        settlement = settle(programme, session.basket, tier, session.rewards, facts)
        session.settled = Settled(programme, session.basket, tier, tuple(session.rewards), facts, settlement)
    return session.settled.settlement


def _drop_unfit(session: Session, programme: Programme, tier: str, facts: Facts) -> None:
    """Take off the rewards that the basket, or a programme published meanwhile, no longer allows."""
    kept: list[Choice] = []
    for reward in session.rewards:
        try:
            redeem(programme, session.basket, [*kept, reward], tier=tier, facts=facts)
        except RewardRefused:
            session.dropped_rewards += (reward.reward,)
        else:
            kept.append(reward)
    session.rewards[:] = kept
