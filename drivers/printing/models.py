"""What python-escpos's list of printer models says of one: whether it is there, and how wide it prints."""

from __future__ import annotations

from drivers.errors import BadDeviceSettings
from drivers.printing.escpos_job import DOTS_PER_CHARACTER, unknown_profile

__all__ = ["check_profile"]

_GENERAL = {"default", "simple"}
"""Stand for most printers, of no width in particular."""


def check_profile(profile: str, columns: int) -> None:
    """Refuse a model that is not in the list, or that prints fewer than `columns` characters of font A on a line.

    Some entries of the list count characters wrongly: the wider of characters and dots is believed. One without dots
    has the characters of "default", which say nothing: it is not judged.

    Raises:
        BadDeviceSettings: receipts laid out for `columns` would not fit its paper; or no such model.
    """
    if profile in _GENERAL:
        return
    # Two thirds of a second: only a till whose printer is named pays it, once.
    from escpos.capabilities import CAPABILITIES

    found = CAPABILITIES["profiles"].get(profile)
    if found is None:
        raise unknown_profile(profile)
    dots = found["media"]["width"].get("pixels")
    if not isinstance(dots, int):
        return
    fit = max(found["fonts"]["0"]["columns"], dots // DOTS_PER_CHARACTER)
    if columns > fit:
        raise BadDeviceSettings(
            f"expected at most {fit} columns, as many as the printer profile {profile} has on a line, got {columns}",
            "columns",
            "32 is for paper of 58 mm; or correct 'profile'",
        )
