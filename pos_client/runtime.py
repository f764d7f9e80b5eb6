"""The parts of one running till, as the composition root made them, for the screen, the API and the commands."""

from __future__ import annotations

from dataclasses import dataclass

from pos_client.approvals import Approvals
from pos_client.config import Config
from pos_client.devices import DeviceBoard
from pos_client.events import EventBus
from pos_client.inbox import Inbox
from pos_client.members import Members
from pos_client.pairing import Pairing
from pos_client.receipts.printing import Printing
from pos_client.room import Room
from pos_client.till import Till
from pos_client.tokens import Tokens
from sync.agent import Agent
from sync.holds import HoldDesk
from sync.journal import Journal
from sync.mirror import Mirror
from sync.proofs import Proofs
from sync.store import Store
from sync.terminal import Terminal


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything one till process shares."""

    config: Config
    store: Store
    terminal: Terminal
    journal: Journal
    room: Room
    mirror: Mirror
    proofs: Proofs
    bus: EventBus
    till: Till
    agent: Agent
    holds: HoldDesk
    board: DeviceBoard
    inbox: Inbox
    approvals: Approvals
    members: Members
    tokens: Tokens
    pairing: Pairing
    training: bool
    """Nothing counts: the store is one to practise on, and nothing leaves the machine."""
    started_ms: int
    """When it was put together, by this machine's clock: Unix ms UTC."""
    printing: Printing
