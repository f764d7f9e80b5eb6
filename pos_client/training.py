"""A till to practise on: a store of its own beside the shop's, the shop's programme, practice cards, no line."""

from __future__ import annotations

import base64
import contextlib
import secrets
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AnyHttpUrl

from loyalty.cards import CardFormat, CardNumber
from loyalty.programme import Programme
from loyalty.programme_members import OfflineMode, OfflinePolicy
from pos_client.app import STORE_NAME, StartError, look_store, open_store
from pos_client.approvals import Approvals
from pos_client.config import Config
from pos_client.samples import sample
from sync.errors import SyncError
from sync.mirror import Mirror
from sync.store import Store, hold_folder
from sync.terminal import load_terminal, save_terminal, wall_ms
from sync.wire import EnrolAnswer
from sync.wire_mirror import AccountChange, CardChange, Change, ChangesPage, ProgrammeChange

log = structlog.get_logger("spaarpunt.app")

FOLDER = "training"
"""In the till's data folder; made anew at each start."""
NOWHERE = AnyHttpUrl("http://127.0.0.1:9")
"""Head office of a till in training: the discard port of this machine, where nobody answers."""
PIN = "2580"
"""Of the practice member, and of the manager `training`."""
MANAGER = "training"
NAMES = {"nl": "Oefenlid", "en": "Practice"}
LEAST_POINTS = 2000
"""What the practice member has at least; more where the programme's rewards cost more."""
PLENTY = 1_000_000_000
"""Points that may be redeemed: training is not held up by what a till may give alone."""


@dataclass(frozen=True, slots=True)
class Practice:
    """The cards to practise with, as numbers of the shop's first card format."""

    member: str
    """A member with points."""
    nobody: str
    """Nobody's yet: it can be made a member's."""
    blocked: str


def training_config(config: Config) -> Config:
    """`config` for training: nothing of the shop's is written, nothing leaves the machine.

    The API has a token of its own, so that the till's software does not book real sales here by mistake.
    """
    till = config.till.model_copy(
        update={"data_dir": config.till.data_dir / FOLDER, "key_file": None, "head_office_url": NOWHERE}
    )
    return config.model_copy(
        update={
            "till": till,
            "plugin": config.plugin.model_copy(update={"token_file": None}),
            "screen": config.screen.model_copy(update={"manual_sales": True}),
            "log": config.log.model_copy(update={"folder": None}),
        }
    )


def practice_cards(formats: tuple[CardFormat, ...]) -> Practice:
    """Cards of the shop's first format."""
    member, nobody, blocked = (formats[0].number(serial) for serial in (1, 2, 3))
    return Practice(member, nobody, blocked)


@contextlib.contextmanager
def training_store(shop: Config, training: Config) -> Iterator[Store]:
    """A fresh store for training, open until the block ends; meanwhile the shop's own till cannot start.

    Raises:
        StartError: the shop's till runs, or there are no card formats.
        SyncError: the folder cannot be used.
    """
    if not training.card_formats:
        raise StartError("no card formats configured: add [[card_formats]] as in config.example.toml")
    with hold_folder(shop.till.data_dir / STORE_NAME):
        store_name, programme = _of_shop(shop, training)
        _clear(training.till.data_dir)
        store = open_store(training, create=True)
        try:
            _fill(store, training, store_name, programme)
            yield store
        finally:
            store.close()


def _of_shop(shop: Config, training: Config) -> tuple[str, Programme]:
    """The shop's name and programme, from a copy of its file; a till that has none practises with the bakery's."""
    original, copy = shop.till.data_dir / STORE_NAME, training.till.data_dir / STORE_NAME
    found: tuple[str, Programme | None] = shop.till.name, None
    try:
        _clear(training.till.data_dir)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix in ("", "-wal"):
            if (part := original.with_name(original.name + suffix)).exists():
                shutil.copyfile(part, copy.with_name(copy.name + suffix))
        to_look = training.till.model_copy(update={"key_file": shop.till.store_key_file})
        store = look_store(training.model_copy(update={"till": to_look}))
        try:
            found = load_terminal(store).store_name, Mirror(store).programme()
        finally:
            store.close()
    except (OSError, SyncError) as error:
        log.warning("training with a sample programme: the shop's own could not be read", problem=str(error))
    finally:
        _clear(training.till.data_dir)
    name, programme = found
    return name, programme or Programme.from_document(tomllib.loads(sample("bakery")))


def _clear(folder: Path) -> None:
    """Empty `folder`, but for the log that is being written."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir():
            if path != folder / "logs":
                shutil.rmtree(path)
        else:
            path.unlink()


def _fill(store: Store, config: Config, store_name: str, programme: Programme) -> None:
    key = Ed25519PrivateKey.generate()
    save_terminal(
        store,
        EnrolAnswer(
            terminal="training",
            epoch=1,
            store="training",
            store_name=store_name,
            hq_public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
            card_key=base64.b64encode(secrets.token_bytes(32)).decode(),
            server_time_ms=wall_ms(),
        ),
        key,
    )
    alone = OfflinePolicy(
        redeem=OfflineMode.CAPPED,
        per_card_day_points=PLENTY,
        per_till_day_points=PLENTY,
        mirror_max_age_s=programme.offline.mirror_max_age_s,
    )
    document = programme.model_copy(update={"offline": alone}).model_dump(mode="json")
    changes: list[Change] = [
        ProgrammeChange(document=document),
        *_members(config, programme, load_terminal(store).card_key),
    ]
    now = wall_ms()
    Mirror(store).apply(
        ChangesPage(changes=tuple(changes), cursor="training", more=False, epoch=1, includes_seq=0, as_of_ms=now), now
    )
    Approvals(store).add(MANAGER, PIN)


def _members(config: Config, programme: Programme, card_key: bytes) -> Iterator[Change]:
    """A member with points on cards of every format, and one whose card is blocked."""
    points = max([LEAST_POINTS, *(3 * reward.cost_points for reward in programme.rewards)])
    tier = programme.tiers[min(1, len(programme.tiers) - 1)].id
    pin = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PIN)
    name = NAMES[config.till.language]
    yield AccountChange(account="practice", first_name=name, tier=tier, points=points, pin=pin)
    yield AccountChange(account="blocked", first_name=name, tier=tier, points=0)
    for number, card_format in enumerate(config.card_formats):
        cards = practice_cards((card_format,))
        yield CardChange(token=_token(cards.member, config, card_key), account="practice", blocked=False)
        if number == 0:
            yield CardChange(token=_token(cards.blocked, config, card_key), account="blocked", blocked=True)


def _token(card: str, config: Config, card_key: bytes) -> str:
    return CardNumber.parse(card, config.card_formats).token(card_key)
