"""A real till in a folder: encrypted store, filled mirror, sample programme; head office is a closed port."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.cards import CardFormat, CardNumber, CheckDigit, check_digit
from loyalty.programme import Programme
from pos_client.app import build_runtime, open_store
from pos_client.config import Config
from pos_client.runtime import Runtime
from sync.certificates import Certificates
from sync.mirror import Mirror
from sync.signing import certified
from sync.store import Store
from sync.terminal import save_terminal, wall_ms
from sync.wire import EnrolAnswer
from sync.wire_mirror import AccountChange, CardChange, Change, ChangesPage, ProgrammeChange

CARD_KEY = bytes(range(32))
EPOCH = 1
HEAD_OFFICE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""Of every till that is not said to be another chain's."""

EAN_FORMAT = CardFormat(name="klantenkaart", prefix="2910", length=13, check=CheckDigit.GS1)
CODE_128_FORMAT = CardFormat(name="spaarpas", prefix="SP", length=12, check=CheckDigit.LUHN)
STRIPE_FORMAT = CardFormat(name="magneetkaart", prefix="9528", length=16, check=CheckDigit.LUHN)
FORMATS = (EAN_FORMAT, CODE_128_FORMAT, STRIPE_FORMAT)


def card_text(card_format: CardFormat, number: int) -> str:
    """The card with serial `number` of a format, its check digit included."""
    digits = str(number).zfill(card_format.length - len(card_format.prefix) - 1)
    checked = card_format.prefix + digits if card_format.prefix.isdigit() else digits
    return card_format.prefix + digits + str(check_digit(checked, card_format.check))


@dataclass(frozen=True, slots=True)
class Member:
    """A member as head office would publish one."""

    account: str
    first_name: str
    tier: str
    points: int
    card: str
    blocked: bool = False


SANNE = Member("acc-sanne", "Sanne", "zilver", 1284, card_text(EAN_FORMAT, 12345678))
JORIS = Member("acc-joris", "Joris", "basis", 180, card_text(CODE_128_FORMAT, 123456789))
FATIMA = Member("acc-fatima", "Fatima", "goud", 12_480, card_text(STRIPE_FORMAT, 5550001))
NOOR = Member("acc-noor", "Noor", "basis", 640, card_text(EAN_FORMAT, 900), blocked=True)
MEMBERS = (SANNE, JORIS, FATIMA, NOOR)

UNKNOWN_CARD = card_text(EAN_FORMAT, 77_000_077)
"""Of our own format, but of nobody in the mirror."""

PROGRAMME: dict[str, Any] = {
    "format": 1,
    "id": "molen",
    "version": 1,
    "name": {"nl": "Molenpunten", "en": "Mill points"},
    "currency": "EUR",
    "time_zone": "Europe/Amsterdam",
    "tiers": [
        {"id": "basis", "name": {"nl": "Basis", "en": "Basic"}},
        {"id": "zilver", "name": {"nl": "Zilver", "en": "Silver"}},
        {"id": "goud", "name": {"nl": "Goud", "en": "Gold"}},
    ],
    "earn": [
        {
            "kind": "per_amount",
            "id": "per-euro",
            "name": {"nl": "1 punt per euro", "en": "1 point per euro"},
            "points": 1,
            "per_minor": 100,
        },
        {
            "kind": "multiplier",
            "id": "zilver-extra",
            "name": {"nl": "zilver", "en": "silver"},
            "percent": 50,
            "tiers": ["zilver"],
        },
    ],
    "rewards": [
        {
            "kind": "amount_off",
            "id": "koffie",
            "name": {"nl": "Koffie gratis", "en": "Free coffee"},
            "cost_points": 250,
            "discount_minor": 250,
        },
        {
            "kind": "amount_off",
            "id": "vijf-euro",
            "name": {"nl": "€ 5 korting", "en": "€5 off"},
            "cost_points": 500,
            "discount_minor": 500,
        },
    ],
    "offline": {
        "redeem": "capped",
        "per_card_day_points": 500,
        "per_till_day_points": 5000,
        "mirror_max_age_s": 86_400,
    },
}


def make_runtime(
    folder: Path,
    *,
    programme: dict[str, Any] | None = PROGRAMME,
    terminal: str = "till-0002",
    head_office: Ed25519PrivateKey = HEAD_OFFICE,
    **changes: Any,
) -> Runtime:
    """Build a till that was enrolled, has heard of `MEMBERS`, and whose head office is away now.

    Args:
        folder: empty; store and key are made in it.
        programme: the published document; None for a till that never reached head office.
        head_office: whose till it is: it has certified the till's key.
        changes: configuration sections as in config.example.toml, for example `till={"language": "en"}`.

    The caller closes `runtime.store`.
    """
    config = config_of(folder, **changes)
    store = open_store(config, create=True)
    _enrol(store, terminal, head_office)
    runtime = build_runtime(config, store)
    if programme is not None:
        document = Programme.from_document(programme).model_dump(mode="json")
        publish(runtime.mirror, [ProgrammeChange(document=document), *member_changes(MEMBERS)])
    return runtime


def reopened(folder: Path, **changes: Any) -> Runtime:
    """The till that `make_runtime` made in `folder`, started once more. The caller closes `runtime.store`."""
    config = config_of(folder, **changes)
    return build_runtime(config, open_store(config))


def config_of(folder: Path, **changes: Any) -> Config:
    """The configuration of such a till; `changes` as for `make_runtime`."""
    sections: dict[str, Any] = {
        "till": {"name": "kassa 2", "data_dir": folder, "head_office_url": f"http://127.0.0.1:{closed_port()}"},
        "sync": {"timeout_s": 2},
    }
    for section, values in changes.items():
        sections[section] = {**sections.get(section, {}), **values} if isinstance(values, dict) else values
    return Config(**{"card_formats": FORMATS, **sections})


def member_changes(members: Iterable[Member]) -> list[Change]:
    """What head office's feed says of `members`: an account and a card each."""
    changes: list[Change] = []
    for member in members:
        token = CardNumber.parse(member.card, FORMATS).token(CARD_KEY)
        changes.append(
            AccountChange(account=member.account, first_name=member.first_name, tier=member.tier, points=member.points)
        )
        changes.append(CardChange(token=token, account=member.account, blocked=member.blocked))
    return changes


def publish(mirror: Mirror, changes: Iterable[Change], *, now_ms: int | None = None, includes_seq: int = 0) -> None:
    """Apply one page of head office's feed as of `now_ms` (Unix ms UTC, now when None)."""
    at = wall_ms() if now_ms is None else now_ms
    page = ChangesPage(
        changes=tuple(changes), cursor="1", more=False, epoch=EPOCH, includes_seq=includes_seq, as_of_ms=at
    )
    mirror.apply(page, at)


def closed_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _enrol(store: Store, terminal: str, head_office: Ed25519PrivateKey) -> None:
    key = Ed25519PrivateKey.generate()
    answer = EnrolAnswer(
        terminal=terminal,
        epoch=EPOCH,
        store="molen",
        store_name="Bakkerij De Molen",
        hq_public_key=base64.b64encode(head_office.public_key().public_bytes_raw()).decode(),
        card_key=base64.b64encode(CARD_KEY).decode(),
        server_time_ms=wall_ms(),
    )
    save_terminal(store, answer, key)
    statement = certified(terminal, EPOCH, key.public_key().public_bytes_raw())
    Certificates(store).keep(EPOCH, base64.b64encode(head_office.sign(statement)).decode())
