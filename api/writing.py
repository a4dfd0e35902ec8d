"""The routes that change something, by commands to its owner: apply, keys, projections; and export."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from api.ports import Commands
from api.security import may, scope_of
from domain.apikey import Principal
from domain.refusal import Refusal

router = APIRouter(prefix="/v1")
MAX_BODY = 16 * 1024 * 1024
_PROGRESS_EVERY_S = 0.2
Operator = Annotated[Principal, Depends(may("projections"))]


def _commands(request: Request) -> Commands:
    commands: Commands = request.app.state.commands
    return commands


Port = Annotated[Commands, Depends(_commands)]
CommandId = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=128, description="Repeat a request safely with the same"),
]


class KeyWish(BaseModel):
    """A key to make."""

    role: str
    tenant: str | None = None


_APPLY_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


@router.post("/apply", summary="Declare", openapi_extra=_APPLY_BODY)
async def apply(
    request: Request,
    port: Port,
    who: Annotated[Principal, Depends(may("apply"))],
    source: Annotated[str, Query(max_length=500, description="What errors call the document")] = "document",
    command_id: CommandId = None,
) -> JSONResponse:
    """Declare tenants and extensions; all of the document or nothing of it.

    Several documents go together as `{"documents": [{"source": ..., "text": ...}]}` in JSON.
    """
    documents = _documents(_text(await body_of(request, MAX_BODY, "a document")), source)
    args = {"documents": documents, "tenant": who.tenant}
    return JSONResponse(await port.call("apply", args, who.actor, command_of(who, command_id)))


@router.get("/export", summary="What is declared")
async def export(
    port: Port,
    who: Annotated[Principal, Depends(may("export"))],
    tenant: Annotated[str | None, Query()] = None,
    secrets: Annotated[bool, Query(description="With credentials, as HA1 values")] = False,
) -> JSONResponse:
    """The declared format back."""
    scope = scope_of(who, tenant)
    args = {"tenant": scope.tenant, "secrets": secrets}
    answer = await port.call("export", args, who.actor, command_of(who, None))
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


@router.post("/keys", status_code=201, summary="Make an API key")
async def create_key(
    wish: KeyWish, port: Port, who: Annotated[Principal, Depends(may("keys"))], command_id: CommandId = None
) -> JSONResponse:
    """The key is shown in this answer only."""
    answer = await port.call("keys.create", wish.model_dump(), who.actor, command_of(who, command_id))
    return JSONResponse(answer, 201, headers={"Cache-Control": "no-store"})


@router.get("/projections", summary="Projections")
async def projections(port: Port, who: Operator) -> JSONResponse:
    """How far each projection is."""
    return JSONResponse(
        {"items": await port.call("projections.list", {}, who.actor, command_of(who, None)), "next": None}
    )


@router.post("/projections/{name}/{kind}", summary="Rebuild or verify")
async def run_job(
    name: str, kind: Literal["rebuild", "verify"], port: Port, who: Operator, command_id: CommandId = None
) -> StreamingResponse:
    """Progress as JSON lines; the last one has `state` `done` or `failed`, of a verify also `differences`."""
    args = {"kind": kind, "name": name}
    started = await port.call("projections.start", args, who.actor, command_of(who, command_id))
    return StreamingResponse(_progress(port, who, started["job"]), media_type="application/x-ndjson")


async def _progress(port: Commands, who: Principal, job: str | int) -> AsyncIterator[str]:
    last: Any = None
    while True:
        try:
            now = await port.call("projections.progress", {"job": job}, who.actor, command_of(who, None))
        except Refusal as no:
            now = {"state": "failed", "detail": f"the progress cannot be seen any more: {no.detail}"}
        if now != last:
            yield json.dumps(now) + "\n"
            last = now
        if now["state"] in ("done", "failed"):
            return
        await asyncio.sleep(_PROGRESS_EVERY_S)


def command_of(who: Principal, given: str | None) -> str:
    """A repeated Idempotency-Key means the same command only if the same key sends it."""
    return f"{who.id}/{given}" if given else uuid4().hex


async def body_of(request: Request, most: int, what: str) -> bytes:
    """All of it. Raises HTTPException(413) for more than `most` bytes; `what` it is for."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"{what} has at most {most} bytes")
        parts.append(part)
    return b"".join(parts)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("invalid", "the document is not UTF-8") from None


def _documents(body: str, source: str) -> list[dict[str, str]]:
    if body.lstrip().startswith("{"):
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = {}
        bundle = content.get("documents")
        if isinstance(bundle, list) and content.keys() == {"documents"}:
            return [_document(one) for one in bundle]
    return [{"source": source, "text": body}]


def _document(one: Any) -> dict[str, str]:
    if not isinstance(one, dict) or not isinstance(one.get("text"), str) or not isinstance(one.get("source"), str):
        raise Refusal("invalid", "each of the documents needs `source` and `text`, both text", field="documents")
    return {"source": one["source"], "text": one["text"]}
