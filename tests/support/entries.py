"""Builds what a till makes, without a till: keys, a programme, chained entries, batches and signed requests."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from loyalty.basket import Basket, Line
from loyalty.card_orders import CardOrder
from loyalty.facts import Facts
from loyalty.ledger import GENESIS, Clock, Entry, EntryKind, chain
from loyalty.programme import Programme
from loyalty.redemption import Choice
from loyalty.resolution import NO_CARD, Action, Resolution
from loyalty.returns import Sold, nothing, take_back
from loyalty.settlement import settle
from sync.signing import ENROL_KEY_ID, SignedMessage, sign
from sync.wire import PROTOCOL, PROTOCOL_HEADER, Batch, ClockReading, EnrolAnswer, EnrolRequest, key_text
from sync.wire_bodies import compress

DAY = date(2026, 3, 31)
CARD_KEY = bytes(range(32))

PROGRAMME_TOML = """
format = 1
id = "spaarpunt"
version = 1
name = { nl = "Spaarpunt", en = "Spaarpunt" }
currency = "EUR"
time_zone = "Europe/Amsterdam"

[[tiers]]
id = "basic"
name = { nl = "Basis", en = "Basic" }

[[tiers]]
id = "gold"
name = { nl = "Goud", en = "Gold" }

[[earn]]
kind = "per_amount"
id = "euro"
name = { nl = "1 punt per euro", en = "1 point a euro" }
points = 1
per_minor = 100

[[earn]]
kind = "multiplier"
id = "gold-bonus"
name = { nl = "Goud extra", en = "Gold bonus" }
percent = 100
tiers = ["gold"]

[[rewards]]
kind = "amount_off"
id = "five-off"
name = { nl = "5 euro korting", en = "5 euro off" }
cost_points = 50
discount_minor = 500

[offline]
redeem = "capped"
per_card_day_points = 200
per_till_day_points = 2000
mirror_max_age_s = 86400
"""


def programme(version: int = 1) -> Programme:
    """The programme of the tests: a point a euro, gold doubles, 50 points for 5 euro off."""
    return Programme.from_toml(PROGRAMME_TOML.replace("version = 1", f"version = {version}"))


def basket(*amounts_minor: int) -> Basket:
    """A basket of one line for each amount, in minor units."""
    return Basket(
        lines=tuple(
            Line(line_id=str(number), sku=f"sku-{number}", text="Kaas", gross_minor=amount)
            for number, amount in enumerate(amounts_minor, 1)
        )
    )


@dataclass
class Chain:
    """A till's journal in memory: entries as exact bytes, each with its digest."""

    terminal: str
    epoch: int = 1
    entries: list[Entry] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=lambda: [GENESIS])
    """`digests[n]` is the digest after entry n; 0 is the genesis."""

    def sale(
        self,
        card: str,
        amounts_minor: Sequence[int] = (1000,),
        *,
        account: str | None = None,
        tier: str = "basic",
        rewards: Sequence[str | Choice] = (),
        day: date = DAY,
        rules: Programme | None = None,
        goods: Basket | None = None,
        facts: Facts | None = None,
        **changed: Any,
    ) -> Entry:
        """Append a sale of `amounts_minor`, or of `goods`, to card token `card`; `changed` overrides entry fields."""
        rules = rules or programme()
        goods = basket(*amounts_minor) if goods is None else goods
        settlement = settle(rules, goods, tier, rewards, facts or Facts())
        made: dict[str, Any] = {
            "kind": EntryKind.SALE,
            "card": card,
            "account": account,
            "tier": tier,
            "business_date": day,
            "programme": rules.id,
            "programme_version": rules.version,
            "basket": goods,
            "settlement": settlement,
            "points": settlement.points_delta,
            "facts": facts,
        }
        return self._append(**{**made, **changed})

    def returned(self, sale: Entry, back: Mapping[str, int], before: Mapping[str, int] | None = None) -> Entry:
        """Append the return of `back` from `sale`, after `before` came back already as far as this till knows."""
        made = take_back(Sold.of(sale), before or {}, back)
        kept = sale.model_dump(include={"business_date", "card", "account", "programme", "programme_version", "tier"})
        return self._append(
            **kept,
            kind=EntryKind.RETURN,
            original=sale.id,
            basket=made.basket,
            settlement=made.settlement,
            points=made.settlement.points_delta,
        )

    def void(self, sale: Entry, **changed: Any) -> Entry:
        """Append the void of `sale`."""
        kept = sale.model_dump(
            exclude={"id", "seq", "kind", "points", "reverses", "clock", "terminal", "epoch", "session", "authority"}
        )
        made = {**kept, "kind": EntryKind.VOID, "reverses": sale.id, "points": -sale.points}
        return self._append(**{**made, **changed})

    def resolution(self, what: Resolution, *, reason: str = "klopt", approver: str = "Wil") -> Entry:
        """Append a decision about a parked entry."""
        return self.word(EntryKind.RESOLUTION, NO_CARD, resolves=what, reason=reason, approver=approver)

    def order(self, what: CardOrder, card: str, account: str) -> Entry:
        """Append what a manager orders about a card."""
        return self.word(EntryKind.ADJUSTMENT, card, account=account, reason="lost", approver="Wil", order=what)

    def word(self, kind: EntryKind, card: str, rules: Programme | None = None, **changed: Any) -> Entry:
        """Append an entry without goods or points: what somebody said, decided or ordered; `changed` says what."""
        rules = rules or programme()
        made = nothing(rules.currency)
        fields: dict[str, Any] = {
            "kind": kind,
            "card": card,
            "account": None,
            "tier": "basic",
            "business_date": DAY,
            "programme": rules.id,
            "programme_version": rules.version,
            "basket": made.basket,
            "settlement": made.settlement,
            "points": 0,
        }
        return self._append(**{**fields, **changed})

    def decide(self, seq: int, action: Action, account: str | None = None, undoes: Action | None = None) -> Resolution:
        """A decision about entry `seq` of this chain, to put on this chain or on another's."""
        return Resolution(
            terminal=self.terminal,
            epoch=self.epoch,
            seq=seq,
            digest=self.digests[seq].hex(),
            action=action,
            account=account,
            undoes=undoes,
        )

    def raw(self, raw: bytes) -> None:
        """Append bytes as they are, an entry or not."""
        self.raws.append(raw)
        self.digests.append(chain(self.digests[-1], raw))

    def batch(self, start: int = 1, end: int | None = None, **changed: Any) -> Batch:
        """The batch of entries `start` to `end` (the last); `changed` overrides fields of it."""
        end = len(self.raws) if end is None else end
        fields: dict[str, Any] = {
            "terminal": self.terminal,
            "epoch": self.epoch,
            "from_seq": start,
            "to_seq": end,
            "prev_digest": self.digests[start - 1].hex(),
            "head_digest": self.digests[end].hex(),
            "clock": ClockReading(wall_ms=0, monotonic_ms=0, boot_id="boot"),
            "entries": tuple(raw.decode() for raw in self.raws[start - 1 : end]),
        }
        return Batch(**{**fields, **changed})

    def _append(self, **fields: Any) -> Entry:
        seq = len(self.raws) + 1
        made: dict[str, Any] = {
            "terminal": self.terminal,
            "epoch": self.epoch,
            "seq": seq,
            "id": str(uuid6.uuid7()),
            "session": str(uuid6.uuid7()),
            "clock": Clock(wall_ms=1_774_900_000_000 + seq, monotonic_ms=seq, boot_id="boot", offset_ms=0),
            **fields,
        }
        entry = Entry.model_validate(made)
        self.entries.append(entry)
        self.raw(entry.encode())
        return entry


