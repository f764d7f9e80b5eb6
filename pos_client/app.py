"""The composition root: builds the parts of a till from its configuration. `pos_client.serve` runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from pos_client.approvals import Approvals
from pos_client.config import Config
from pos_client.credentials import CredentialReader, KeyUnusable
from pos_client.devices import DeviceBoard
from pos_client.events import EventBus, EventKind
from pos_client.inbox import Inbox
from pos_client.members import Members
from pos_client.night_report import write_report
from pos_client.pairing import Pairing
from pos_client.receipts.desk import ReceiptDesk
from pos_client.receipts.printing import Printing
from pos_client.room import Room
from pos_client.runtime import Runtime
from pos_client.till import Till
from pos_client.tokens import Tokens
from sync.agent import Agent, SyncState
from sync.errors import NotEnrolled
from sync.holds import HoldDesk
from sync.journal import Journal
from sync.mirror import Mirror
from sync.night import Window
from sync.opening import open_till
from sync.proofs import Proofs
from sync.store import Store, read_key
from sync.terminal import Terminal, load_terminal, wall_ms
from sync.transport import Transport
from sync.wire_mirror import Change

STORE_NAME = "store.db"
"""The database's name in the till's data folder."""


class StartError(Exception):
    """The till cannot start; the text is one line: what, where, what to do."""


def open_store(config: Config, *, create: bool = False) -> Store:
    """Open the till's database for writing; a damaged one is salvaged, a copy or backup noticed.

    Raises:
        StoreUnusable: see `sync.opening.open_till`.
    """
    path = config.till.data_dir / STORE_NAME
    # A key made anew beside an old database would be the wrong one, and would hide that the right one is missing.
    fresh = create and not path.exists() and not path.with_suffix(".salvaged").exists()
    return open_till(path, till_key(config, create=fresh)).store


def look_store(config: Config) -> Store:
    """Open the till's database to read, beside a running till.

    Raises:
        StoreUnusable: see `Store.look`.
    """
    return Store.look(config.till.data_dir / STORE_NAME, till_key(config))


def till_key(config: Config, *, create: bool = False) -> bytes:
    """The key of the till's database.

    Raises:
        NotEnrolled: neither it nor a database is there: this till is new.
        StoreUnusable: see `sync.store.read_key`.
    """
    path = config.till.data_dir / STORE_NAME
    begun = (config.till.store_key_file, path, path.with_suffix(".salvaged"))
    if not create and not any(file.exists() for file in begun):
        raise NotEnrolled(path)
    return read_key(config.till.store_key_file, create=create)


def build_transport(config: Config, terminal: Terminal, mirror: Mirror, *, timeout_s: float | None = None) -> Transport:
    """A signed connection to head office, with its clock as last known.

    Args:
        timeout_s: for one that a checkout waits for; the configured one when None.
    """
    return Transport(
        str(config.till.head_office_url),
        terminal.private_key,
        terminal.terminal,
        timeout_s=config.sync.timeout_s if timeout_s is None else timeout_s,
        clock_offset_ms=mirror.contact().clock_offset_ms or 0,
    )


def build_agent(
    config: Config,
    store: Store,
    terminal: Terminal,
    on_state: Callable[[SyncState], None],
    *,
    on_changes: Callable[[Sequence[Change]], None] = lambda _: None,
) -> Agent:
    """The sync agent of an enrolled till; what it tells of as `Agent` says."""
    transport = build_transport(config, terminal, Mirror(store))
    zone = ZoneInfo(config.till.time_zone)
    return Agent(
        store,
        terminal,
        transport,
        poll_s=config.sync.poll_s,
        on_state=on_state,
        on_changes=on_changes,
        night=Window(config.sync.night_from, config.sync.night_to, zone),
        on_night=lambda night: write_report(config, terminal, night),
    )


def build_runtime(config: Config, store: Store, *, training: bool = False) -> Runtime:
    """Put a till together on an open store. Nothing runs yet.

    Args:
        training: the store is one to practise on, as `pos_client.training` makes it.

    Raises:
        NotEnrolled: head office does not know this till.
        StartError: the configuration has no card formats, or a credential's key cannot be used.
    """
    if not config.card_formats:
        raise StartError("no card formats configured: add [[card_formats]] as in config.example.toml")
    try:
        credentials = CredentialReader.from_config(config.credentials)
    except KeyUnusable as error:
        raise StartError(f"credentials: {error}") from error
    terminal = load_terminal(store)
    bus = EventBus()

    def tell(state: SyncState) -> None:
        bus.publish(EventKind.SYNC_STATE, {"online": state.online, "problem": state.problem, "code": state.code})

    # The till is made with the agent, and told by it.
    def heard(changes: Sequence[Change]) -> None:
        till.upkeep.heard(changes)

    agent = build_agent(config, store, terminal, tell, on_changes=heard)
    holds = HoldDesk(
        store,
        build_transport(config, terminal, Mirror(store), timeout_s=config.sync.hold_ms / 1000),
        is_online=lambda: agent.state.online,
        on_free=agent.wake,
        ask_s=config.sync.hold_ms / 1000,
    )
    journal = Journal(store, terminal)
    room = Room(config.till.data_dir, journal)
    till = Till(
        store,
        terminal,
        formats=config.card_formats,
        bus=bus,
        time_zone=config.till.time_zone,
        business_day_starts=config.till.business_day_starts,
        session_timeout_s=config.plugin.session_timeout_s,
        credentials=credentials,
        holds=holds,
        on_booked=agent.wake,
        short_of_room=room.short,
    )
    tokens = Tokens(store)
    return Runtime(
        config=config,
        store=store,
        terminal=terminal,
        journal=journal,
        room=room,
        mirror=Mirror(store),
        proofs=Proofs(store, journal),
        bus=bus,
        till=till,
        agent=agent,
        holds=holds,
        board=DeviceBoard(till, bus),
        inbox=Inbox(store, journal, till.reckoning, language=config.till.language, on_booked=agent.wake),
        approvals=Approvals(store),
        tokens=tokens,
        pairing=Pairing(tokens, bus),
        members=Members(journal, Mirror(store), till.drafts, agent.wake),
        training=training,
        started_ms=wall_ms(),
        printing=Printing(store, journal, ReceiptDesk(store, terminal, config, training=training), bus, config),
    )
