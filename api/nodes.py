"""The routes about the nodes of an installation: who they are, and to let one be empty before it is stopped."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.security import may
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal

router = APIRouter(prefix="/v1")
Operator = Annotated[Principal, Depends(may("nodes"))]


@router.get("/nodes", summary="Nodes")
async def nodes(port: Port, who: Operator) -> JSONResponse:
    """The living nodes; `shards`, `calls` and `lag` are null of one that does not say at the moment."""
    return JSONResponse({"items": await port.call("nodes", {}, who.actor, command_of(who, None)), "next": None})


@router.post("/nodes/{name}/{what}", summary="Drain or resume")
async def drain(
    name: str, what: Literal["drain", "resume"], port: Port, who: Operator, command_id: CommandId = None
) -> JSONResponse:
    """Answers when all shards of a node are others', or with how many are left; or lets it take shards again."""
    return JSONResponse(await port.call(f"nodes.{what}", {"name": name}, who.actor, command_of(who, command_id)))
