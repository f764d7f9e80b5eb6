"""The call that prints a receipt again."""

from __future__ import annotations

from concurrent.futures import CancelledError

from fastapi import APIRouter

from drivers.errors import PrinterNotReady
from pos_client.plugin.looking import receipt_of
from pos_client.plugin.messages import PrintedAnswer, SessionId
from pos_client.plugin.once import Claimed, Once
from pos_client.plugin.sales import Running
from pos_client.reckoning import TillError

router = APIRouter(prefix="/v1/receipts", tags=["receipt"], route_class=Once)


@router.post("/{receipt}/print")
def print_receipt(runtime: Running, claim: Claimed, receipt: SessionId) -> PrintedAnswer:
    """Print a receipt of this till, by the number on it or its entry's id. Answers when it is on paper."""
    entry = receipt_of(runtime, receipt)
    try:
        is_copy = runtime.printing.print(entry).result()
    except PrinterNotReady as error:
        raise TillError("printer_not_ready", str(error)) from error
    except CancelledError:
        raise TillError("printer_not_ready", "the till is stopping: print the receipt when it runs again") from None
    return PrintedAnswer(receipt=entry.session, entry=entry.id, kind=entry.kind, is_copy=is_copy)
