"""The routes about conferences: who is in which, and what may be done there from outside."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from api.security import may, scope_of
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal
from domain.refusal import Refusal

router = APIRouter(prefix="/v1/conferences")
Supervisor = Annotated[Principal, Depends(may("conferences"))]
Tenant = Annotated[str | None, Query(description="Whose room it is; of a key with a tenant its own")]


@router.get("", summary="Conferences")
async def conferences(
    port: Port, who: Supervisor, tenant: Annotated[str | None, Query(description="Only this tenant (slug)")] = None
) -> JSONResponse:
    """Those in which somebody is now, with their members in the order in which they came."""
    args = {"tenant": scope_of(who, tenant).tenant}
    items = await port.call("conferences", args, who.actor, command_of(who, None))
    return JSONResponse({"items": items, "next": None})


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
    scope = scope_of(who, tenant)
    if scope.tenant is None:
        raise Refusal("invalid", "say whose room it is: ?tenant=SLUG", field="tenant")
    answer = await port.call(
        "conferences.change", args | {"tenant": scope.tenant}, who.actor, command_of(who, command_id)
    )
    return JSONResponse(answer)
