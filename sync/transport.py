"""HTTP to head office: signed, compressed, each failure turned into what the agent should do about it."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import io
import ssl
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sync.errors import Blame, OtherVersion, Rejected, ServerFault, TransportError, Unreachable
from sync.signing import ENROL_KEY_ID, SignedMessage, sign
from sync.terminal import wall_ms
from sync.wire import (
    PROTOCOL,
    PROTOCOL_HEADER,
    Batch,
    BatchAnswer,
    DayProof,
    EnrolAnswer,
    EnrolRequest,
    EpochAnswer,
    EpochRequest,
    Hello,
    Message,
    Problem,
    Record,
    StreamAnswer,
    WireError,
    key_text,
)
from sync.wire_bodies import MAX_WINDOW_BYTES, compress
from sync.wire_mirror import MAX_PART_BYTES, ChangesPage, SnapshotPart
from sync.wire_spending import ClosedLeases, Exposure, HoldAnswer, HoldRequest, LeasesClosed

M = TypeVar("M", bound=Message | Record)
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""No answer of head office comes near this; more is not head office."""
MAX_RETRY_AFTER_S = 3600
"""Longest wait a `Retry-After` may ask for: a wrong header must not silence a till for a day."""


@functools.cache
def software() -> str:
    """This software's name and version, as told to the other side. Read once: it takes longer than a connection."""
    return f"spaarpunt/{importlib.metadata.version('spaarpunt')}"


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom TLS trusts. Made once in a process: reading the authorities takes longer than a till's whole store does."""
    return httpx.create_ssl_context()


class _Signature(httpx.Auth):
    requires_request_body = True

    def __init__(self, key: Ed25519PrivateKey, key_id: str, now: Callable[[], datetime]) -> None:
        self._key = key
        self._key_id = key_id
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        headers = dict(request.headers)
        message = SignedMessage(request.method, str(request.url), headers)
        sign(message, request.content, self._key, self._key_id, self._now())
        for name in ("Content-Digest", "Signature-Input", "Signature"):
            request.headers[name] = headers[name]
        yield request


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back, read to its end."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status <= 299


