"""The calls that look something up: a member's balance, a receipt in its forms."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response

from drivers.printing.escpos_job import compose
from loyalty.credentials import is_credential
from loyalty.errors import CardFormatError
from loyalty.ledger import Entry
from pos_client.office.lookup import Lookup
from pos_client.office.story import is_confirmed
from pos_client.plugin.answers import balance_answer, offline_answer
from pos_client.plugin.call import Call
from pos_client.plugin.messages import BalanceAnswer, ReceiptAnswer, SessionId
from pos_client.plugin.sales import Running
from pos_client.plugin.standing import CONFIRMED
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.forms import as_png, as_text
from pos_client.receipts.layout import Columns, lay_out
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime

router = APIRouter(prefix="/v1", tags=["look-up"], route_class=Call)

Form = Literal["json", "text", "escpos", "png"]
_TYPES: dict[Form, str] = {
    "json": "application/json",
    "text": "text/plain",
    "escpos": "application/vnd.escpos",
    "png": "image/png",
}


@router.get("/members/{card}/balance")
def balance(
    runtime: Running, card: Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9]+$")]
) -> BalanceAnswer:
    """Say what the holder of a card has, by its number. A phone's code is for a sale: looking would use it up."""
    if is_credential(card):
        raise CardFormatError("expected a card number, got a phone's code")
    return balance_answer(runtime, runtime.till.reckoning.look_up(card).holder)


@router.get(
    "/receipts/{receipt}",
    response_model=ReceiptAnswer,
    responses={
        200: {
            "content": {kind: {} for form, kind in _TYPES.items() if form != "json"},
            "headers": {
                CONFIRMED: {
                    "description": "Whether head office has the entry of this receipt.",
                    "required": True,
                    "schema": {"type": "string", "enum": ["true", "false"]},
                }
            },
        }
    },
)
def receipt(
    runtime: Running,
    request: Request,
    response: Response,
    receipt: SessionId,
    form: Annotated[Form | None, Query()] = None,
) -> ReceiptAnswer | Response:
    """Give a receipt of this till again, by the number on it or its entry's id, marked as a copy.

    As JSON with its text, as plain text, as what a printer takes (ESC/POS) or as a picture of that: by `form`, or by
    the Accept header when there is none.
    """
    entry = receipt_of(runtime, receipt)
    printer = runtime.config.printer
    columns: Columns = printer.columns if printer else 42
    written = ReceiptDesk(runtime.store, runtime.terminal, runtime.config).receipt(entry, copy=True)
    parts = lay_out(written, runtime.config.till.language, columns)
    confirmed = is_confirmed(runtime.store, entry)
    wanted = form or _accepted(request.headers.get("accept", ""))
    headers = {CONFIRMED: str(confirmed).lower()}
    if wanted == "text":
        return PlainTextResponse(as_text(parts, columns), headers=headers)
    if wanted == "escpos":
        profile = printer.profile if printer else "default"
        return Response(compose(parts, profile), headers=headers, media_type=_TYPES[wanted])
    if wanted == "png":
        return Response(as_png(parts, columns), headers=headers, media_type=_TYPES[wanted])
    response.headers.update(headers)
    return ReceiptAnswer(
        receipt=entry.session,
        entry=entry.id,
        kind=entry.kind.value,
        text=as_text(parts, columns),
        confirmed=confirmed,
        offline=offline_answer(runtime, runtime.mirror.find(entry.card)),
    )


def receipt_of(runtime: Runtime, receipt: str) -> Entry:
    """The entry of a receipt of this till.

    Raises:
        TillError: `unknown_receipt`.
    """
    lookup = Lookup(runtime.store, runtime.terminal.card_key, runtime.config.card_formats)
    if (entry := lookup.receipt(receipt)) is None:
        raise TillError("unknown_receipt", "this till has no such receipt: ask where the goods were bought")
    return entry


def _accepted(accept: str) -> Form:
    """The first form that the caller would take, in the order of the header; JSON when it does not care."""
    kinds = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return next((form for kind in kinds for form, its in _TYPES.items() if its == kind), "json")
