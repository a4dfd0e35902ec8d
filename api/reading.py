"""The routes that read: calls, registrations, call records, events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.page import read_page, write_page
from api.ports import CdrFilter, EventFilter, Queries
from api.security import may, scope_of
from domain.apikey import Principal
from domain.cursor import cursor_word, read_cursor
from domain.ports import Cursor as Place
from domain.refusal import Refusal

router = APIRouter(prefix="/v1")
Tenant = Annotated[str | None, Query(description="Only this tenant (slug)")]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items")]
_encode = msgspec.json.Encoder().encode
_decode_cursor = msgspec.json.Decoder(tuple[datetime, UUID]).decode


def _json(content: Any) -> Response:
    return Response(_encode(content), media_type="application/json")


def _queries(request: Request) -> Queries:
    queries: Queries = request.app.state.queries
    return queries


Reads = Annotated[Queries, Depends(_queries)]


@router.get("/calls", summary="Live calls")
async def calls(queries: Reads, who: Annotated[Principal, Depends(may("calls"))], tenant: Tenant = None) -> Response:
    """Calls that have not ended, oldest first."""
    return _json({"items": list(await queries.calls(scope_of(who, tenant))), "next": None})


@router.get("/calls/{call_id}", summary="The story of a call")
async def story(queries: Reads, who: Annotated[Principal, Depends(may("events"))], call_id: UUID) -> Response:
    """Its events, each with the SIP messages that caused it and followed from it, for a call of any age."""
    found = await queries.story(scope_of(who, None), call_id)
    if found is None:
        raise Refusal("missing", f"there is no call {call_id}")
    return _json(found)


@router.get("/registrations", summary="Bindings")
async def registrations(
    queries: Reads, who: Annotated[Principal, Depends(may("registrations"))], tenant: Tenant = None
) -> Response:
    """Where devices can be reached now."""
    return _json({"items": list(await queries.registrations(scope_of(who, tenant))), "next": None})


@router.get("/cdr", summary="Call records")
async def cdr(
    queries: Reads,
    who: Annotated[Principal, Depends(may("cdr"))],
    tenant: Tenant = None,
    since: Annotated[datetime | None, Query(alias="from", description="Started at or after (ISO 8601)")] = None,
    until: Annotated[datetime | None, Query(alias="to", description="Started before (ISO 8601)")] = None,
    number: Annotated[str | None, Query(description="Caller's, dialled or answering number")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Limit = 100,
) -> Response:
    """One row a call, newest first."""
    for name, value in (("from", since), ("to", until)):
        if value is not None and value.tzinfo is None:
            raise Refusal("invalid", f"{name} needs a time zone, such as 2026-03-01T09:00:00Z", field=name)
    before = read_page(cursor, _decode_cursor) if cursor else None
    rows = await queries.cdr(scope_of(who, tenant), CdrFilter(since, until, number), limit + 1, before)
    items = list(rows[:limit])
    return _json(
        {
            "items": items,
            "next": write_page(items[-1]["started_at"], items[-1]["call_id"]) if len(rows) > limit else None,
        }
    )


@router.get("/events", summary="The journal")
async def events(
    queries: Reads,
    who: Annotated[Principal, Depends(may("events"))],
    tenant: Tenant = None,
    stream: Annotated[UUID | None, Query(description="Only this aggregate's")] = None,
    type: Annotated[str | None, Query(description="Only this type, such as call.connected")] = None,
    after: Annotated[
        str,
        Query(description="Only after this place: `cursor` or `next` of an answer; `end` = what comes from now on"),
    ] = "0",
    limit: Limit = 100,
) -> Response:
    """Events, each stream in order. `cursor` is how far was looked: ask again with `after` = `cursor` to follow."""
    place = None if after == "end" else _parse_place(after)
    page = await queries.events(scope_of(who, tenant), EventFilter(stream, type), place, limit)
    word = cursor_word(page.cursor)
    return _json({"items": list(page.items), "next": word if page.more else None, "cursor": word})


def _parse_place(word: str) -> Place:
    try:
        return read_cursor(word)
    except ValueError:
        raise Refusal("invalid", "after must be the `cursor` or `next` of an answer, or `end`", field="after") from None
