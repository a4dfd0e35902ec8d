"""The routes about conferences: who is in which, and what may be done there from outside."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from api.security import may, one_tenant, scope_of
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal

router = APIRouter(prefix="/v1/conferences")
Supervisor = Annotated[Principal, Depends(may("conferences"))]
_LANGUAGE = r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3})?$"
Tenant = Annotated[str | None, Query(description="Whose room it is; of a key with a tenant its own")]


@router.get("", summary="Conferences")
async def conferences(
    port: Port, who: Supervisor, tenant: Annotated[str | None, Query(description="Only this tenant (slug)")] = None
) -> JSONResponse:
    """Those in which somebody is now, with their members in the order in which they came."""
    args = {"tenant": scope_of(who, tenant).tenant}
    items = await port.call("conferences", args, who.actor, command_of(who, None))
    return JSONResponse({"items": items, "next": None})


class Announcement(BaseModel):
    """What is said aloud."""

    text: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S", description="To be spoken")]
    language: Annotated[str, Field(pattern=_LANGUAGE, description="As in BCP 47; empty = that of the room")] = ""

    def args(self, number: str, member: str) -> dict[str, str]:
        """Of the command."""
        said = {"text": self.text, "language": self.language.lower()}
        return {"number": number, "what": "announce", "member": member, **said}


@router.post("/{number}/announce", summary="Say something to all")
async def announce(
    number: str, body: Announcement, port: Port, who: Supervisor, tenant: Tenant = None, command_id: CommandId = None
) -> JSONResponse:
    """All who are inside hear it, over what they say. `changed` is true."""
    return await _changed(port, who, tenant, body.args(number, ""), command_id)


@router.post("/{number}/members/{member}/announce", summary="Say something to a member")
async def announce_to_member(
    number: str,
    member: str,
    body: Announcement,
    port: Port,
    who: Supervisor,
    tenant: Tenant = None,
    command_id: CommandId = None,
) -> JSONResponse:
    """It alone hears it, in the room's place. `changed` is true."""
    return await _changed(port, who, tenant, body.args(number, member), command_id)


@router.post("/{number}/{what}", summary="Lock or unlock")
async def change(
    number: str,
    what: Literal["lock", "unlock"],
    port: Port,
    who: Supervisor,
    tenant: Tenant = None,
    command_id: CommandId = None,
) -> JSONResponse:
    """Nobody but moderators comes in any more, or anybody again. `changed` is false if it was so already."""
    return await _changed(port, who, tenant, {"number": number, "what": what, "member": ""}, command_id)


@router.post("/{number}/members/{member}/{what}", summary="Mute, deafen, kick")
async def change_member(
    number: str,
    member: str,
    what: Literal["mute", "unmute", "deafen", "undeafen", "kick"],
    port: Port,
    who: Supervisor,
    tenant: Tenant = None,
    command_id: CommandId = None,
) -> JSONResponse:
    """Nobody hears a member, or it hears nobody, or its call is ended. `changed` is false if it was so already."""
    return await _changed(port, who, tenant, {"number": number, "what": what, "member": member}, command_id)


async def _changed(
    port: Port, who: Principal, tenant: str | None, args: dict[str, str], command_id: str | None
) -> JSONResponse:
    args = args | {"tenant": one_tenant(who, tenant, "room")}
    return JSONResponse(await port.call("conferences.change", args, who.actor, command_of(who, command_id)))
