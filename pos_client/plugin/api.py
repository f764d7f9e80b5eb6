"""The loopback API, put together: gate, calls, problem details, OpenAPI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.routing import Match

from pos_client import __version__
from pos_client.plugin import (
    adapters,
    looking,
    manager,
    office,
    pair,
    problems,
    receipts,
    sales,
    standing,
    stream,
    web_socket,
)
from pos_client.plugin.answered import Answered
from pos_client.plugin.gate import OPENAPI_PATH, Gate, Needs
from pos_client.plugin.messages import Problem
from pos_client.plugin.rate import PROGRAMS, STRANGERS, Buckets, Rate
from pos_client.runtime import Runtime
from pos_client.tokens import Scope

_DESCRIPTION = """Loyalty for the till's own software, on this machine alone. Amounts are integers in minor units
(cents), points are integers, times are ISO 8601 in UTC. Every error is RFC 9457 problem details with a stable `code`.
"""

# "default" also keeps FastAPI from announcing its own shape of validation errors, which this API never sends.
_PROBLEMS: dict[int | str, dict[str, Any]] = {"default": {"model": Problem, "description": "What is wrong (RFC 9457)"}}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1, with what FastAPI does not say: problems under their own media type, and what the gate adds."""
        schema = super().openapi()
        told = {"description": standing.DESCRIPTION, "required": True, "schema": standing.SCHEMA}
        schema["components"]["headers"] = {standing.STANDING: told}
        for path in schema["paths"].values():
            for call in path.values():
                if problem := call["responses"].get("default"):
                    problem["content"] = {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    }
                for status, answer in call["responses"].items():
                    if status.startswith("2"):
                        promised = answer.setdefault("headers", {})
                        promised[standing.STANDING] = {"$ref": f"#/components/headers/{standing.STANDING}"}
        return schema


_SCOPES = (
    (sales.router, Scope.SELL),
    (sales.returns, Scope.SELL),
    (receipts.router, Scope.SELL),
    (office.status_router, Scope.READ),
    (office.router, Scope.MANAGE),
    (manager.router, Scope.MANAGE),
    (pair.router, Scope.MANAGE),
    (looking.router, Scope.READ),
    (stream.router, Scope.READ),
)
"""Which token it takes for which calls."""


def create_api(runtime: Runtime, token: str, programs: Rate = PROGRAMS, strangers: Rate = STRANGERS) -> FastAPI:
    """The application with every call under /v1, open to those with a paired token or with `token`.

    The screens are mounted on the same application afterwards; the checks of Host and Origin hold for them too.

    Args:
        token: the till's own, for Spaarpunt's commands.
        programs: how often each program may call.
        strangers: how often callers without a token may, together.
    """
    app = _Api(
        title="Spaarpunt till",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # FastAPI's documentation pages load scripts from the internet, which a till has not
        redoc_url=None,
    )
    app.state.runtime = runtime
    app.state.hub = stream.Hub(runtime.bus)
    app.state.endings = [app.state.hub.end_all]
    app.state.answered = Answered(runtime.store)
    runtime.tokens.on_revoked(app.state.hub.end_of)
    app.add_middleware(
        Gate,
        token=token,
        tokens=runtime.tokens,
        buckets=Buckets(programs, strangers),
        origins=runtime.config.plugin.origins,
        doors={adapters.odoo.PATH: runtime.config.adapters.odoo_origins},
        standing=standing.Standing(runtime),
        tongues=adapters.tongues(runtime),
    )
    problems.install(app)
    app.add_exception_handler(stream.TooManyListeners, stream.on_too_many)
    for router, scope in _SCOPES:
        app.include_router(router, dependencies=[Depends(Needs(scope))], responses=_PROBLEMS)
    app.include_router(pair.strangers, responses=_PROBLEMS)
    app.include_router(web_socket.router)
    for router in adapters.routers(runtime, app.state.answered, app.state.endings):
        app.include_router(router)
    app.add_route("/v1/{rest:path}", _no_such_call, methods=_METHODS, include_in_schema=False)
    return app


def end_streams(app: FastAPI) -> None:
    """End every event stream and waiting call of `app`; a server calls this on its event loop when it is to stop.

    Streams have no end of their own: a server that waits for its connections would wait for them until its time-out.
    """
    for end in cast(list[Callable[[], None]], app.state.endings):
        end()


async def _no_such_call(request: Request) -> Response:
    """Everything under /v1 that is no call: the screen, mounted at /, would answer with a page for people."""
    routes = (route for route in request.app.routes if getattr(route, "endpoint", None) is not _no_such_call)
    if any(route.matches(request.scope)[0] is Match.PARTIAL for route in routes):
        return problems.respond(
            "method_not_allowed", f"this call is not made with {request.method}: see {OPENAPI_PATH}"
        )
    return problems.respond("not_found", f"no such call: see {OPENAPI_PATH}")
