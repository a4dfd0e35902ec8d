"""The routes about mailboxes: which messages are there, what was said, and what is to become of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from api.ports import Messages
from api.security import may, one_tenant, scope_of
from api.sound import pieces
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal

router = APIRouter(prefix="/v1/mailboxes")
Keeper = Annotated[Principal, Depends(may("mailboxes"))]
Tenant = Annotated[str | None, Query(description="Whose mailbox it is; of a key with a tenant its own")]
_PRIVATE = {"Cache-Control": "no-store"}


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
    kept: Messages = request.app.state.messages
    sound = await asyncio.to_thread(kept.audio, found["file"], bytes.fromhex(found["key"]))
    headers = {"Content-Length": str(len(sound)), "Content-Disposition": f'attachment; filename="{message}.wav"'}
    return StreamingResponse(pieces(sound, 0, len(sound)), media_type="audio/wav", headers=headers | _PRIVATE)


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
