"""A loyalty programme as validated, versioned data: what earns, what it buys, what a till may do alone."""

from __future__ import annotations

import json
import tomllib
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from loyalty.compiled import Compiled
from loyalty.errors import ProgrammeError
from loyalty.programme_checks import contradictions, explain_problem
from loyalty.programme_members import (
    Badge,
    Branding,
    Challenge,
    CredentialPolicy,
    Expiry,
    OfflineMode,
    OfflinePolicy,
    ReceiptLook,
    Tier,
    TierPolicy,
    Wording,
)
from loyalty.programme_parts import Goods, Identifier, Names, Part, Positive, Texts
from loyalty.programme_rewards import AmountOff, Benefit, Coupon, Reward, StampCard
from loyalty.programme_rules import Caps, EarnRule, Multiplier, PerAmount, PerItem, PerVisit

__all__ = [
    "AmountOff",
    "Benefit",
    "EarnRule",
    "Multiplier",
    "OfflineMode",
    "OfflinePolicy",
    "PerAmount",
    "PerItem",
    "PerVisit",
    "Programme",
    "Texts",
    "Tier",
]


class Programme(Part):
    """One published version of a programme. Entries name the version they were made with."""

    format: Literal[1]
    id: Identifier
    version: Positive
    name: Texts
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    time_zone: str
    excluded_categories: Names = ()
    """Never earn and never discounted, whatever a rule says: tobacco, medicine."""
    excluded_skus: Names = ()
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=20)]
    """Lowest first; the first is what a new member, or an unknown card, has."""
    tier_policy: TierPolicy | None = None
    earn: Annotated[tuple[EarnRule, ...], Field(min_length=1, max_length=200)]
    caps: Caps = Caps()
    rewards: Annotated[tuple[Reward, ...], Field(max_length=100)] = ()
    coupons: Annotated[tuple[Coupon, ...], Field(max_length=100)] = ()
    stamp_cards: Annotated[tuple[StampCard, ...], Field(max_length=20)] = ()
    challenges: Annotated[tuple[Challenge, ...], Field(max_length=50)] = ()
    badges: Annotated[tuple[Badge, ...], Field(max_length=50)] = ()
    expiry: Expiry = Expiry()
    offline: OfflinePolicy = OfflinePolicy()
    credential: CredentialPolicy = CredentialPolicy()
    texts: Wording = Wording()
    branding: Branding = Branding()
    receipt: ReceiptLook = ReceiptLook()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder such as 'Europe'
            raise ValueError(f"expected an IANA time zone such as 'Europe/Amsterdam', got '{value}'") from error
        return value

    @model_validator(mode="after")
    def _names_hold(self) -> Programme:
        if problems := contradictions(self):
            raise ProgrammeError(problems)
        return self

    @classmethod
    def from_toml(cls, text: str) -> Programme:
        """Read a programme document in TOML.

        Raises:
            ProgrammeError: not TOML, or not a programme; each problem names its path.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ProgrammeError([f"not valid TOML: {error}"]) from error
        return cls.from_document(document)

    @classmethod
    def from_json(cls, text: str) -> Programme:
        """Read a programme document in JSON.

        Raises:
            ProgrammeError: not JSON, or not a programme; each problem names its path.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ProgrammeError([f"not valid JSON: {error}"]) from error
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Programme:
        """Validate a parsed document (TOML or JSON).

        Raises:
            ProgrammeError: each problem names its path, what was expected and what to change.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            problems: list[str] = []
            for problem in error.errors(include_url=False):
                problems += explain_problem(problem, document)
            raise ProgrammeError(problems) from error

    @cached_property
    def compiled(self) -> Compiled:
        """This version made ready for quick quotes; computed once."""
        return Compiled(
            self.earn,
            (*self.rewards, *self.coupons, *self.stamp_cards),
            (*self.challenges, *self.badges),
            excluded=Goods(excluded_categories=self.excluded_categories, excluded_skus=self.excluded_skus),
            time_zone=self.time_zone,
        )

    def tier(self, tier_id: str) -> Tier:
        """The tier named `tier_id`; the lowest tier when this version does not know it."""
        return next((tier for tier in self.tiers if tier.id == tier_id), self.tiers[0])

    def reward(self, reward_id: str) -> Benefit | None:
        """The reward, coupon or stamp card named `reward_id`, or None."""
        return self.compiled.benefits.get(reward_id)

    def name_of(self, part_id: str, language: str) -> str:
        """The name of a rule, reward, coupon, stamp card, challenge or badge; its id when there is none such here."""
        for group in (self.earn, self.rewards, self.coupons, self.stamp_cards, self.challenges, self.badges):
            for part in group:
                if part.id == part_id:
                    return part.name.get(language)
        return part_id
