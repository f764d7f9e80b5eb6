"""Amounts, points, times and reasons in the words of a language. Formats by Babel (CLDR), sentences by `i18n`."""

from __future__ import annotations

import functools
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, get_currency_precision

from loyalty.offline import Mode, Reason, Verdict
from loyalty.programme import Programme
from loyalty.programme_members import Credential, OfflineMode, OfflinePolicy
from loyalty.redemption import RewardOption
from pos_client.i18n import Translator, mark, translator

_LOCALES = {"nl": "nl_NL", "en": "en_GB"}
_NARROW = "\u202f"
"""Narrow no-break space: a sign stays with its number."""

MAX_REMEMBERED = 4096
"""Formatted numbers kept: those of a busy hour, in less than a megabyte."""

Mood = Literal["info", "ok", "warn", "stop"]

NOTICES: dict[str, tuple[Mood, str]] = {
    "payment_card": ("stop", mark("This is a bank card: use the payment terminal")),
    "blocked": ("stop", mark("Blocked: please refer to the service desk")),
    "card_blocked": ("stop", mark("Blocked: please refer to the service desk")),
    "unreadable": ("warn", mark("The card could not be read: please present it again")),
    "credential_malformed": ("warn", mark("The code could not be read: please present it again")),
    "credential_no_key": ("warn", mark("This till cannot check codes on a phone: please scan the card")),
    "credential_expired": ("warn", mark("This code is too old: please show the newest one")),
    "credential_future": ("warn", mark("The phone's clock is ahead: please set it automatically")),
    "credential_wrong_code": ("stop", mark("This code is not right: please show the newest one")),
    "credential_replayed": ("warn", mark("This code has been used: please wait for the next one")),
    "undone": ("info", mark("Undone: the booking has been reversed")),
    "returned": ("ok", mark("Return booked: the points are back as they were")),
    "unknown_receipt": ("warn", mark("This receipt is not known here: scan the square code on it")),
    "receipt_code_wrong": ("stop", mark("This code is not of one of our receipts: please scan it again")),
    "sale_voided": ("warn", mark("This sale was undone before: there is nothing to return")),
    "nothing_left": ("warn", mark("Everything of this receipt came back before")),
    "not_found": ("warn", mark("This is no number of our cards: please check it")),
    "nobody": ("warn", mark("No member has this phone number: please scan the card")),
    "several": ("warn", mark("More than one member has this phone number: please scan the card")),
    "pin_wrong": ("warn", mark("Wrong PIN: please try again")),
    "pin_locked": ("stop", mark("Too many wrong PINs: saving goes on, spending is locked for a while")),
    "pin_unknown": ("warn", mark("This member has no PIN yet: please use the app")),
    "thanks": ("ok", mark("Thank you for your answer")),
    "no_card": ("warn", mark("Scan or swipe the card first")),
    "no_programme": ("warn", mark("This till has to reach head office once before it can save points")),
    "unknown_session": ("warn", mark("This sale is no longer known: please start it again")),
    "sale_returned": ("warn", mark("Goods of this sale came back before: please return the rest")),
    "coupon_invalid": ("warn", mark("This code is mistyped: please type it again")),
    "coupon_unknown": ("warn", mark("This coupon is not valid here")),
    "coupon_used": ("warn", mark("This coupon was used before")),
    "session_closed": ("warn", mark("This sale is already closed: please start a new one")),
    "too_late": ("warn", mark("Too late to undo: please use a return")),
    "store_full": ("stop", mark("The disk is full: nothing was booked. Free some space and book again")),
    "store_error": ("stop", mark("The till cannot write: nothing was booked. Please call support")),
    "no_receipt": ("warn", mark("No receipt was made since this till was started")),
    "no_printer": ("warn", mark("This till has no receipt printer")),
    "printer_not_ready": ("warn", mark("Too many receipts wait: look at the printer")),
    "basket": ("warn", mark("This receipt cannot be used: please send it again from the till")),
}
"""What each code says, as a sentence a cashier can repeat to the customer."""

OTHER_NOTICE: tuple[Mood, str] = ("warn", mark("That is not possible now"))

UNPRINTED = {
    "interrupted": mark("The last receipt may not have been printed. The booking stands"),
    "paper_out": mark("Receipt not printed: put in a new roll. The booking stands"),
    "cover_open": mark("Receipt not printed: close the printer's cover. The booking stands"),
    "offline": mark("Receipt not printed: press the printer's feed button. The booking stands"),
    "away": mark("Receipt not printed: the printer is not connected. The booking stands"),
}
"""Why a receipt is not on paper, and what to do, by `receipts.printing.Unprinted.code`."""

OTHER_UNPRINTED = mark("Receipt not printed: look at the printer. The booking stands")

REASONS = {
    "points_short": mark("{short} points to go"),
    "basket_too_small": mark("from {amount} on the receipt"),
    "limit_per_basket": mark("at most {count} on one receipt"),
    "card_cap": mark("at most {card_cap} a day per card"),
    "till_cap": mark("at most {till_cap} a day at this till"),
    "mirror_old": mark("too long without head office"),
    "no_room": mark("this till's storage is almost full"),
    "restored": mark("this till was restored: head office first"),
    "policy_never": mark("only with a connection"),
    "no_lease": mark("no points set aside at this till"),
    "lease_short": mark("more than is set aside at this till"),
    "points_held": mark("points are in use or set aside elsewhere"),
    "card_unknown": mark("card not known yet"),
    "card_blocked": mark("card is blocked"),
    "no_such_goods": mark("no such goods on the receipt"),
    "limit_per_member": mark("had {times} times, the most there is"),
    "out_of_stock": mark("none left"),
    "stamps_short": mark("{short} stamps to go"),
    "credential_needed": mark("only with the code on the phone"),
    "pin_needed": mark("only with the PIN"),
    "phone_or_pin_needed": mark("only with the code on the phone or the PIN"),
    "pending": mark("some points cannot be spent yet"),
    "no_session": mark("enter the articles first"),
}
"""Why a reward cannot be given, by `RewardOption.code`, to stand beside it."""

