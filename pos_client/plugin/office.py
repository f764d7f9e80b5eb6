"""The calls about the till itself: how it is doing, and an exchange with head office now."""

from __future__ import annotations

from fastapi import APIRouter

from pos_client.plugin.answers import status_answer
from pos_client.plugin.call import Call
from pos_client.plugin.messages_till import StatusAnswer, SyncAnswer, SyncNow
from pos_client.plugin.once import Claimed, Once
from pos_client.plugin.sales import Running

status_router = APIRouter(prefix="/v1", tags=["till"], route_class=Call)
router = APIRouter(prefix="/v1", tags=["till"], route_class=Once)


@status_router.get("/status")
def status(runtime: Running) -> StatusAnswer:
    """Say how the till is doing: head office, queue, devices, the last proven day."""
    return status_answer(runtime)


@router.post("/sync")
def sync(runtime: Running, claim: Claimed, body: SyncNow | None = None) -> SyncAnswer:
    """Send everything queued and fetch every change now; with `nightly`, compare each open day as well."""
    if body is not None and body.nightly:
        return SyncAnswer.of_night(runtime.agent.nightly())
    return SyncAnswer.of_round(runtime.agent.run_once())
