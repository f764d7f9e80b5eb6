"""The event stream over real HTTP: order, coming back, heartbeats, listeners that do not keep up."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from pos_client.events import KEPT_EVENTS, EventBus, EventKind
from pos_client.plugin.api import create_api
from pos_client.plugin.client import EventStream, PluginProblem, TillClient
from pos_client.plugin.messages_till import EventAnswer
from pos_client.plugin.stream import EVENTS_MISSED, MAX_LISTENERS, QUEUED_EVENTS, Hub, Listener
from pos_client.runtime import Runtime
from tests.pos_client.plugin.conftest import TOKEN, serving
from tests.support.entries import basket
from tests.support.till import SANNE

WAIT_S = 10


class Following:
    """Reads a stream on a thread of its own, into a queue; None marks its end."""

    def __init__(self, stream: EventStream) -> None:
        self.stream = stream
        self.events: queue.Queue[EventAnswer | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self.stream:
            self.events.put(event)
        self.events.put(None)

    def next(self) -> EventAnswer | None:
        return self.events.get(timeout=WAIT_S)

    def take(self, count: int) -> list[EventAnswer]:
        taken = [self.next() for _ in range(count)]
        return [event for event in taken if event is not None]


@pytest.fixture
def following(till: TillClient) -> Iterator[Following]:
    with till.events() as stream:
        yield Following(stream)


def test_a_sale_is_told_in_order(till: TillClient, following: Following, runtime: Runtime) -> None:
    runtime.till.present_card(SANNE.card, "EAN-13")
    till.open_session("bon-1")
    till.set_basket("bon-1", basket(1000), 0)
    till.commit("bon-1")
    till.void("bon-1")
    events = following.take(5)
    assert [event.event for event in events] == [
        "card_presented",
        "session_changed",
        "session_changed",
        "sale_booked",
        "sale_voided",
    ]
    assert events[0].data == {"session": None, "known": True, "balance": 1284}
    assert events[3].data == {"session": "bon-1", "points": 15, "balance": 1299}
    assert SANNE.card not in str(events)
    numbers = [int(event.id.partition("-")[2]) for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_a_listener_that_comes_back_gets_what_it_missed(till: TillClient, runtime: Runtime) -> None:
    with till.events() as stream:
        following = Following(stream)
        runtime.bus.publish(EventKind.SYNC_STATE, {"n": 1})
        first = following.next()
        assert first is not None
    for n in (2, 3):
        runtime.bus.publish(EventKind.SYNC_STATE, {"n": n})
    with till.events(first.id) as stream:
        following = Following(stream)
        runtime.bus.publish(EventKind.SYNC_STATE, {"n": 4})
        assert [event.data for event in following.take(3)] == [{"n": 2}, {"n": 3}, {"n": 4}]
        assert stream.last_id is not None


def test_too_long_away_is_told_before_what_is_left(till: TillClient, runtime: Runtime) -> None:
    with till.events() as stream:
        following = Following(stream)
        runtime.bus.publish(EventKind.SYNC_STATE, {"n": 0})
        first = following.next()
        assert first is not None
    for n in range(1, KEPT_EVENTS + 2):  # one more than are kept
        runtime.bus.publish(EventKind.SYNC_STATE, {"n": n})
    with till.events(first.id) as stream:
        missed, *rest = Following(stream).take(1 + KEPT_EVENTS)
        assert missed.event == EVENTS_MISSED
        assert [event.data["n"] for event in rest] == list(range(2, KEPT_EVENTS + 2))


def test_an_id_of_another_run_is_no_number_of_this_one(till: TillClient, runtime: Runtime) -> None:
    runtime.bus.publish(EventKind.SYNC_STATE, {"n": 1})
    for strange in ("0badcafe-900", "900", "…"):
        with till.events(strange.encode("ascii", "replace").decode()) as stream:
            missed, first = Following(stream).take(2)
            assert (missed.event, first.data) == (EVENTS_MISSED, {"n": 1})


def test_an_idle_stream_is_kept_alive_by_comments() -> None:
    # FastAPI sends the comment by itself; what would break a client is a pause longer than the client waits.
    from fastapi import sse

    from pos_client.plugin.client_wire import SILENCE_S

    assert sse.KEEPALIVE_COMMENT.startswith(b":")
    assert sse._PING_INTERVAL * 3 <= SILENCE_S


def test_closing_wakes_the_thread_that_reads(following: Following) -> None:
    following.stream.close()
    assert following.next() is None


def test_places_are_limited_and_free_again(till: TillClient) -> None:
    streams = [till.events() for _ in range(MAX_LISTENERS)]
    with pytest.raises(PluginProblem) as caught:
        till.events()
    assert (caught.value.code, caught.value.status) == ("too_many_listeners", 429)
    for stream in streams:
        stream.close()
    free = threading.Event()
    for _ in range(100):  # the server sees the closed connections when its event loop comes to them
        try:
            till.events().close()
        except PluginProblem:
            free.wait(0.05)
        else:
            break
    else:
        pytest.fail("no place became free")


def test_a_stream_ends_when_the_till_stops(runtime: Runtime) -> None:
    with serving(create_api(runtime, TOKEN)) as address:
        client = TillClient(address, TOKEN)
        following = Following(client.events())
    assert following.next() is None
    client.close()


def test_a_listener_that_does_not_read_is_dropped_and_holds_nobody_up(
    address: str, till: TillClient, following: Following, runtime: Runtime
) -> None:
    url = urlsplit(address)
    assert url.hostname is not None
    with socket.socket() as deaf:
        deaf.settimeout(WAIT_S)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        deaf.connect((url.hostname, url.port or 0))
        deaf.sendall(f"GET /v1/events HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        assert b"200 OK" in deaf.recv(1024)
        # 2 MB each time, 24 MB in all: past every socket buffer, so that the deaf listener's queue fills.
        text = "x" * 8192
        for _ in range(12):
            for _ in range(QUEUED_EVENTS // 2):
                runtime.bus.publish(EventKind.LABEL_SCANNED, {"text": text})
            assert len(following.take(QUEUED_EVENTS // 2)) == QUEUED_EVENTS // 2
        received = b""
        while chunk := deaf.recv(1 << 20):
            received += chunk
            if b"\r\n0\r\n\r\n" in received[-16:]:
                break
        # It was cut off after what the buffers held; each event that came is whole.
        assert received.endswith(b"0\r\n\r\n")
        assert received.count(b"event: label_scanned") < 6 * QUEUED_EVENTS
    assert till.status().till == "kassa 2"


def test_a_queue_that_is_full_ends_the_listener() -> None:
    async def scenario() -> None:
        bus = EventBus()
        hub = Hub(bus)
        listener = hub.join(asyncio.get_running_loop(), None)
        for n in range(QUEUED_EVENTS + 1):
            bus.publish(EventKind.SYNC_STATE, {"n": n})
        assert [event async for event in listener.events()] == []
        assert listener.dropped
        others = [hub.join(asyncio.get_running_loop(), None) for _ in range(MAX_LISTENERS)]
        assert not any(other.dropped for other in others)

    asyncio.run(scenario())


def test_a_stopped_server_does_not_stop_a_sale() -> None:
    loop = asyncio.new_event_loop()
    listener = Listener(loop, None, False)
    bus = EventBus()
    bus.listen(listener.offer)
    loop.close()
    bus.publish(EventKind.SALE_BOOKED, {})
    assert listener.dropped