class Transport:
    """One till's connection to head office. One request at a time; thread-safe.

    Every call raises `Unreachable`, `ServerFault`, `Rejected` or `OtherVersion` when it has no answer to give.

    Args:
        now_ms: this till's clock, Unix milliseconds UTC.
        wire: what carries the requests; None for real sockets. A simulation brings a wire of its own.
    """

    def __init__(
        self,
        url: str,
        key: Ed25519PrivateKey,
        key_id: str = ENROL_KEY_ID,
        *,
        timeout_s: float,
        clock_offset_ms: int = 0,
        now_ms: Callable[[], int] = wall_ms,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._offset_ms = clock_offset_ms
        self._key_id = key_id
        self._now_ms = now_ms
        self._client = httpx.Client(
            base_url=self._url,
            timeout=timeout_s,
            transport=wire,
            verify=_trusted(),
            auth=_Signature(key, key_id, self._head_office_time),
            headers={PROTOCOL_HEADER: str(PROTOCOL), "User-Agent": software()},
        )

    def _head_office_time(self) -> datetime:
        return datetime.fromtimestamp((self._now_ms() + self._offset_ms) / 1000, UTC)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def hello(self) -> Hello:
        """Who answers there."""
        return self._call(Hello, "GET", "/v1/hello")

    def enrol(self, code: str, name: str, key: Ed25519PrivateKey, before: tuple[str, int] | None = None) -> EnrolAnswer:
        """Spend a one-time code; repeating it with the same key gives the same answer again.

        Args:
            before: terminal and last epoch of a till that was enrolled and whose key counts no more.
        """
        terminal, epoch = before or (None, None)
        public = key_text(key.public_key().public_bytes_raw())
        body = EnrolRequest(
            code=code, name=name, public_key=public, software=software(), terminal=terminal, epoch=epoch
        )
        return self._call(EnrolAnswer, "POST", "/v1/terminals", body)

    def send(self, batch: Batch) -> BatchAnswer:
        """Hand over a batch; the same batch may be sent any number of times."""
        return self._call(BatchAnswer, "POST", "/v1/entries", batch)

    def park(self, batch: Batch) -> BatchAnswer:
        """Hand over a batch of one entry that head office fails on, to be kept for a person."""
        return self._call(BatchAnswer, "POST", "/v1/parked", batch)

    def stream(self) -> StreamAnswer:
        """How far head office has this terminal's present epoch."""
        return self._call(StreamAnswer, "GET", "/v1/stream")

    def open_epoch(self, epoch: int, fresh: Ed25519PrivateKey) -> EpochAnswer:
        """Close the present epoch and open `epoch` with the key `fresh`; repeating it gives the same answer again."""
        body = EpochRequest(epoch=epoch, public_key=key_text(fresh.public_key().public_bytes_raw()))
        return self._call(EpochAnswer, "POST", "/v1/epochs", body)

    def sign_with(self, key: Ed25519PrivateKey) -> None:
        """Sign with another key of the same terminal from now on."""
        self._client.auth = _Signature(key, self._key_id, self._head_office_time)

    def changes(self, feed: str, cursor: str) -> ChangesPage:
        """What changed at head office since `cursor`."""
        return self._call(ChangesPage, "GET", f"/v1/changes/{feed}", params={"cursor": cursor})

    def proof(self, business_date: date, epoch: int) -> DayProof:
        """Head office's side of the proof of a day in an epoch."""
        return self._call(DayProof, "GET", f"/v1/proofs/{business_date.isoformat()}", params={"epoch": str(epoch)})

    def snapshot(self, place: tuple[str, str, str] | None) -> Generator[SnapshotPart]:
        """The parts of a snapshot as they come. Other calls may be made meanwhile; close it to stop early.

        Args:
            place: cursor, section and key to go on after; None to begin.
        """
        params = None if place is None else dict(zip(("cursor", "section", "after"), place, strict=True))
        headers = {"Accept-Encoding": "zstd"}
        with self._faults():
            for first in (True, False):
                with self._client.stream("GET", "/v1/snapshot", headers=headers, params=params) as response:
                    if response.is_success:
                        self._check_protocol(response.headers)
                        yield from self._parts(response)
                        return
                    answer = _Answer(response.status_code, response.headers, self._read(response))
                self._check(answer)
                if not (first and self._mend_clock(answer)):
                    raise self._refusal(answer)

    def _parts(self, response: httpx.Response) -> Iterator[SnapshotPart]:
        """Each line as a part. Never more of the stream in memory than one of them."""
        kind = response.headers.get("Content-Type", "")
        if kind != _LINES:
            raise OtherVersion(f"head office at {self._url} answered something unexpected ({kind[:40]}): {_UPDATE}")
        body: Any = _Body(response.iter_raw())
        if response.headers.get("Content-Encoding") == "zstd":
            body = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).stream_reader(body)
        lines = io.BufferedReader(body)
        try:
            while line := lines.readline(MAX_PART_BYTES):
                if not line.endswith(b"\n"):
                    raise ServerFault(
                        f"head office at {self._url} sent a broken snapshot; it goes on from its last part"
                    )
                yield self._decode(SnapshotPart, line)
        except zstandard.ZstdError as error:
            raise ServerFault(
                f"head office at {self._url} sent a broken snapshot ({error}); it goes on from its last part"
            ) from error

    def hold(self, request: HoldRequest) -> HoldAnswer:
        """Have points set aside for a sale; the same request may be sent any number of times."""
        return self._call(HoldAnswer, "POST", "/v1/holds", request)

    def free_hold(self, hold: str) -> HoldAnswer:
        """Give held points back."""
        return self._call(HoldAnswer, "DELETE", f"/v1/holds/{hold}")

    def close_leases(self, closed: ClosedLeases) -> LeasesClosed:
        """Say after which entry nothing is spent from some leases any more."""
        return self._call(LeasesClosed, "POST", "/v1/leases/closed", closed)

    def exposure(self) -> Exposure:
        """The worst joint overspend that the policy in force allows."""
        return self._call(Exposure, "GET", "/v1/exposure")

    def _call(
        self,
        answer: type[M],
        method: str,
        path: str,
        body: Message | Record | None = None,
        params: dict[str, str] | None = None,
    ) -> M:
        response = self._request(method, path, body, params)
        if self._mend_clock(response):
            response = self._request(method, path, body, params)
        if response.is_success:
            return self._decode(answer, response.content)
        raise self._refusal(response)

    def _decode(self, answer: type[M], content: bytes) -> M:
        try:
            return answer.decode(content)  # type: ignore[return-value]  # mypy joins what the bound names
        except WireError as error:
            raise OtherVersion(
                f"head office at {self._url} answered something unexpected ({error}): {_UPDATE}"
            ) from error

    def _mend_clock(self, answer: _Answer) -> bool:
        """Whether our clock alone was in the way, off by more than a signature may be old: head office's counts now."""
        problem = _problem(answer)
        if problem is None or problem.code != "clock_skew" or problem.server_time_ms is None:
            return False
        self._offset_ms = problem.server_time_ms - self._now_ms()
        return True

    def _refusal(self, answer: _Answer) -> TransportError:
        problem = _problem(answer)
        if problem is None:
            return OtherVersion(
                f"{self._url} answered {answer.status} and is no Spaarpunt head office "
                f"of protocol {PROTOCOL}: check till.head_office_url"
            )
        return Rejected(problem.code, f"head office refused: {problem.detail}", problem.wanted_seq)

    def _request(self, method: str, path: str, body: Message | Record | None, params: dict[str, str] | None) -> _Answer:
        headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"} if body is not None else {}
        content = compress(body.encode()) if body is not None else b""
        with (
            self._faults(),
            self._client.stream(method, path, content=content, headers=headers, params=params) as response,
        ):
            answer = _Answer(response.status_code, response.headers, self._read(response))
        self._check(answer)
        return answer

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """What goes wrong on the line, as what to do about it."""
        try:
            yield
        except httpx.TransportError as error:
            # Also RemoteProtocolError (the connection was cut in the middle), which is no NetworkError in httpx.
            reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else "no connection"
            raise Unreachable(f"head office at {self._url}: {reason}", _blame_of_line(error)) from error
        except httpx.HTTPError as error:
            raise ServerFault(
                f"head office at {self._url} sent a broken answer ({error}); it is tried again"
            ) from error

    def _check(self, answer: _Answer) -> None:
        # A 400 tells in words which protocol is wanted, and goes on to become `Rejected`.
        self._check_protocol(answer.headers)
        if answer.status >= 500 or answer.status == 429:
            raise ServerFault(
                f"head office at {self._url} is in trouble ({answer.status}); it is tried again",
                _retry_after_s(answer),
                _blame_of_status(answer),
            )

    def _check_protocol(self, headers: httpx.Headers) -> None:
        spoken = headers.get(PROTOCOL_HEADER)
        if spoken is not None and spoken != str(PROTOCOL):
            raise OtherVersion(f"head office at {self._url} speaks protocol {spoken}, this till {PROTOCOL}: {_UPDATE}")

    def _read(self, response: httpx.Response) -> bytes:
        """The whole body, unpacked, as long as it stays within the limit."""
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                raise ServerFault(
                    f"head office at {self._url} sent more than {MAX_ANSWER_BYTES} bytes; it is tried again"
                )
        return bytes(body)


