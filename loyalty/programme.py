"""A loyalty programme as validated, versioned data: what earns, what it buys, what a till may do alone."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, field_validator, model_validator

from loyalty.errors import ProgrammeError
from loyalty.money import Rounding

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Positive = Annotated[StrictInt, Field(gt=0, le=1_000_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Texts(_Part):
    """A name in each language the screens speak."""

    nl: Annotated[str, Field(min_length=1, max_length=60)]
    en: Annotated[str, Field(min_length=1, max_length=60)]

    def get(self, language: str) -> str:
        """The text in `language` ("nl" or "en"); English for any other."""
        return self.nl if language == "nl" else self.en


class Tier(_Part):
    """A level a member can have; the mirror says which member has which."""

    id: Identifier
    name: Texts


class PerAmount(_Part):
    """`points` for every `per_minor` of eligible amount, once per basket: the base."""

    kind: Literal["per_amount"]
    id: Identifier
    name: Texts
    points: Positive
    per_minor: Positive
    rounding: Rounding = Rounding.FLOOR
    excluded_categories: tuple[str, ...] = ()


class Multiplier(_Part):
    """A bonus of `percent` of the base points, for members of `tiers` (of every tier when empty)."""

    kind: Literal["multiplier"]
    id: Identifier
    name: Texts
    percent: Annotated[StrictInt, Field(gt=0, le=1000)]
    tiers: tuple[Identifier, ...] = ()
    rounding: Rounding = Rounding.FLOOR


EarnRule = Annotated[PerAmount | Multiplier, Field(discriminator="kind")]


class AmountOff(_Part):
    """A reward: `discount_minor` off the basket for `cost_points`."""

    kind: Literal["amount_off"]
    id: Identifier
    name: Texts
    cost_points: Positive
    discount_minor: Positive
    limit_per_basket: Annotated[StrictInt, Field(ge=1, le=20)] = 1


class OfflineMode(StrEnum):
    """Whether a till may give rewards on its own word."""

    NEVER = "never"
    CAPPED = "capped"


class OfflinePolicy(_Part):
    """What a till may redeem without asking head office. Points, and seconds of age."""

    redeem: OfflineMode = OfflineMode.NEVER
    per_card_day_points: Annotated[StrictInt, Field(ge=0)] = 0
    per_till_day_points: Annotated[StrictInt, Field(ge=0)] = 0
    mirror_max_age_s: Annotated[StrictInt, Field(gt=0)] = 86_400


class Programme(_Part):
    """One published version of a programme. Entries name the version they were made with."""

    format: Literal[1]
    id: Identifier
    version: Positive
    name: Texts
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    time_zone: str
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=20)]
    """Lowest first; the first is what a new member, or an unknown card, has."""
    earn: Annotated[tuple[EarnRule, ...], Field(min_length=1, max_length=200)]
    rewards: Annotated[tuple[AmountOff, ...], Field(max_length=100)] = ()
    offline: OfflinePolicy = OfflinePolicy()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder such as 'Europe'
            raise ValueError(f"expected an IANA time zone such as 'Europe/Amsterdam', got '{value}'") from error
        return value

    @model_validator(mode="after")
    def _references_hold(self) -> Programme:
        tiers = [tier.id for tier in self.tiers]
        for kind, ids in (
            ("tier", tiers),
            ("earn rule", [rule.id for rule in self.earn]),
            ("reward", [reward.id for reward in self.rewards]),
        ):
            twice = {name for name in ids if ids.count(name) > 1}
            if twice:
                raise ValueError(f"expected distinct {kind} ids, got {sorted(twice)} twice")
        for rule in self.earn:
            if isinstance(rule, Multiplier) and (unknown := set(rule.tiers) - set(tiers)):
                raise ValueError(f"earn rule '{rule.id}' names tiers {sorted(unknown)}; known are {tiers}")
        return self

    @classmethod
    def from_toml(cls, text: str) -> Programme:
        """Read a programme document.

        Raises:
            ProgrammeError: not TOML, or not a programme; each problem names its path.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ProgrammeError([f"not valid TOML: {error}"]) from error
        return cls.from_document(document)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Programme:
        """Validate a parsed document (TOML or JSON).

        Raises:
            ProgrammeError: each problem names its path, what was expected and what came.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise ProgrammeError(
                [
                    f"{'.'.join(str(part) for part in problem['loc']) or 'programme'}: {problem['msg']}"
                    for problem in error.errors(include_url=False, include_input=False)
                ]
            ) from error

    def tier(self, tier_id: str) -> Tier:
        """The tier named `tier_id`; the lowest tier when this version does not know it."""
        return next((tier for tier in self.tiers if tier.id == tier_id), self.tiers[0])

    def reward(self, reward_id: str) -> AmountOff | None:
        """The reward named `reward_id`, or None."""
        return next((reward for reward in self.rewards if reward.id == reward_id), None)
