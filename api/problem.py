"""Every error as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from domain.refusal import Kind, Refusal

_log = structlog.get_logger(__name__)
_STATUS: dict[Kind, int] = {"invalid": 422, "forbidden": 403, "missing": 404, "conflict": 409, "unavailable": 503}


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> ProblemResponse:
    """`title` is the status's phrase; members of `more` that are empty are left out."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return ProblemResponse(content | {k: v for k, v in more.items() if v}, status, headers)


def install(app: FastAPI) -> None:
    """Let the application answer every error so."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)


async def _refusal(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, Refusal)
    headers = {"Retry-After": "1"} if error.kind == "unavailable" else None
    place = {"source": error.source, "line": error.line, "field": error.field}
    return problem(_STATUS[error.kind], error.detail, headers, **place)


async def _http(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), dict(error.headers or {}))


async def _validation(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return problem(422, f"{field}: {first['msg']}" if field else str(first["msg"]), field=field)


async def _unexpected(request: Request, error: Exception) -> ProblemResponse:
    _log.error("a request failed", path=request.url.path, exc_info=error)
    return problem(500, "this is our fault: the log has the reason")
