"""Every way the API says no: one table from exception to stable code, one from code to HTTP status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from loyalty.credentials import CredentialRefused
from loyalty.errors import BasketError, CardFormatError, LoyaltyError, ReturnRefused, RewardRefused
from pos_client.plugin.messages import CurrentBasket, InvalidPart, Problem
from pos_client.reckoning import BasketStale, TillError
from sync.errors import (
    OtherVersion,
    Rejected,
    ServerFault,
    StoreError,
    StoreFull,
    SyncError,
    TransportError,
    Unreachable,
)

log = structlog.get_logger("spaarpunt.plugin")

STATUS: Mapping[str, int] = {
    # The request itself.
    "unauthorized": 401,
    "token_revoked": 401,
    "scope_missing": 403,
    "bad_host": 400,
    "bad_origin": 403,
    "rate_limited": 429,
    "too_large": 413,
    "wrong_content_type": 415,
    "invalid_request": 422,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_many_listeners": 429,
    "idempotency_key_reused": 422,
    "idempotency_key_under_way": 409,
    # Pairing.
    "pairing_under_way": 409,
    "pairing_unknown": 409,
    "pairing_code_wrong": 403,
    "pairing_locked": 429,
    "too_many_tokens": 409,
    "token_unknown": 404,
    # The sale.
    "unknown_session": 404,
    "session_closed": 409,
    "no_card": 409,
    "no_programme": 503,
    "sale_returned": 409,
    "sale_voided": 409,
    "unknown_receipt": 404,
    "receipt_code_wrong": 422,
    "unknown_line": 422,
    "not_returnable": 409,
    "too_much": 409,
    "basket_invalid": 422,
    "basket_stale": 409,
    # The card.
    "card_unknown_format": 422,
    "card_blocked": 409,
    "payment_card": 422,
    "credential_malformed": 422,
    "credential_no_key": 409,
    "credential_expired": 409,
    "credential_future": 409,
    "credential_wrong_code": 409,
    "credential_replayed": 409,
    "pin_unknown": 409,
    "pin_wrong": 409,
    "pin_locked": 429,
    # The receipt.
    "no_receipt": 409,
    "no_printer": 409,
    "printer_not_ready": 503,
    # The manager.
    "no_manager": 409,
    "approval_wrong": 403,
    "approval_locked": 429,
    "adjustment_incomplete": 422,
    "card_taken": 409,
    "new_card_wanted": 422,
    "parked_unknown": 404,
    "decided_before": 409,
    "action_refused": 409,
    "undo_refused": 409,
    "member_unknown": 409,
    "decision_incomplete": 422,
    # The reward: what the quote shows beside it, or which limit is in the way.
    "unknown_reward": 422,
    "points_short": 409,
    "basket_too_small": 409,
    "limit_per_basket": 409,
    "currency": 409,
    "limit_per_member": 409,
    "out_of_stock": 409,
    "not_for_member": 409,
    "not_now": 409,
    "stamps_short": 409,
    "coupon_needed": 409,
    "coupon_invalid": 422,
    "coupon_unknown": 422,
    "coupon_used": 409,
    "credential_needed": 409,
    "balance": 409,
    "pending": 409,
    "card_cap": 409,
    "till_cap": 409,
    "policy_never": 409,
    "no_lease": 409,
    "lease_short": 409,
    "points_held": 409,
    "mirror_old": 409,
    "no_room": 409,
    "restored": 409,
    "card_unknown": 409,
    # The till's disk, and head office.
    "disk_full": 507,
    "store_failed": 503,
    "head_office_unreachable": 503,
    "head_office_failed": 503,
    "head_office_refused": 502,
    "head_office_version": 502,
    "internal": 500,
}
"""Code → HTTP status. Codes are never renamed; docs/plugin.md says what to do about each."""

_CODES: Sequence[tuple[type[Exception], str]] = (
    (CardFormatError, "card_unknown_format"),
    (BasketError, "basket_invalid"),
    (LoyaltyError, "invalid_request"),
    (StoreFull, "disk_full"),
    (StoreError, "store_failed"),
    (Unreachable, "head_office_unreachable"),
    (ServerFault, "head_office_failed"),
    (Rejected, "head_office_refused"),
    (OtherVersion, "head_office_version"),
    (TransportError, "head_office_failed"),
)
"""The first that fits counts. `TillError`, `RewardRefused` and `CredentialRefused` carry their own code."""

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "wrong_content_type"}
_MAX_PARTS = 20
"""Faults told of one request: more help nobody, and a basket of faults could fill megabytes."""
_BASKET_CALL = "set_basket"
_LONG_NUMBER = re.compile(r"[0-9][0-9 -]{4,}[0-9]")


def respond(
    code: str,
    detail: str,
    parts: Sequence[InvalidPart] = (),
    headers: Mapping[str, str] | None = None,
    current: CurrentBasket | None = None,
) -> Response:
    """The problem details for `code` as a response."""
    status = STATUS[code]
    problem = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, errors=tuple(parts), current=current
    )
    return Response(
        problem.model_dump_json(), status, headers=dict(headers or {}), media_type="application/problem+json"
    )


def explain(error: Exception) -> tuple[str, str]:
    """The code and the detail for a domain or store error."""
    if isinstance(error, (TillError, RewardRefused, ReturnRefused, CredentialRefused)):
        return error.code, str(error)
    if isinstance(error, CardFormatError):
        # The error's own text ends with four characters of what came: it may be a mistyped bank card.
        return "card_unknown_format", "expected a number of one of this shop's card formats, got something else"
    return next(code for kind, code in _CODES if isinstance(error, kind)), str(error)


def install(app: FastAPI) -> None:
    """Have every error of the API answered as problem details."""
    app.add_exception_handler(LoyaltyError, _on_known)
    app.add_exception_handler(SyncError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_known(_: Request, error: Exception) -> Response:
    code, detail = explain(error)
    if STATUS[code] >= 500:
        log.error("call failed", code=code, detail=detail)
    current = None
    if isinstance(error, BasketStale):
        current = CurrentBasket(version=error.version, currency=error.basket.currency, lines=error.basket.lines)
    return respond(code, detail, current=current)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    parts = [_part(detail) for detail in error.errors()[:_MAX_PARTS]]
    in_basket = getattr(request.scope.get("route"), "name", None) == _BASKET_CALL and parts[0].path.startswith("body")
    told = "; ".join(f"{part.path}: {part.expected}" for part in parts[:3])
    return respond("basket_invalid" if in_basket else "invalid_request", told, parts)


def _part(detail: Mapping[str, Any]) -> InvalidPart:
    path = ".".join(str(part) for part in detail["loc"])
    # An unknown field's name comes from the caller, and so may be anything, even a card number.
    return InvalidPart(path=_LONG_NUMBER.sub("…", path)[:120], expected=str(detail["msg"])[:200])


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "invalid_request")
    return respond(code, str(error.detail), headers=error.headers)


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected fault in a call", path=request.url.path, kind=type(error).__name__)
    return respond("internal", "an unexpected fault in the till's software; its log has the details")
