"""The three shops of the demo: what each sells, and what its programme gives, worked out by hand beside the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pos_client.demo.members import DemoMember

Good = dict[str, Any]
Goods = Sequence[Good]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a reward costs in points and takes off in cents."""

    points: int
    off_minor: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A sample programme with a shop around it. `small`, `middle` and `large` are articles; `deposit` never earns.

    `rewards` are by their id; `first` is for a basket of `large`, `second` for one of two `middle`. `card` is a stamp
    card that ten of `middle` fill and one more hands in. `earns(member, goods, off)` gives the points as a customer
    would work them out from the programme's own words; `off` is what a reward took off, in cents.
    """

    sample: str
    store: str
    name: str
    small: Good
    middle: Good
    large: Good
    deposit: Good
    rewards: Mapping[str, Taken]
    first: str
    second: str
    earns: Callable[[DemoMember, Goods, int], int]
    tiers: tuple[str, str] = ("basis", "zilver")
    """What the demo's ordinary and silver members have here."""
    card: str | None = None


def _good(sku: str, text: str, category: str, minor: int, *, eligible: bool = True) -> Good:
    return {"sku": sku, "text": text, "category": category, "gross_minor": minor, "eligible": eligible}


def _euros(goods: Goods, off: int) -> int:
    """Whole euros of what is paid for goods that earn."""
    return _paid(goods, off) // 100


def _paid(goods: Goods, off: int) -> int:
    return sum(int(good["gross_minor"]) for good in goods if good["eligible"]) - off


def _at_the_bakery(member: DemoMember, goods: Goods, off: int) -> int:
    euros = _euros(goods, off)
    return euros + (euros // 2 if member.tier == "zilver" else 0)


def _at_the_supermarket(_member: DemoMember, goods: Goods, off: int) -> int:
    euros = _euros(goods, off)
    fruit = sum(int(good["gross_minor"]) for good in goods if good["category"] == "fruit") // 100
    jars = sum(1 for good in goods if good["sku"] == "PINDAKAAS") * 5 // 3
    week = 10 if _paid(goods, off) >= 7500 else 0
    now = datetime.now(ZoneInfo("Europe/Amsterdam"))
    tuesday = euros // 2 if now.weekday() == 1 and 8 <= now.hour < 12 else 0
    return euros + fruit + jars + week + tuesday


def _at_the_fashion_chain(member: DemoMember, goods: Goods, off: int) -> int:
    euros = _euros(goods, off)
    return euros + (euros // 4 if member.tier == "zilver" else 0)


SHOPS = {
    "bakery": Shop(
        sample="bakery",
        store="de-molen",
        name="Bakkerij De Molen",
        small=_good("MEERGRANEN", "Meergranen", "brood", 300),
        middle=_good("KOFFIE", "Koffie", "dranken", 275),
        large=_good("APPELTAART", "Appeltaart", "taart", 1440),
        deposit=_good("STATIEGELD", "Statiegeld fles", "statiegeld", 25, eligible=False),
        rewards={"koffie": Taken(250, 250), "vijf-euro": Taken(500, 500), "koffiekaart": Taken(0, 275)},
        first="vijf-euro",
        second="koffie",
        earns=_at_the_bakery,
        card="koffiekaart",
    ),
    "supermarket": Shop(
        sample="supermarket",
        store="het-plein",
        name="Supermarkt Het Plein",
        small=_good("PEREN", "Peren", "fruit", 349),
        middle=_good("PINDAKAAS", "Pindakaas", "broodbeleg", 275),
        large=_good("WASMIDDEL", "Wasmiddel", "drogist", 1440),
        deposit=_good("STATIEGELD", "Statiegeld krat", "statiegeld", 390, eligible=False),
        rewards={"vijf-euro": Taken(500, 500), "betalen": Taken(100, 100)},
        first="vijf-euro",
        second="betalen",
        earns=_at_the_supermarket,
        tiers=("klant", "klant"),
    ),
    "fashion": Shop(
        sample="fashion",
        store="de-linde",
        name="De Linde Mode",
        small=_good("SOKKEN", "Sokken", "sokken", 995),
        middle=_good("RIEM", "Riem", "accessoires", 2495),
        large=_good("JAS", "Jas", "jassen", 14950),
        deposit=_good("CADEAUKAART", "Cadeaukaart", "cadeaukaart", 2500, eligible=False),
        rewards={"vijfentwintig-euro": Taken(500, 2500), "tegoedbon": Taken(100, 0)},
        first="vijfentwintig-euro",
        second="tegoedbon",
        earns=_at_the_fashion_chain,
        tiers=("brons", "zilver"),
    ),
}
"""By the name of the sample programme."""