class _Body(io.RawIOBase):
    """A body that is still coming, as a file to read from."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of `buffer`; 0 at the end."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


_PROXIES_SAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
"""Of a head office that gives them no answer. One that is busy says when to come again (`Retry-After`)."""
_LINES = "application/x-ndjson"
_UPDATE = "update whichever of the two is older; entries are kept until then"


def _retry_after_s(response: _Answer) -> int | None:
    """The seconds that `Retry-After` asks for (RFC 9110 10.2.3); None without one, or with a date (clocks differ)."""
    text = response.headers.get("Retry-After", "")
    if not (text.isascii() and text.isdecimal()):
        return None
    # Cut first: int() refuses numbers of thousands of digits.
    return min(int(text[:9]), MAX_RETRY_AFTER_S)


def _blame_of_line(error: httpx.TransportError) -> Blame:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return Blame.NONE
        case httpx.ReadError() | httpx.RemoteProtocolError():
            return Blame.SILENCE
        case _:
            return Blame.SIZE


def _blame_of_status(answer: _Answer) -> Blame:
    if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Blame.SAID
    silent = answer.status in _PROXIES_SAY and "Retry-After" not in answer.headers
    return Blame.SILENCE if silent else Blame.NONE


def _problem(response: _Answer) -> Problem | None:
    if response.is_success or not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        return Problem.decode(response.content)
    except WireError:
        return None
