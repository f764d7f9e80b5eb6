"""The three samples: programmes without a warning, in TOML and JSON, each with its own character."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from loyalty.programme import Programme
from pos_client import samples
from pos_client.programme_tools.checking import warnings
from pos_client.programme_tools.reading import read_programme
from pos_client.samples import SAMPLES, sample

SCHEMA = Path(__file__).parents[3] / "docs" / "programme.schema.json"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_a_programme_that_nothing_is_said_against(name: str) -> None:
    programme = Programme.from_toml(sample(name))
    for day in (date(2026, 1, 1), date(2026, 11, 24), date(2028, 2, 29)):
        assert warnings(programme, day) == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_the_same_in_json(name: str, tmp_path: Path) -> None:
    file = tmp_path / "programme.json"
    file.write_text(json.dumps(tomllib.loads(sample(name)), default=str), encoding="utf-8")
    assert read_programme(str(file)) == read_programme(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_fits_the_published_schema(name: str) -> None:
    """As an editor checks it, with nobody's code but a JSON Schema validator's."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    Draft202012Validator.check_schema(schema)
    document = json.loads(json.dumps(tomllib.loads(sample(name)), default=str))
    assert [error.message for error in validator.iter_errors(document)] == []
    document["earn"][0]["point"] = document["earn"][0].pop("points")
    assert list(validator.iter_errors(document))


def test_every_sample_file_is_named() -> None:
    folder = Path(samples.__file__).parent
    assert {file.stem for file in folder.glob("*.toml")} == set(SAMPLES)


def test_the_samples_have_what_they_are_for() -> None:
    bakery, supermarket, fashion = (read_programme(name) for name in SAMPLES)
    assert bakery.stamp_cards[0].stamps == 10
    assert supermarket.excluded_categories and supermarket.coupons
    assert [tier.threshold for tier in fashion.tiers] == [0, 30_000, 100_000]
    assert fashion.expiry.vesting_days == 14
