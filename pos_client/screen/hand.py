"""What the keys of the cashier's screen do. A key and a touch are the same: the name of a key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
import uuid6

from drivers.events import Event
from loyalty.basket import Basket, Line
from loyalty.errors import BasketError, RewardRefused
from loyalty.returns import quantities
from pos_client.office.lookup import Lookup
from pos_client.reckoning import TillError, card_patterns
from pos_client.runtime import Runtime
from pos_client.screen.facts import Facts, read_facts
from pos_client.screen.memory import Memory, Tone
from pos_client.screen.pad import Pad
from pos_client.screen.returning import Returning
from pos_client.screen.rows import MAX_ROWS, asks_for_pin
from pos_client.screen.shown import PRACTICE_KEYS
from pos_client.screen.wedge import SWIPE_S, PageReader
from pos_client.session import SessionState
from sync.errors import StoreError, StoreFull
from sync.terminal import wall_ms

log = structlog.get_logger("spaarpunt.screen")

DOUBLE_TAP_S = 0.5
"""A second tap within this is the same tap; later it gives a reward back, or is for the customer after a return."""

MANUAL_SKU = "bedrag"
"""The article of a sale whose amount was typed: a programme can name it."""


class Hand:
    """Carries out keys; used on the server's loop only. Keeps the screen's memory, shared by all windows.

    Args:
        changed: called after each key, with the tone to sound.
    """

    def __init__(self, runtime: Runtime, changed: Callable[[Tone | None], None]) -> None:
        self._runtime = runtime
        self._till = runtime.till
        self._changed = changed
        self._patterns = card_patterns(runtime.config.card_formats)
        self._reader = PageReader(runtime.config.screen.layout, self._patterns)
        self._swiping: asyncio.Task[None] | None = None
        self._lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)
        self._busy = False
        self._taken_at = 0.0
        self._returned_at = 0.0
        self.memory = Memory()

    async def press(self, key: str, language: str) -> None:
        """Do what a key (of `page.KEYS`) stands for; `language` of the window that it was pressed in."""
        if key == "Escape" and self._runtime.pairing.shown is not None:
            await asyncio.to_thread(self._runtime.pairing.refuse)
        elif key == "Escape" and (self.memory.pad or self.memory.returning):
            self._remember(self.memory.take_back(None))
        elif self.memory.pad is not None:
            await self._on_pad(self.memory.pad, key, language)
        elif self.memory.returning is not None:
            await self._on_return(self.memory.returning, key)
        else:
            await self._on_sale(key)

    async def typed(self, keys: object, language: str) -> None:
        """Take what a reader typed into the page, as if a driver had read it."""
        events = self._reader.typed(keys, time.monotonic_ns())
        if events is None:
            if self.memory.pad is not None:
                await self._on_pad(self.memory.pad, "F12", language)  # a quick hand, and its Enter
            return
        if self._swiping is not None:
            self._swiping.cancel()
        # Kept, so that it is not collected before its time.
        self._swiping = asyncio.create_task(self._swiped()) if self._reader.waits else None
        await self._read(events)

    async def _swiped(self) -> None:
        """The tracks of a swipe are all there when none follows for a while."""
        await asyncio.sleep(SWIPE_S)
        await self._read(self._reader.quiet(time.monotonic_ns()))

    async def _read(self, events: list[Event]) -> None:
        if events and self.memory.pad is not None:
            self.memory = self.memory.ask(Pad(self.memory.pad.kind, reward=self.memory.pad.reward))
        for event in events:
            await asyncio.to_thread(self._runtime.board.on_event, event)

    async def answer(self, score: int) -> None:
        """Note what the customer of the sale on the screen answered to the shop's question, 0 to 10; once."""
        quote = read_facts(self._runtime).quote
        if quote is None or quote.state is not SessionState.BOOKED or self.memory.answered == quote.session:
            return
        if await self._do(lambda: self._runtime.members.answer(quote.session, score)):
            self._remember(self.memory.thank(quote.session))

    def label(self, text: str) -> None:
        """A code that is no card was scanned: the receipt, when one is asked for."""
        if self.memory.pad is not None and self.memory.pad.kind == "receipt":
            self._open_return(text)

    # -- a sale ---------------------------------------------------------------------------------------------------

    async def _on_sale(self, key: str) -> None:
        facts = read_facts(self._runtime)
        match key:
            case "F12":
                await self._finish(facts)
            case "Ctrl+Z":
                await self._undo()
            case "Ctrl+P":
                await self._do(self._runtime.printing.again)
            case "Escape":
                await self._cancel(facts)
            case "F9" if facts.may_join:
                self._remember(self.memory.ask(Pad("consent")))
            case "F10":
                if facts.quote is None or facts.quote.state is SessionState.OPEN:
                    self._remember(self.memory.ask(Pad("number")))
            case "F11":
                if facts.quote is None or facts.quote.state is not SessionState.OPEN:
                    self._remember(
                        self.memory.dismiss(facts.quote.session if facts.quote else None).ask(Pad("receipt"))
                    )
            case _ if facts.practice is not None and key in PRACTICE_KEYS and self._nobody(facts):
                cards = (facts.practice.member, facts.practice.nobody, facts.practice.blocked)
                card = cards[PRACTICE_KEYS.index(key)]
                await asyncio.to_thread(self._till.present_card, card, "training")
            case _ if key in _ROW_KEYS:
                await self._take_reward(facts, _ROW_KEYS[key])

    def _nobody(self, facts: Facts) -> bool:
        """Whether no card is on the screen."""
        return facts.holder is None or (facts.quote is not None and facts.quote.session == self.memory.dismissed)

    async def _take_reward(self, facts: Facts, number: int) -> None:
        """Take the reward in row `number`, from 0, or give a chosen one back; says why when it cannot be had."""
        quote = facts.quote
        if number >= min(len(facts.rewards), MAX_ROWS):
            return
        option = facts.rewards[number]
        reward = option.reward.id
        if quote is None:
            self._refuse(option.code or "no_session", reward)
        elif option.code is None:
            await self._do(lambda: self._till.redeem(quote.session, reward), reward)
            self._taken_at = asyncio.get_running_loop().time()
        elif reward in [taken.reward for taken in quote.settlement.redemptions]:
            if asyncio.get_running_loop().time() - self._taken_at < DOUBLE_TAP_S:
                return
            await self._do(lambda: self._till.unredeem(quote.session, reward), reward)
        elif asks_for_pin(facts, option):
            self._remember(self.memory.ask(Pad("pin", reward=reward)))
        else:
            self._refuse(option.code, reward)

    async def _finish(self, facts: Facts) -> None:
        """Book the sale on the screen; where no software sells, ask for the amount of the next."""
        quote = facts.quote
        if quote is None or quote.state is not SessionState.OPEN:
            if self._returning_now():
                return
            if facts.manual_sales and facts.programme and (quote is None or quote.session == self.memory.dismissed):
                self._remember(self.memory.ask(Pad("amount")))
            return
        if quote.holder is None:
            self._refuse("no_card")
            return
        await self._do(lambda: self._till.bookings.commit(quote.session))

    async def _undo(self) -> None:
        """Take the last booking back while that is still offered."""
        last = self.memory.last
        if last is None or self.memory.undo_left_ms(wall_ms()) == 0:
            self._refuse("too_late")
            return
        await self._do(lambda: self._till.bookings.void(last.session))

    async def _cancel(self, facts: Facts) -> None:
        """Wave the message and the last result away, drop the receipt, or drop the card that waits."""
        quote = facts.quote
        if quote is not None and quote.state is not SessionState.OPEN:
            self._runtime.printing.dismiss()
            self._remember(self.memory.dismiss(quote.session))
            return
        if quote is None and facts.holder is None:
            self._runtime.printing.dismiss()
        self._remember(self.memory.dismiss(None))
        if quote is not None:
            await self._do(lambda: self._till.bookings.void(quote.session))
        elif facts.holder is not None:
            await self._do(self._till.forget_card)

    # -- a pad ----------------------------------------------------------------------------------------------------

    async def _on_pad(self, pad: Pad, key: str, language: str) -> None:
        if key != "F12":
            self._remember(self.memory.ask(pad.press(key)))
        elif pad.complete:
            await self._confirm(pad, language)

    async def _confirm(self, pad: Pad, language: str) -> None:
        facts = read_facts(self._runtime)
        match pad.kind:
            case "amount":
                await self._do(lambda: self._sell(pad.amount_minor))
                self._remember(self.memory.ask(None))
            case "number":
                await self._do(lambda: self._key_in(pad.typed))
            case "pin" if facts.quote is not None:
                await self._check_pin(facts.quote.session, pad)
            case "receipt" if self.memory.last is not None and not self.memory.last.voided:
                self._open_return(self.memory.last.session)
            case "consent" if facts.holder is not None:
                card = facts.holder.card
                if await self._do(lambda: self._runtime.members.enrol(card, language)):
                    self._remember(self.memory.ask(None), "high")

    def _sell(self, amount_minor: int) -> None:
        line = Line(line_id="1", sku=MANUAL_SKU, text="Bedrag", quantity=1000, gross_minor=amount_minor)
        session = self._till.open_session().session
        currency = self._till.reckoning.programme().currency
        self._till.set_basket(session, Basket(currency=currency, lines=(line,)))

    def _key_in(self, number: str) -> None:
        """A card's or a phone's number was typed. The guard looks first, as for a scan.

        Raises:
            TillError: `not_found`, `payment_card`, `nobody`, `several`.
        """
        people = self._lookup.find(number).people
        if len(people) != 1:
            raise TillError("several" if people else "nobody", f"expected one member, found {len(people)}")
        self._till.present_member(people[0].holder.card)

    async def _check_pin(self, session: str, pad: Pad) -> None:
        """Check the PIN and give the reward that it was asked for; what was typed goes either way."""
        self.memory = self.memory.ask(Pad("pin", reward=pad.reward))
        if not await self._do(lambda: self._till.enter_pin(session, pad.typed)):
            if self.memory.notice is not None and self.memory.notice.code != "pin_wrong":
                self._remember(self.memory.close_pad())
            return
        self._remember(self.memory.ask(None))
        if pad.reward is not None:
            reward = pad.reward
            await self._do(lambda: self._till.redeem(session, reward), reward)
            self._taken_at = asyncio.get_running_loop().time()

    # -- goods that come back -------------------------------------------------------------------------------------

    def _open_return(self, receipt: str) -> None:
        """Show the sale of a receipt, by the code on it."""
        try:
            sale = self._till.corrections.sale_of(receipt)
            before = quantities(self._runtime.journal.returns_of(sale.id))
        except TillError as error:
            self._refuse(error.code)
            return
        except StoreError as error:
            log.exception("store", error=str(error))
            self._refuse("store_error")
            return
        returning = Returning(str(uuid6.uuid7()), receipt, sale, before, {})
        if not returning.lines:
            self._refuse("nothing_left")
            return
        self._remember(self.memory.take_back(returning), "high")

    async def _on_return(self, returning: Returning, key: str) -> None:
        if key == "F10":
            self._remember(self.memory.take_back(returning.all()))
        elif key == "F12" and returning.chosen:
            chosen = dict(returning.chosen)
            if await self._do(lambda: self._till.corrections.return_goods(returning.id, returning.receipt, chosen)):
                self._returned_at = asyncio.get_running_loop().time()
        elif key in _ROW_KEYS and _ROW_KEYS[key] < min(len(returning.lines), MAX_ROWS):
            self._remember(self.memory.take_back(returning.tap(returning.lines[_ROW_KEYS[key]])))

    def _returning_now(self) -> bool:
        """Whether a return is being booked, or was a moment ago: the second tap on its button means no new sale."""
        return self._busy or asyncio.get_running_loop().time() - self._returned_at < DOUBLE_TAP_S

    # -- within ---------------------------------------------------------------------------------------------------

    async def _do(self, command: Callable[[], object], reward: str | None = None) -> bool:
        """Run a use case beside the loop: the disk may be slow, the screen may not. A second tap meanwhile is none.

        Returns:
            Whether it was carried out.
        """
        if self._busy:
            return False
        self._busy = True
        done = False
        try:
            await asyncio.to_thread(command)
            done = True
        except (TillError, RewardRefused) as error:
            self._refuse(error.code, reward)
        except BasketError as error:
            log.warning("refused", error=str(error))
            self._refuse("basket")
        except StoreFull as error:
            log.exception("store", error=str(error))
            self._refuse("store_full")
        except StoreError as error:
            log.exception("store", error=str(error))
            self._refuse("store_error")
        finally:
            self._busy = False
        self._changed(None)
        return done

    def _remember(self, memory: Memory, tone: Tone | None = None) -> None:
        self.memory = memory
        self._changed(tone)

    def _refuse(self, code: str, reward: str | None = None) -> None:
        self._remember(self.memory.refused(code, reward), "low")


_ROW_KEYS = {f"F{number}": number - 2 for number in range(2, 2 + MAX_ROWS)}
