"""The routes about media workers: how they are, and to let one be empty before it ends."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from api.security import may
from api.writing import CommandId, Port, command_of
from domain.apikey import Principal

router = APIRouter(prefix="/v1")
Operator = Annotated[Principal, Depends(may("media"))]


@router.get("/media", summary="Media workers")
async def workers(port: Port, who: Operator) -> JSONResponse:
    """Those of the node that is asked; `pressure` is the share of its time that a worker works."""
    return JSONResponse({"items": await port.call("media", {}, who.actor, command_of(who, None)), "next": None})


@router.post("/media/{worker}/drain", summary="Drain a media worker")
async def drain(worker: int, port: Port, who: Operator, command_id: CommandId = None) -> JSONResponse:
    """Its rooms and calls go to others, one after the other; then it ends, and a new one is started in its place.

    Answers at once: it has been replaced when it is not `draining` any more.
    """
    return JSONResponse(await port.call("media.drain", {"worker": worker}, who.actor, command_of(who, command_id)))
