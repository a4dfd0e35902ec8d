"""The routes about mailboxes: which messages are there, what was said, and what is to become of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from api.ports import Messages
from api.security import may, one_tenant, scope_of
from api.sound import pieces
from api.writing import CommandId, Port, body_of, command_of
from domain.apikey import Principal
from domain.refusal import Refusal

router = APIRouter(prefix="/v1/mailboxes")
Keeper = Annotated[Principal, Depends(may("mailboxes"))]
Tenant = Annotated[str | None, Query(description="Whose mailbox it is; of a key with a tenant its own")]
State = Annotated[Literal["busy", "away", "none"], Path(description="For which callers")]
_PRIVATE = {"Cache-Control": "no-store"}
MAX_WAVE = 48 * 1024 * 1024
"""Two minutes of stereo at 48 kHz, of 32 bits."""
_WAVE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("", summary="Mailboxes")
async def mailboxes(
    port: Port, who: Keeper, tenant: Annotated[str | None, Query(description="Only this tenant (slug)")] = None
) -> JSONResponse:
    """Each with the numbers of new messages, and of those that have been heard."""
    args = {"tenant": scope_of(who, tenant).tenant}
    items = await port.call("mailboxes", args, who.actor, command_of(who, None))
    return JSONResponse({"items": items, "next": None})


@router.get("/{number}/messages", summary="Messages")
async def messages(number: str, port: Port, who: Keeper, tenant: Tenant = None) -> JSONResponse:
    """The new ones first, the oldest of them first."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number}
    items = await port.call("mailboxes.messages", args, who.actor, command_of(who, None))
    return JSONResponse({"items": items, "next": None})


@router.get("/{number}/messages/{message}/audio", summary="What was said", response_class=StreamingResponse)
async def audio(
    number: str, message: str, request: Request, port: Port, who: Keeper, tenant: Tenant = None
) -> StreamingResponse:
    """A WAV, whose SHA-256 is that of the message. To hear it does not mark it as heard."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number, "message": message}
    found = await port.call("mailboxes.audio", args, who.actor, command_of(who, None))
    return await _wave(request, found, message)


@router.post("/{number}/messages/{message}/{what}", summary="Mark as heard or new")
async def change(
    number: str,
    message: str,
    what: Literal["heard", "new"],
    port: Port,
    who: Keeper,
    tenant: Tenant = None,
    command_id: CommandId = None,
) -> JSONResponse:
    """The lamps of the phones follow. `changed` is false if it was so already."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number, "message": message, "what": what}
    return JSONResponse(await port.call("mailboxes.change", args, who.actor, command_of(who, command_id)))


@router.delete("/{number}/messages/{message}", summary="Delete")
async def delete(
    number: str, message: str, port: Port, who: Keeper, tenant: Tenant = None, command_id: CommandId = None
) -> JSONResponse:
    """Nobody hears it any more, and its file is erased."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number, "message": message, "what": "delete"}
    return JSONResponse(await port.call("mailboxes.change", args, who.actor, command_of(who, command_id)))


@router.get("/{number}/greetings", summary="Recorded greetings")
async def greetings(number: str, port: Port, who: Keeper, tenant: Tenant = None) -> JSONResponse:
    """What callers hear where that is recorded; elsewhere the declared text is spoken."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number}
    items = await port.call("mailboxes.greetings", args, who.actor, command_of(who, None))
    return JSONResponse({"items": items, "next": None})


@router.get("/{number}/greetings/{greeting}/audio", summary="A greeting", response_class=StreamingResponse)
async def greeting_audio(
    number: str, greeting: State, request: Request, port: Port, who: Keeper, tenant: Tenant = None
) -> StreamingResponse:
    """A WAV, whose SHA-256 is that in the list."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number, "greeting": greeting}
    found = await port.call("mailboxes.greeting", args, who.actor, command_of(who, None))
    return await _wave(request, found, f"{number}-{greeting}")


@router.put("/{number}/greetings/{greeting}/audio", summary="Bring a greeting", openapi_extra=_WAVE_BODY)
async def greet(
    number: str,
    greeting: State,
    request: Request,
    port: Port,
    who: Keeper,
    tenant: Tenant = None,
    command_id: CommandId = None,
) -> JSONResponse:
    """A WAV of up to two minutes, which is heard in the place of the declared text, or of what was recorded before."""
    whose = one_tenant(who, tenant, "mailbox")
    args = {"tenant": whose, "number": number, "greeting": greeting}
    await port.call("mailboxes.greetings", args, who.actor, command_of(who, None))  # there has to be such a mailbox
    kept: Messages = request.app.state.messages
    brought = await asyncio.to_thread(kept.bring, whose, await body_of(request, MAX_WAVE, "a greeting"))
    about: dict[str, str | int] = {"message": brought.message, "file": brought.file, "key": brought.key.hex()}
    about |= {"sha256": brought.sha256, "duration_ms": brought.duration_ms}
    try:
        answer = await port.call("mailboxes.greet", args | about, who.actor, command_of(who, command_id))
    except Refusal as no:
        if no.kind != "unavailable":  # else it may have been taken all the same, and then its file is needed
            await asyncio.to_thread(kept.discard, brought.file)
        raise
    if answer["message"] != brought.message:  # a repetition of one that was taken
        await asyncio.to_thread(kept.discard, brought.file)
    return JSONResponse({"greeting": greeting, "sha256": brought.sha256, "duration_ms": brought.duration_ms})


@router.delete("/{number}/greetings/{greeting}", summary="Erase a greeting")
async def ungreet(
    number: str, greeting: State, port: Port, who: Keeper, tenant: Tenant = None, command_id: CommandId = None
) -> JSONResponse:
    """The declared text is spoken again."""
    args = {"tenant": one_tenant(who, tenant, "mailbox"), "number": number, "greeting": greeting}
    return JSONResponse(await port.call("mailboxes.ungreet", args, who.actor, command_of(who, command_id)))


async def _wave(request: Request, found: dict[str, str], name: str) -> StreamingResponse:
    kept: Messages = request.app.state.messages
    sound = await asyncio.to_thread(kept.audio, found["file"], bytes.fromhex(found["key"]))
    headers = {"Content-Length": str(len(sound)), "Content-Disposition": f'attachment; filename="{name}.wav"'}
    return StreamingResponse(pieces(sound, 0, len(sound)), media_type="audio/wav", headers=headers | _PRIVATE)
