"""The events of `stream` over a WebSocket, for pages: the same events, as JSON messages (RFC 6455)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, cast

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from pos_client.plugin.gate import SUBPROTOCOL, caller_of, expect_scope
from pos_client.plugin.problems import respond
from pos_client.plugin.stream import EVENTS_MISSED, TOO_MANY, Hub, Listener, TooManyListeners
from pos_client.reckoning import TillError
from pos_client.tokens import Scope

_GOING_AWAY, _NOT_TAKEN = 1001, 1003
router = APIRouter()


@router.websocket("/v1/events")
async def events(
    websocket: WebSocket, last_event_id: Annotated[str | None, Query(max_length=64, alias="last-event-id")] = None
) -> None:
    """Send what happens at the till, each event as `{"id", "event", "data"}`; takes no messages.

    A page sends its token as a subprotocol beside `spaarpunt`: `bearer.TOKEN`. Only `spaarpunt` is sent back.
    """
    hub = cast(Hub, websocket.app.state.hub)
    caller = caller_of(websocket.scope)
    try:
        expect_scope(caller, Scope.READ)
        listener = hub.join(asyncio.get_running_loop(), last_event_id, caller.id)
    except TillError as error:
        await websocket.send_denial_response(respond(error.code, str(error)))
        return
    except TooManyListeners:
        await websocket.send_denial_response(respond("too_many_listeners", TOO_MANY))
        return
    gone: asyncio.Task[None] | None = None
    try:
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
        gone = asyncio.create_task(_until_gone(websocket, listener))
        async for event in listener.events():
            told = {"event": EVENTS_MISSED, "data": {}} if event is None else {"event": event.kind, "data": event.data}
            await websocket.send_json({"id": hub.id_of(event) if event else "", **told})
        with contextlib.suppress(RuntimeError):  # it was closed by what came from the other side
            await websocket.close(_GOING_AWAY)
    except WebSocketDisconnect:
        return  # while an event was being sent: nobody is there to hear of it
    finally:
        if gone is not None:
            gone.cancel()
        hub.leave(listener)


async def _until_gone(websocket: WebSocket, listener: Listener) -> None:
    """End `listener` when the other side leaves, or says something: nothing is taken here."""
    message = await websocket.receive()
    if message["type"] == "websocket.receive":
        await websocket.close(_NOT_TAKEN)
    listener.end()
