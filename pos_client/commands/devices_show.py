"""Events of devices for a person or a program, with card numbers masked."""

from __future__ import annotations

import json
from typing import Any

import click

from drivers.events import DataEvent, ErrorEvent, Event, PaymentCardRefused, StatusUpdateEvent
from drivers.masking import mask
from pos_client.commands.common import console

__all__ = ["Shower", "event_to_json"]


def event_to_json(event: Event) -> dict[str, Any]:
    """One JSON-ready object; at most the last four characters of what was read."""
    match event:
        case DataEvent():
            found: dict[str, Any] = {
                "kind": "data",
                "how": event.kind,
                "symbology": str(event.scan_data_type),
                "aim": event.aim,
                "scan_data_label": mask(event.scan_data_label),
                "characters": len(event.scan_data_label),
            }
        case PaymentCardRefused():
            found = {"kind": "payment_card_refused", "text": event.text}
        case ErrorEvent():
            found = {"kind": "error", "code": event.code, "text": event.text}
        case StatusUpdateEvent():
            found = {"kind": "status", "status": event.status, "text": event.text}
    return {"device": event.device, **found}


class Shower:
    """A sink that prints each event, as a line of text or of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __call__(self, event: Event) -> None:
        if self._as_json:
            click.echo(json.dumps(event_to_json(event), ensure_ascii=False))
        else:
            console.print(_text(event), markup=False, highlight=False, soft_wrap=True)


def _text(event: Event) -> str:
    match event:
        case DataEvent():
            aim = f" {event.aim}" if event.aim else ""
            what = f"{event.kind} {event.scan_data_type}{aim} {mask(event.scan_data_label)}"
            return f"✓ {event.device}: {what} ({len(event.scan_data_label)} characters)"
        case StatusUpdateEvent():
            return f"{'·' if event.status == 'online' else '✗'} {event.device}: {event.status}, {event.text}"
        case ErrorEvent() | PaymentCardRefused():
            return f"✗ {event.device}: {event.text}"
