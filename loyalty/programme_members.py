"""What a programme says about members over time: tiers, expiry, challenges, badges; and of tills, texts and looks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StrictInt, model_validator

from loyalty.programme_parts import AtLeastNone, Goods, Identifier, LongTexts, Part, Positive, Texts, When, Who


class Tier(Part):
    """A level a member can have; the mirror says which member has which."""

    id: Identifier
    name: Texts
    threshold: AtLeastNone = 0
    """What a member needs within the window to be here, counted as `tier_policy.by` says; 0 for the lowest."""


class TierPolicy(Part):
    """What lifts members to a tier, counted over which window, and what happens when it is no longer reached."""

    by: Literal["points", "spend", "visits"]
    """Points earned, minor units paid, or sales."""
    window: Literal["rolling", "calendar"] = "calendar"
    """The `months` up to today, or calendar years."""
    months: Annotated[StrictInt, Field(ge=1, le=60)] = 12
    """Length of a rolling window; a calendar window is the year."""
    downgrade: Literal["one_step", "by_balance", "never"] = "one_step"
    """At the end of the period: one tier down, down to the tier that was reached, or not at all."""


class Expiry(Part):
    """When points lapse and from when they can be spent. Without `after_months` they never lapse."""

    after_months: Annotated[StrictInt, Field(ge=1, le=120)] | None = None
    """Months after the sale; the day after the last valid one takes them."""
    end_of_year: bool = False
    """True: lapse on 31 December of the year that `after_months` leads to."""
    vesting_days: Annotated[StrictInt, Field(ge=0, le=366)] = 0
    """Days from the sale during which its points are pending: shown, but not to be spent."""

    @model_validator(mode="after")
    def _end_of_which_year(self) -> Expiry:
        if self.end_of_year and self.after_months is None:
            raise ValueError("expected after_months beside end_of_year: the year in which they lapse")
        return self


class Counted(Who, When, Goods):
    """Something counted for each member while it lasts: items, visits, or minor units spent on the goods named."""

    id: Identifier
    name: Texts
    counts: Literal["items", "visits", "spend"] = "visits"
    goal: Positive
    every: Literal["once", "month", "week"] = "once"
    """Whether the count starts again each calendar month or ISO week."""


class Challenge(Counted):
    """Bonus `points` when a member reaches the goal, once in each period."""

    points: Positive


class Badge(Counted):
    """A mark of honour for reaching the goal: no points."""


class OfflineMode(StrEnum):
    """Whether a till may give rewards on its own word."""

    NEVER = "never"
    CAPPED = "capped"
    LEASE = "lease"


class OfflinePolicy(Part):
    """What a till may redeem without asking head office. Points, and seconds of age.

    `capped` uses the caps of a day, `lease` the lease fields; while head office answers, neither bounds anything.
    """

    redeem: OfflineMode = OfflineMode.NEVER
    per_card_day_points: Annotated[StrictInt, Field(ge=0)] = 0
    per_till_day_points: Annotated[StrictInt, Field(ge=0)] = 0
    mirror_max_age_s: Annotated[StrictInt, Field(gt=0)] = 86_400
    lease_points: Annotated[StrictInt, Field(ge=0, le=1_000_000_000)] = 0
    """Points set aside for one card's account at one till, at most; they cannot be spent elsewhere meanwhile."""
    lease_tills: Annotated[StrictInt, Field(ge=1, le=20)] = 2
    """Tills that have points of one account set aside at the same time, the ones it was last at first."""
    lease_lifetime_s: Annotated[StrictInt, Field(ge=3600, le=5_184_000)] = 604_800
    """How long a till may spend them: an hour to sixty days."""
    lease_grace_s: Annotated[StrictInt, Field(ge=0, le=2_592_000)] = 86_400
    """How much longer head office waits for what was spent, before the rest is free again."""

    @model_validator(mode="after")
    def _something_to_lease(self) -> OfflinePolicy:
        if self.redeem is OfflineMode.LEASE and not self.lease_points:
            raise ValueError("expected lease_points above 0 beside redeem = 'lease': what to set aside at a till")
        return self


class Credential(StrEnum):
    """How a member showed who they are: a printed number, the rotating code of their phone, or a PIN."""

    STATIC = "static"
    ROTATING = "rotating"
    PIN = "pin"


class CredentialPolicy(Part):
    """What spending asks for. A printed number is always enough to earn."""

    spend: Annotated[tuple[Credential, ...], Field(min_length=1, max_length=3)] = (Credential.STATIC,)
    """Any one of these will do; a list without "static" asks for more than the printed number."""
    from_points: AtLeastNone = 0
    """Spending up to this many points on one sale needs no more than the printed number."""

    def allows(self, shown: Credential, points: int) -> bool:
        """Whether a member who showed `shown` may spend `points` on one sale."""
        return Credential.STATIC in self.spend or shown in self.spend or points <= self.from_points


class Wording(Part):
    """Sentences of the shop's own."""

    welcome: LongTexts | None = None
    receipt: LongTexts | None = None
    terms: LongTexts | None = None
    """What a customer agrees to who becomes a member at the till; without it nobody can there."""
    question: Texts | None = None
    """One question for the customer after a sale, answered by 0 to 10; none is asked without it."""


ReceiptPart = Literal["lines", "rules", "balance", "expiry", "return_code"]


class ReceiptLook(Part):
    """What this shop's receipts say beside points and amounts; `texts.receipt` stands at their foot."""

    header: LongTexts | None = None
    """Below the shop's name: address, opening hours; a new line in the text is one on paper."""
    show: Annotated[tuple[ReceiptPart, ...], Field(max_length=5)] = (
        "lines",
        "rules",
        "balance",
        "expiry",
        "return_code",
    )
    """The goods, the points of each rule, the balance, when points lapse, the code for a return elsewhere."""


MAX_LOGO_BYTES = 32_768
"""A logo of one or some colours has a tenth of this; it goes to every till with each version of the programme."""

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class Branding(Part):
    """How the programme looks: colours as #rrggbb, and a logo file beside the document."""

    name: Texts | None = None
    """When it differs from the programme's name."""
    colour: Colour | None = None
    accent_colour: Colour | None = None
    logo: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,80}\.png$")] | None = None
    logo_png: (
        Annotated[str, Field(max_length=MAX_LOGO_BYTES * 4 // 3 + 4, pattern=r"^[A-Za-z0-9+/]+={0,2}$")] | None
    ) = Field(default=None, exclude_if=lambda value: value is None)
    """The picture itself in base64: put here from the file beside the document, when that is published."""
