"""Batches: the same bytes on a retry, sized by the line, and one bad entry that does not hold up the rest."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator

import pytest
import zstandard

from sync.errors import Rejected, ServerFault, Unreachable
from sync.journal import Journal
from sync.sender import FIRST_BATCH, PARKED_IN_A_ROW, TRIES_ALONE, TRIES_AS_IS, Sender
from sync.store import Store
from sync.terminal import load_terminal, wall_ms
from sync.transport import Transport
from sync.wire import MAX_POLL_S, POLL_S, Batch, BatchAnswer, Outcome, Problem, Result, StreamAnswer
from tests.sync.build import draft
from tests.sync.wires import Asked, Scripted, http, judging, scripted

FAILS = "fails"
BUSY = "busy"
CUT = b""


def fault(status: str, code: str, **headers: str) -> bytes:
    problem = Problem(title="x", status=int(status[:3]), detail="d", code=code)
    return http(status, problem.encode(), kind="application/problem+json", Spaarpunt_Protocol="1", **headers)


BROKEN = fault("500 X", "internal")
AWAY = fault("503 X", "unavailable")


def taken(to: int, outcome: Outcome = Outcome.BOOKED, next_poll_s: int = POLL_S) -> bytes:
    result = Result(seq=to, outcome=outcome, code="server_fault" if outcome is Outcome.PARKED else None)
    answer = BatchAnswer(
        durable_to=to,
        applied_to=to,
        results=(result,),
        balances=(),
        next_poll_s=next_poll_s,
        server_time_ms=wall_ms(),
    )
    return http("200 OK", answer.encode(), Spaarpunt_Protocol="1")


def bodies(office: Scripted) -> list[tuple[str, int, int]]:
    """Path and first and last entry of each request."""
    found = []
    for asked in office.asked:
        if asked_else(asked):
            found.append((asked.path, 0, 0))
            continue
        batch = batch_of(asked)
        found.append((asked.path, batch.from_seq, batch.to_seq))
    return found


def batch_of(asked: Asked) -> Batch:
    return Batch.decode(zstandard.ZstdDecompressor().decompressobj().decompress(asked.body))


class Line:
    """A sender on a scripted head office."""

    def __init__(self, store: Store, journal: Journal, office: Scripted) -> None:
        terminal = load_terminal(store)
        self.transport = Transport(office.url, terminal.private_key, terminal.terminal, timeout_s=5)
        self.sender = Sender(store, terminal, self.transport, journal, wall_ms)

    def fails(self, kind: type[Exception], times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(kind):
                self.sender.send_next()


@pytest.fixture
def lines() -> Iterator[list[Transport]]:
    opened: list[Transport] = []
    yield opened
    for transport in opened:
        transport.close()


def line(lines: list[Transport], store: Store, journal: Journal, office: Scripted) -> Line:
    made = Line(store, journal, office)
    lines.append(made.transport)
    return made


def sell(journal: Journal, count: int) -> None:
    journal.append_all([draft() for _ in range(count)])


def test_a_retry_sends_the_same_bytes_though_more_was_sold(
    store: Store, journal: Journal, lines: list[Transport]
) -> None:
    sell(journal, 3)
    with scripted(CUT, AWAY, taken(3), taken(4)) as office:
        till = line(lines, store, journal, office)
        till.fails(Unreachable)
        sell(journal, 1)
        till.fails(ServerFault)
        assert till.sender.send_next() is not None
        first, second, third = (asked.body for asked in office.asked[:3])
        assert first == second == third
        assert till.sender.send_next() is not None
        assert bodies(office)[-1] == ("/v1/entries", 4, 4)
        assert till.sender.send_next() is None


def test_a_line_that_keeps_failing_gets_smaller_batches(store: Store, journal: Journal, lines: list[Transport]) -> None:
    sell(journal, 8)
    with scripted(*[CUT] * (2 * TRIES_AS_IS + 1)) as office:
        till = line(lines, store, journal, office)
        till.fails(Unreachable, 2 * TRIES_AS_IS + 1)
        assert [last for _, _, last in bodies(office)] == [8] * TRIES_AS_IS + [4] * TRIES_AS_IS + [2]


def test_a_quick_line_gets_larger_batches(store: Store, journal: Journal, lines: list[Transport]) -> None:
    sell(journal, FIRST_BATCH * 3 + 10)
    with scripted(taken(FIRST_BATCH), taken(FIRST_BATCH * 3), taken(FIRST_BATCH * 3 + 10)) as office:
        till = line(lines, store, journal, office)
        sent = [till.sender.send_next() for _ in range(3)]
        assert [one.entries for one in sent if one] == [FIRST_BATCH, 2 * FIRST_BATCH, 10]


@pytest.mark.parametrize(("said", "waits"), [(90, 90), (0, 1), (-5, 1), (10**9, MAX_POLL_S)])
def test_head_office_says_how_long_an_idle_till_waits(
    store: Store, journal: Journal, lines: list[Transport], said: int, waits: int
) -> None:
    sell(journal, 1)
    with scripted(taken(1, next_poll_s=said)) as office:
        till = line(lines, store, journal, office)
        assert till.sender.poll_s == POLL_S
        till.sender.send_next()
        assert till.sender.poll_s == waits


@pytest.mark.parametrize(("status", "code"), [("413 X", "too_large"), ("408 X", "slow")])
def test_a_batch_that_is_too_much_is_halved_at_once(
    store: Store, journal: Journal, lines: list[Transport], status: str, code: str
) -> None:
    sell(journal, 4)
    refusal = fault(status, code)
    with scripted(refusal, refusal, refusal) as office:
        till = line(lines, store, journal, office)
        assert till.sender.send_next() == till.sender.send_next()
        till.fails(Rejected)  # a single entry cannot be made smaller
        assert [last for _, _, last in bodies(office)] == [4, 2, 1]


def test_the_one_entry_that_head_office_fails_on_is_handed_over_alone(
    store: Store, journal: Journal, lines: list[Transport]
) -> None:
    """Of eight entries the sixth breaks head office."""
    sell(journal, 8)
    first, second = (BROKEN, BROKEN, taken(4)), (BROKEN, BROKEN, taken(5))
    with scripted(*first, *second, BROKEN, BROKEN, taken(6, Outcome.PARKED), taken(8)) as office:
        till = line(lines, store, journal, office)
        parked = 0
        while journal.head().queued:
            try:
                sent = till.sender.send_next()
                parked += sent.parked if sent else 0
            except ServerFault:
                assert len(office.asked) in {
                    1,
                    7,
                }  # the first failure of a batch may be a passing one
        assert parked == 1
        assert ("/v1/parked", 6, 6) in bodies(office)
        assert bodies(office)[-1][1:] == (7, 8)


def drain(till: Line, journal: Journal) -> None:
    """Send everything, however often it fails."""
    while journal.head().queued:
        with contextlib.suppress(ServerFault, Unreachable):
            till.sender.send_next()


@pytest.mark.parametrize("faults", [3, 10, 30])
def test_after_an_outage_batches_are_as_large_again_as_before(
    store: Store, journal: Journal, lines: list[Transport], faults: int
) -> None:
    sell(journal, 4 * FIRST_BATCH)
    with scripted(*[BROKEN] * faults, *[taken(4 * FIRST_BATCH)] * (4 * FIRST_BATCH)) as office:
        till = line(lines, store, journal, office)
        drain(till, journal)
        assert len(office.asked) - faults <= 6


@pytest.mark.parametrize("poisoned", [1, 2, 77, FIRST_BATCH, FIRST_BATCH + 1, 3 * FIRST_BATCH])
def test_one_poisoned_entry_is_found_in_a_few_requests_and_the_rest_goes_in_large_batches(
    store: Store, journal: Journal, lines: list[Transport], poisoned: int
) -> None:
    def judge(asked: Asked) -> bytes:
        batch = batch_of(asked)
        if asked.path == "/v1/parked":
            return taken(batch.to_seq, Outcome.PARKED)
        return BROKEN if batch.from_seq <= poisoned <= batch.to_seq else taken(batch.to_seq)

    sell(journal, 4 * FIRST_BATCH)
    with judging(judge) as office:
        till = line(lines, store, journal, office)
        drain(till, journal)
        sent = bodies(office)
        assert [one for one in sent if one[0] == "/v1/parked"] == [("/v1/parked", poisoned, poisoned)]
        found = sent.index(("/v1/parked", poisoned, poisoned))
        assert found <= 3 + 3 * math.log2(2 * FIRST_BATCH)
        assert len(sent) - found - 1 <= 5


def test_a_head_office_that_fails_on_everything_is_not_filled_with_parked_entries(
    store: Store, journal: Journal, lines: list[Transport]
) -> None:
    sell(journal, PARKED_IN_A_ROW + 2)
    answers: list[bytes] = []
    for number in range(1, PARKED_IN_A_ROW + 1):
        answers += [BROKEN, BROKEN, taken(number, Outcome.PARKED)]
    with scripted(*answers, *[BROKEN] * 4) as office:
        till = line(lines, store, journal, office)
        till.sender._size = 1
        faults = 0
        while office.answers:
            try:
                till.sender.send_next()
            except ServerFault:
                faults += 1
        assert [path for path, _, _ in bodies(office)].count("/v1/parked") == PARKED_IN_A_ROW
        assert journal.head().acked_seq == PARKED_IN_A_ROW
        assert faults == PARKED_IN_A_ROW + 4


SILENT = {
    "cut": CUT,
    "502": http("502 Bad Gateway", b""),
    "503": http("503 Service Unavailable", b"", kind="text/html"),
    "504": http("504 Gateway Timeout", b""),
}
"""What an entry that kills or stops its worker looks like from here, and a head office that restarts too."""
silences = pytest.mark.parametrize("silence", SILENT.values(), ids=SILENT)

STANDS = StreamAnswer(terminal="t-1", epoch=1, durable_to=0, head_digest="00" * 32, server_time_ms=0)
WELL = http("200 OK", STANDS.encode(), Spaarpunt_Protocol="1")


def asked_else(asked: Asked) -> bool:
    return asked.path == "/v1/stream"


@silences
def test_an_entry_that_head_office_falls_silent_on_is_handed_over_alone(
    store: Store, journal: Journal, lines: list[Transport], silence: bytes
) -> None:
    poisoned = 77

    def judge(asked: Asked) -> bytes:
        if asked_else(asked):
            return WELL
        batch = batch_of(asked)
        if asked.path == "/v1/parked":
            return taken(batch.to_seq, Outcome.PARKED)
        return silence if batch.from_seq <= poisoned <= batch.to_seq else taken(batch.to_seq)

    sell(journal, 4 * FIRST_BATCH)
    with judging(judge) as office:
        till = line(lines, store, journal, office)
        drain(till, journal)
        sent = [one for one in bodies(office) if one[0] != "/v1/stream"]
        assert [one for one in sent if one[0] == "/v1/parked"] == [("/v1/parked", poisoned, poisoned)]
        assert sent.count(("/v1/entries", poisoned, poisoned)) == TRIES_ALONE
        assert sent.index(("/v1/parked", poisoned, poisoned)) < 100
        assert len(sent) - sent.index(("/v1/parked", poisoned, poisoned)) < 15


@silences
@pytest.mark.parametrize("requests", range(1, 13))
def test_an_outage_that_ends_between_any_two_requests_parks_nothing(
    store: Store, journal: Journal, lines: list[Transport], silence: bytes, requests: int
) -> None:
    def judge(asked: Asked) -> bytes:
        if len(office.asked) <= requests:
            return silence
        return WELL if asked_else(asked) else taken(batch_of(asked).to_seq)

    sell(journal, 1)
    with judging(judge) as office:
        till = line(lines, store, journal, office)
        drain(till, journal)
        assert {path for path, _, _ in bodies(office)} <= {"/v1/entries", "/v1/stream"}


def test_a_head_office_that_is_behind_a_silent_proxy_gets_the_same_batch_on_and_on(
    store: Store, journal: Journal, lines: list[Transport]
) -> None:
    sell(journal, 8)
    with judging(lambda _: SILENT["502"]) as office:
        till = line(lines, store, journal, office)
        till.fails(ServerFault, 4 * TRIES_ALONE)
        sent = bodies(office)
        assert {one for one in sent if one[0] != "/v1/stream"} == {("/v1/entries", 1, 8)}
        assert len(sent) <= 4 * TRIES_ALONE * (1 + 1 / TRIES_AS_IS)


def test_a_till_that_finds_no_line_makes_no_smaller_batches(
    store: Store, journal: Journal, lines: list[Transport]
) -> None:
    sell(journal, 8)
    with scripted() as office:
        till = line(lines, store, journal, office)
    till.fails(Unreachable, 4 * TRIES_AS_IS)
    with scripted(taken(8), port=office.port) as back:
        assert till.sender.send_next() is not None
        assert bodies(back) == [("/v1/entries", 1, 8)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_busy_head_office_is_never_suspected(
    store: Store, journal: Journal, lines: list[Transport], count: int
) -> None:
    """It says so itself, while it has time for small questions."""
    busy = itertools.cycle([fault("503 X", "unavailable", Retry_After="0"), fault("429 X", "busy")])
    sell(journal, count)
    with judging(lambda asked: WELL if asked_else(asked) else next(busy)) as office:
        till = line(lines, store, journal, office)
        till.fails(ServerFault, 4 * TRIES_ALONE)
        assert set(bodies(office)) == {("/v1/entries", 1, count)}
