"""One box that takes anything: card, phone, e-mail address, receipt; and refuses bank cards."""

from __future__ import annotations

import pytest

from pos_client.office.lookup import Finding, Kind, Lookup
from pos_client.reckoning import TillError
from pos_client.runtime import Runtime
from sync.wire_mirror import AccountGone
from tests.pos_client.office.conftest import EMAIL, PHONE, sell
from tests.support.till import CARD_KEY, FORMATS, JORIS, SANNE, UNKNOWN_CARD, publish


def find(runtime: Runtime, text: str) -> Finding:
    return Lookup(runtime.store, CARD_KEY, FORMATS).find(text)


def names(finding: Finding) -> list[str | None]:
    return [person.holder.first_name for person in finding.people]


def test_by_card(runtime: Runtime) -> None:
    found = find(runtime, f" {SANNE.card} ")
    assert (found.kind, names(found)) == (Kind.CARD, ["Sanne"])
    assert SANNE.card not in found.shown
    assert found.shown.endswith(SANNE.card[-4:])
    assert [blocked for _, blocked in found.people[0].cards] == [False]


def test_by_phone_everybody_who_has_it(runtime: Runtime) -> None:
    assert names(find(runtime, PHONE)) == ["Joris", "Sanne"]
    assert names(find(runtime, "+31 6 12345678")) == ["Joris", "Sanne"]
    assert find(runtime, "0687654321").people == ()


def test_by_e_mail(runtime: Runtime) -> None:
    assert names(find(runtime, EMAIL.upper())) == ["Sanne"]
    assert find(runtime, "nobody@voorbeeld.nl").people == ()


def test_by_receipt(runtime: Runtime) -> None:
    receipt = sell(runtime, SANNE.card)
    found = find(runtime, receipt)
    assert (found.kind, names(found)) == (Kind.RECEIPT, ["Sanne"])
    assert found.receipt is not None
    assert find(runtime, found.receipt.id.upper()).receipt == found.receipt


def test_a_card_of_nobody_is_an_answer(runtime: Runtime) -> None:
    (person,) = find(runtime, UNKNOWN_CARD).people
    assert not person.holder.known


def test_an_erased_member_is_found_no_more(runtime: Runtime) -> None:
    publish(runtime.mirror, [AccountGone(account=JORIS.account)])
    assert names(find(runtime, PHONE)) == ["Sanne"]


@pytest.mark.parametrize("text", ["", "x", "bon-9999", "sanne@", "12345", SANNE.card[:-1] + "0"])
def test_what_leads_to_nobody(runtime: Runtime, text: str) -> None:
    with pytest.raises(TillError) as caught:
        find(runtime, text)
    assert caught.value.code == "not_found"
    assert SANNE.card[:-1] not in str(caught.value)


def test_a_bank_card_is_refused_and_not_repeated(runtime: Runtime) -> None:
    with pytest.raises(TillError) as caught:
        find(runtime, "4111111111111111")
    assert caught.value.code == "payment_card"
    assert "4111" not in str(caught.value)
