"""A real server that answers what it is told, and nothing else."""

from __future__ import annotations

import collections
import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WAIT_S = 10


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    head: str
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(" ", 2)[1]

    def header(self, name: str) -> str:
        """The value of a header."""
        found = re.search(rf"^{name}: (.*)\r$", self.head, re.IGNORECASE | re.MULTILINE)
        assert found, f"no header {name}"
        return found[1]


def http(status: str, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    """The bytes of an answer; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def problem(status: int, code: str, **more: object) -> bytes:
    """A problem of head office's (RFC 9457)."""
    body = {"title": "t", "status": status, "detail": f"because of {code}", "code": code, **more}
    return http(f"{status} Problem", json.dumps(body).encode(), "application/problem+json", Spaarpunt_Protocol="1")


def read_request(connection: socket.socket) -> Asked | None:
    """One whole request, or None when the other side went away."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return None
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    text = head.decode("latin-1") + "\r\n"
    length = re.search(r"^content-length: (\d+)", text, re.IGNORECASE | re.MULTILINE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return Asked(text, body)


class Scripted:
    """Answers one request a connection with the next of `answers`; None keeps the caller waiting until the end."""

    def __init__(self, *answers: bytes | None, port: int = 0) -> None:
        self.answers = collections.deque(answers)
        self.asked: list[Asked] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        # A blocked accept() returns when the listener is shut down, not when it is closed.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_S)
        self._listener.close()
        assert not self._thread.is_alive()

    def _answer(self, _: Asked) -> bytes | None:
        return self.answers.popleft()

    def _serve(self) -> None:
        while self.answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                request = read_request(connection)
                if request is None:
                    continue
                self.asked.append(request)
                answer = self._answer(request)
                if answer is None:
                    self._end.wait(WAIT_S)
                else:
                    connection.sendall(answer)


@contextlib.contextmanager
def scripted(*answers: bytes | None, port: int = 0) -> Iterator[Scripted]:
    """A `Scripted` server that is closed at the end."""
    server = Scripted(*answers, port=port)
    try:
        yield server
    finally:
        server.close()


class Judging(Scripted):
    """Answers each request as `judge` says, until it is closed."""

    def __init__(self, judge: Callable[[Asked], bytes]) -> None:
        self._judge = judge
        super().__init__(b"")

    def _answer(self, request: Asked) -> bytes:
        return self._judge(request)


@contextlib.contextmanager
def judging(judge: Callable[[Asked], bytes]) -> Iterator[Judging]:
    """A `Judging` server that is closed at the end."""
    server = Judging(judge)
    try:
        yield server
    finally:
        server.close()
