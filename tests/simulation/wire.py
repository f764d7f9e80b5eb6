"""A wire to head office without sockets that fails on order, for steps that must replay exactly."""

from __future__ import annotations

from collections import deque

import httpx

from tests.support.proxy import Fault

ORDERED = (Fault.NONE, Fault.REFUSE, Fault.LOSE_ANSWER, Fault.DUPLICATE, Fault.LATE)
"""What can happen where nothing takes time: cuts in a body and silence look like one of these to both sides."""


class FaultyWire(httpx.BaseTransport):
    """Carries one till's requests to `office`; each takes the next fault that was ordered."""

    def __init__(self, office: httpx.BaseTransport) -> None:
        self._office = office
        self._ordered: deque[Fault] = deque()
        self._late: list[httpx.Request] = []
        self.up = True

    def order(self, *faults: Fault) -> None:
        """These faults for the next requests, one each, in place of any before."""
        self._ordered = deque(faults)

    def mend(self) -> None:
        """Everything gets through from now on."""
        self._ordered.clear()
        self.up = True

    def deliver_late(self) -> int:
        """What seemed lost arrives at head office after all; nobody waits for the answers. How many there were."""
        late, self._late = self._late, []
        for request in late:
            self._office.handle_request(request)
        return len(late)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry `request`, or fail as ordered.

        Raises:
            httpx.TransportError: as a real connection that fails.
        """
        request.read()
        if not self.up:
            raise httpx.ConnectError("no route", request=request)
        fault = self._ordered.popleft() if self._ordered else Fault.NONE
        if fault is Fault.REFUSE:
            raise httpx.ConnectError("refused", request=request)
        if fault is Fault.LATE:
            self._late.append(request)
            raise httpx.ReadTimeout("no answer", request=request)
        answer = self._office.handle_request(request)
        if fault is Fault.LOSE_ANSWER:
            raise httpx.RemoteProtocolError("cut", request=request)
        return self._office.handle_request(request) if fault is Fault.DUPLICATE else answer
