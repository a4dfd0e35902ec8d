"""The routes about recordings of calls: which there are, how they sound, and steering and erasing them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from api.page import read_page, write_page
from api.ports import RecordingFilter, Recordings
from api.security import may, scope_of
from api.sound import pieces
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal
from domain.refusal import Refusal

router = APIRouter(prefix="/v1")
Listener = Annotated[Principal, Depends(may("recordings"))]
_RANGE = re.compile(r"bytes=(\d{1,18})?-(\d{1,18})?", re.ASCII)
_encode = msgspec.json.Encoder().encode
_decode_cursor = msgspec.json.Decoder(tuple[datetime, str]).decode


def _recordings(request: Request) -> Recordings:
    found: Recordings = request.app.state.recordings
    return found


Reads = Annotated[Recordings, Depends(_recordings)]


@router.get("/recordings", summary="Recordings")
async def recordings(
    reads: Reads,
    who: Listener,
    tenant: Annotated[str | None, Query(description="Only this tenant (slug)")] = None,
    since: Annotated[datetime | None, Query(alias="from", description="Begun at or after (ISO 8601)")] = None,
    until: Annotated[datetime | None, Query(alias="to", description="Begun before (ISO 8601)")] = None,
    call: Annotated[UUID | None, Query(description="Only this call's")] = None,
    cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many items")] = 100,
) -> Response:
    """The newest first; those that go on have no `stopped_at` yet, those that were erased are not among them."""
    for name, value in (("from", since), ("to", until)):
        if value is not None and value.tzinfo is None:
            raise Refusal("invalid", f"{name} needs a time zone, such as 2026-03-01T09:00:00Z", field=name)
    before = read_page(cursor, _decode_cursor) if cursor else None
    rows = await reads.recordings(scope_of(who, tenant), RecordingFilter(since, until, call), limit + 1, before)
    items = list(rows[:limit])
    following = write_page(items[-1]["started_at"], items[-1]["recording"]) if len(rows) > limit else None
    return Response(_encode({"items": items, "next": following}), media_type="application/json")


@router.get("/recordings/{recording}", summary="A recording")
async def recording(reads: Reads, who: Listener, recording: str) -> Response:
    """What its call's events say of it."""
    found = await reads.recording(scope_of(who, None), recording)
    return Response(_encode(found), media_type="application/json")


@router.get(
    "/recordings/{recording}/audio",
    summary="Its sound",
    response_class=StreamingResponse,
    responses={200: {"content": {"audio/wav": {}}}, 206: {"content": {"audio/wav": {}}}},
)
def audio(
    reads: Reads,
    who: Listener,
    recording: str,
    wanted: Annotated[str | None, Header(alias="Range", description="A part of it (RFC 9110)")] = None,
) -> Response:
    """A WAV of 16 bits; its SHA-256 is the one in the list and in the event `call.recording_stopped`."""
    sound = reads.audio(scope_of(who, None), recording)
    size = len(sound)
    part = _part(wanted, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{recording}.wav"',
    }
    if part is None:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = part
    headers["Content-Length"] = str(end - start)
    status = 200
    if wanted is not None and (start, end) != (0, size):
        status, headers["Content-Range"] = 206, f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(pieces(sound, start, end), status, headers, "audio/wav")


@router.post("/calls/{call_id}/recording/{wish}", summary="Record a call")
async def steer(
    call_id: UUID,
    wish: Literal["start", "stop", "pause", "resume", "mask", "unmask"],
    port: Port,
    who: Annotated[Principal, Depends(may("record"))],
    command_id: CommandId = None,
) -> JSONResponse:
    """Of a call between two phones. `changed` is false if it was so already. Phones that hear each other directly are
    asked to do so through us before a recording begins: 409 if one of them refuses, 503 if none answers in time."""
    args = {"tenant": scope_of(who, None).tenant, "call_id": str(call_id), "wish": wish}
    return JSONResponse(await port.call("recordings.steer", args, who.actor, command_of(who, command_id)))


@router.delete("/recordings/{recording}", summary="Erase a recording")
async def erase(
    recording: str,
    port: Port,
    who: Annotated[Principal, Depends(may("erase"))],
    command_id: CommandId = None,
) -> JSONResponse:
    """Its file is gone for good when this answers; the journal keeps that it was, and who erased it."""
    args = {"tenant": scope_of(who, None).tenant, "recording": recording}
    return JSONResponse(await port.call("recordings.erase", args, who.actor, command_of(who, command_id)))


def _part(wanted: str | None, size: int) -> tuple[int, int] | None:
    """From where to where; None if there is nothing there. What is no single range of bytes asks for all (RFC 9110)."""
    found = _RANGE.fullmatch(wanted.strip()) if wanted is not None else None
    if found is None or (found[1] is None and found[2] is None):
        return 0, size
    if found[1] is None:
        start, end = max(size - int(found[2]), 0), size
    else:
        start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] is not None else size
    return (start, end) if start < end else None