OTHER_REASON = mark("not possible now")


# Babel takes a tenth of a millisecond for each number, and a screen repeats most of what it showed before.
@functools.lru_cache(MAX_REMEMBERED)
def _decimal(number: Decimal, locale: str) -> str:
    return format_decimal(number, locale=locale)


@functools.lru_cache(MAX_REMEMBERED)
def _currency(minor: int, currency: str, locale: str) -> str:
    amount = Decimal(minor).scaleb(-get_currency_precision(currency))
    return format_currency(amount, currency, locale=locale)


class Words:
    """Says things in one language and one time zone."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language
        self.translate: Translator = translator(language)
        self._locale = _LOCALES[language]
        self._zone = zone

    def points(self, points: int) -> str:
        """1284 → "1.284" in Dutch, "1,284" in English."""
        return _decimal(Decimal(points), self._locale)

    def signed(self, points: int) -> str:
        """34 → "+ 34", -250 → "− 250"."""
        return ("+" if points >= 0 else "−") + _NARROW + self.points(abs(points))

    def money(self, minor: int, currency: str) -> str:
        """2340 EUR → "€ 23,40"; `minor` in minor units of the ISO 4217 `currency`.

        The sign comes first in every language, as on a receipt, where CLDR would put it after the Dutch euro sign.
        """
        return ("−" + _NARROW if minor < 0 else "") + _currency(abs(minor), currency, self._locale)

    def quantity(self, thousandths: int) -> str:
        """3000 → "3", 347 → "0,347"."""
        return _decimal(Decimal(thousandths).scaleb(-3).normalize(), self._locale)

    def time(self, at_ms: int) -> str:
        """The time of day, "14:02"; `at_ms` Unix milliseconds UTC."""
        return self._local(at_ms).strftime("%H:%M")

    def moment(self, at_ms: int, now_ms: int) -> str:
        """A past moment as people say it: "14:02" today, "gisteren 14:02", else the date."""
        _ = self.translate
        then, today = self._local(at_ms), self._local(now_ms).date()
        if then.date() == today:
            return self.time(at_ms)
        if then.date() == today - timedelta(days=1):
            return _("yesterday {time}").format(time=self.time(at_ms))
        return format_date(then.date(), "medium", locale=self._locale)

    def today(self, at_ms: int) -> date:
        """The calendar day of a moment."""
        return self._local(at_ms).date()

    def day(self, day: date, now_ms: int) -> str:
        """A day as people say it: "31 dec", with the year where it is another."""
        if day.year != self.today(now_ms).year:
            return format_date(day, "d MMM yyyy", locale=self._locale)
        return format_date(day, "d MMM", locale=self._locale)

    def grouped(self, text: str) -> str:
        """A card's number in groups of four, to be read beside the card."""
        return " ".join(text[start : start + 4] for start in range(0, len(text), 4))

    def offline_policy(self, policy: OfflinePolicy) -> str:
        """What goes on at a till alone, in one sentence."""
        _ = self.translate
        match policy.redeem:
            case OfflineMode.NEVER:
                return _("Saving goes on. Redeeming waits for the line")
            case OfflineMode.CAPPED:
                text = _("Saving goes on. Redeeming up to {points} points a day per card")
                return text.format(points=self.points(policy.per_card_day_points))
            case OfflineMode.LEASE:
                return _("Saving goes on. Redeeming with points set aside at this till")

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone)

    def alone(self, verdict: Verdict) -> str:
        """What may be given without head office, and on what; "" while head office is asked."""
        _ = self.translate
        if verdict.mode is Mode.ONLINE or verdict.reason is Reason.CARD_BLOCKED:
            return ""
        if not verdict.allowed:
            return _("without head office: no rewards")
        if verdict.mode is Mode.LEASE:
            text = _("without head office: {points} points set aside at this till")
        else:
            text = _("without head office: up to {points} points")
        return text.format(points=self.points(verdict.limit))

    def why_not(self, code: str, option: RewardOption, programme: Programme) -> str:
        """Why a reward cannot be given now, for the cashier to say.

        Args:
            code: from `RewardOption.code`.
        """
        policy = programme.offline
        amount = max(option.reward.minimum_basket_minor, option.value_minor)
        if code == "basket_too_small" and not amount:
            code = "no_such_goods"
        spend = programme.credential.spend
        if code == "credential_needed" and Credential.PIN in spend:
            code = "phone_or_pin_needed" if Credential.ROTATING in spend else "pin_needed"
        return self.translate(REASONS.get(code, OTHER_REASON)).format(
            short=self.points(option.short),
            amount=self.money(amount, programme.currency),
            count=option.reward.limit_per_basket,
            times=option.reward.limit_per_member,
            card_cap=self.points(policy.per_card_day_points),
            till_cap=self.points(policy.per_till_day_points),
        )
