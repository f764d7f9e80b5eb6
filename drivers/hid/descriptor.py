"""HID report descriptors: where in a report each usage stands. Pure.

Source: USB-IF, Device Class Definition for Human Interface Devices 1.11, 6.2.2 (items); HID Usage Tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = ["MAX_DESCRIPTOR_BYTES", "Field", "find", "input_fields"]

# What hidraw hands out at most (Linux, HID_MAX_DESCRIPTOR_SIZE).
MAX_DESCRIPTOR_BYTES = 4096
# A report of 64 KiB is far beyond any USB HID device; a descriptor that claims more is damaged.
_MAX_REPORT_BITS = 8 * 65_536
_LONG_ITEM = 0xFE
_MAIN, _GLOBAL, _LOCAL = 0, 1, 2
_INPUT = 0x8
_USAGE_PAGE, _REPORT_SIZE, _REPORT_ID, _REPORT_COUNT, _PUSH, _POP = 0x0, 0x7, 0x8, 0x9, 0xA, 0xB
_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM = 0x0, 0x1, 0x2
_MOST_USAGES = 256


@dataclass(frozen=True, slots=True)
class Field:
    """One usage in the input reports: `bit` from the start of the report as it is read, report id included.

    `size` is bits an element, `count` elements; `report_id` is 0 where reports are not numbered.
    """

    page: int
    usage: int
    report_id: int
    bit: int
    size: int
    count: int

    @property
    def byte(self) -> int:
        """The first byte."""
        return self.bit // 8


@dataclass(slots=True)
class _Globals:
    page: int = 0
    size: int = 0
    count: int = 0
    report_id: int = 0


def input_fields(descriptor: bytes) -> list[Field]:
    """Return the usages of all input reports. Stops at what makes no sense; never raises."""
    fields: list[Field] = []
    state, saved = _Globals(), list[_Globals]()
    usages: list[tuple[int, int]] = []
    least = 0
    used: dict[int, int] = {}
    for kind, tag, value, length in _items(descriptor[:MAX_DESCRIPTOR_BYTES]):
        if kind == _GLOBAL:
            _set_global(state, saved, tag, value)
            if tag == _POP and saved:
                state = saved.pop()
        elif kind == _LOCAL:
            # A usage of four bytes carries its own page (6.2.2.8).
            usage = (value >> 16, value & 0xFFFF) if length == 4 else (state.page, value)
            if tag == _USAGE:
                usages.append(usage)
            elif tag == _USAGE_MINIMUM:
                least = usage[1]
            elif tag == _USAGE_MAXIMUM:
                usages += [(usage[0], each) for each in range(least, min(usage[1], least + _MOST_USAGES) + 1)]
        elif kind == _MAIN:
            if tag == _INPUT:
                at = used.get(state.report_id, 8 if state.report_id else 0)
                if at + state.size * state.count > _MAX_REPORT_BITS:
                    break
                fields += _fields(usages, state, at)
                used[state.report_id] = at + state.size * state.count
            usages, least = [], 0
    return fields


def find(fields: list[Field], page: int, usage: int) -> Field | None:
    """Return the first field with that usage, or None."""
    return next((field for field in fields if (field.page, field.usage) == (page, usage)), None)


def _set_global(state: _Globals, saved: list[_Globals], tag: int, value: int) -> None:
    if tag == _USAGE_PAGE:
        state.page = value
    elif tag == _REPORT_SIZE:
        state.size = value
    elif tag == _REPORT_ID:
        state.report_id = value
    elif tag == _REPORT_COUNT:
        state.count = value
    elif tag == _PUSH:
        saved.append(replace(state))


def _fields(usages: list[tuple[int, int]], state: _Globals, at: int) -> Iterator[Field]:
    if not usages:
        return
    if len(usages) == 1 or state.count < len(usages):
        # One usage for an array of bytes: a buffer.
        yield Field(*usages[0], state.report_id, at, state.size, state.count)
        return
    for place in range(state.count):
        # The last usage counts for all that follow (6.2.2.8).
        page, usage = usages[min(place, len(usages) - 1)]
        yield Field(page, usage, state.report_id, at + place * state.size, state.size, 1)


def _items(descriptor: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, tag, value, length in bytes) of each short item."""
    at = 0
    while at < len(descriptor):
        head = descriptor[at]
        if head == _LONG_ITEM:
            at += 3 + (descriptor[at + 1] if at + 1 < len(descriptor) else 0)
            continue
        length = (0, 1, 2, 4)[head & 0x03]
        data = descriptor[at + 1 : at + 1 + length]
        yield (head >> 2) & 0x03, head >> 4, int.from_bytes(data, "little"), length
        at += 1 + length
