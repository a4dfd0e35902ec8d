"""The HTTP API: an application made of ports, with nothing concrete in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from api import conferences, mailboxes, media, nodes, operation, problem, reading, recordings, writing
from api.ports import Commands, KeyCheck, Messages, Queries, Recordings

VERSION = "1"


def create_app(
    queries: Queries, commands: Commands, keys: KeyCheck, recorded: Recordings, messages: Messages
) -> FastAPI:
    """Errors are `application/problem+json`, lists are `{"items": [...], "next": cursor | null}`."""
    app = FastAPI(
        title="Switchlog",
        version=VERSION,
        description="A cloud PBX whose switchboard is a log.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.queries, app.state.commands, app.state.keys = queries, commands, keys
    app.state.recordings, app.state.messages = recorded, messages
    app.state.meter = operation.Meter()
    app.include_router(reading.router)
    app.include_router(writing.router)
    app.include_router(nodes.router)
    app.include_router(media.router)
    app.include_router(conferences.router)
    app.include_router(recordings.router)
    app.include_router(mailboxes.router)
    operation.install(app)
    problem.install(app)
    app.middleware("http")(_measure)
    return app


async def _measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Count the answer by its route's pattern (not its path: that would be without bound); forbid sniffing."""
    response = await call_next(request)
    route = getattr(request.scope.get("route"), "path", "") or "other"
    request.app.state.meter.requests.labels(request.method, route, str(response.status_code)).inc()
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