class Signed(httpx.Auth):
    """Signs requests as a till does. `shift` puts the till's clock off."""

    requires_request_body = True

    def __init__(self, key: Ed25519PrivateKey, key_id: str, shift: timedelta = timedelta()) -> None:
        self.key = key
        self.key_id = key_id
        self.shift = shift

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        headers = dict(request.headers)
        message = SignedMessage(request.method, str(request.url), headers)
        sign(message, request.content, self.key, self.key_id, datetime.now(UTC) + self.shift)
        request.headers.update({name: headers[name] for name in ("Content-Digest", "Signature-Input", "Signature")})
        yield request


_names = itertools.count(1)


class TestTill:
    """A till as far as head office can tell: a key, a journal, and requests."""

    __test__ = False

    def __init__(self, client: httpx.Client, key: Ed25519PrivateKey | None = None) -> None:
        self.client = client
        self.key = key or Ed25519PrivateKey.generate()
        self.name = f"kassa {next(_names)}"
        self.terminal = ""
        self.chain = Chain("")

    @property
    def auth(self) -> Signed:
        return Signed(self.key, self.terminal)

    def enrol(self, code: str) -> EnrolAnswer:
        """Enrol and start the chain of the epoch that head office names."""
        response = self.ask_to_enrol(code)
        assert response.status_code == 201, response.text
        answer = EnrolAnswer.decode(response.content)
        self.terminal = answer.terminal
        self.chain = Chain(answer.terminal, answer.epoch)
        return answer

    def ask_to_enrol(self, code: str, **changed: Any) -> httpx.Response:
        """Ask, and return whatever was answered; `changed` overrides fields of the request."""
        public_key = key_text(self.key.public_key().public_bytes_raw())
        fields = {"code": code, "name": self.name, "public_key": public_key, "software": "test", **changed}
        body = EnrolRequest.model_validate(fields).encode()
        return self.post("/v1/terminals", body, auth=Signed(self.key, ENROL_KEY_ID))

    def send(self, batch: Batch | None = None) -> httpx.Response:
        """Send `batch`, or the whole journal, compressed."""
        body = compress((batch or self.chain.batch()).encode())
        return self.post("/v1/entries", body, headers={"Content-Encoding": "zstd"})

    def post(
        self, path: str, body: bytes, auth: httpx.Auth | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POST raw bytes, signed."""
        return self.client.post(
            path,
            content=body,
            auth=auth or self.auth,
            headers={PROTOCOL_HEADER: str(PROTOCOL), "Content-Type": "application/json", **(headers or {})},
        )

    def get(self, path: str, auth: httpx.Auth | None = None, **params: str) -> httpx.Response:
        """GET, signed."""
        headers = {PROTOCOL_HEADER: str(PROTOCOL)}
        return self.client.get(path, params=params or None, auth=auth or self.auth, headers=headers)
