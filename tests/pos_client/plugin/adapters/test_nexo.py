"""nexo loyalty messages, against a real till."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pos_client.plugin.adapters import nexo
from pos_client.runtime import Runtime
from tests.pos_client.plugin.adapters.exchanges import exchanges, replay
from tests.pos_client.plugin.conftest import TOKEN
from tests.support.till import FATIMA

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def test_the_golden_exchanges(url: str, adapted: Runtime) -> None:
    replay(url + nexo.PATH, exchanges("nexo"))
    kept = b"".join(raw for (raw,) in adapted.store.rows("SELECT raw FROM journal"))
    assert b"4111111111111111" not in kept


def _award(card: str, account: Any) -> dict[str, Any]:
    return {
        "SaleToPOIRequest": {
            "MessageHeader": {
                "MessageClass": "Service",
                "MessageCategory": "Loyalty",
                "MessageType": "Request",
                "SaleID": "kassa-9",
                "POIID": "spaarpunt-1",
            },
            "LoyaltyRequest": {
                "SaleData": {
                    "SaleTransactionID": {"TransactionID": card[-4:], "TimeStamp": "2026-03-31T10:15:00+02:00"}
                },
                "LoyaltyTransaction": {"LoyaltyTransactionType": "Award", "TotalAmount": 12.34},
                "LoyaltyData": account,
            },
        }
    }


def test_the_account_may_come_alone_or_in_a_list(url: str) -> None:
    account = {"LoyaltyAccountID": {"EntryMode": ["Keyed"], "LoyaltyID": FATIMA.card}}
    first, again = (
        httpx.post(url + nexo.PATH, headers=HEADERS, json=_award(FATIMA.card, data)).json()
        for data in (account, [account])
    )
    assert first == again
    result = first["SaleToPOIResponse"]["LoyaltyResponse"]["LoyaltyResult"][0]
    assert (result["CurrentBalance"], result["LoyaltyAmount"]["AmountValue"]) == (FATIMA.points + 12, 12)


@pytest.mark.parametrize("data", [[], [{"LoyaltyAccountID": {"LoyaltyID": FATIMA.card}}] * 2, "none", None])
def test_other_than_one_account_is_no_message(url: str, data: Any) -> None:
    answer = httpx.post(url + nexo.PATH, headers=HEADERS, json=_award(FATIMA.card, data)).json()
    response = answer["SaleToPOIResponse"]["LoyaltyResponse"]["Response"]
    assert (response["Result"], response["ErrorCondition"]) == ("Failure", "MessageFormat")
    assert "LoyaltyData" in response["AdditionalResponse"]
    assert FATIMA.card not in response["AdditionalResponse"]
