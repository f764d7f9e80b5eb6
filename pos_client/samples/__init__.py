"""Sample programmes, ready to publish: read with `sample(name)`."""

from __future__ import annotations

from importlib.resources import files

SAMPLES = ("bakery", "supermarket", "fashion")
"""Stamps; per euro with categories and offers; tiers and returns."""


def sample(name: str) -> str:
    """The text of the sample programme `name`, such as "bakery".

    Raises:
        FileNotFoundError: there is no such sample.
    """
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
