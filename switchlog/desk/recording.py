"""The commands about recordings of calls.

What may live here: those handlers. They run on the session's loop, as everything does that touches a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from adapters.command.local import Command, Handler
from domain.call.input import RecordingAsked
from domain.refusal import Refusal
from switchlog.desk.change import changed
from switchlog.session.session import Session


def handlers(session: Session) -> Mapping[str, Handler]:
    """`recordings.steer` {tenant, call_id, wish} -> {changed}, `recordings.erase` {tenant, recording} -> {erased}."""

    async def steer(command: Command) -> dict[str, Any]:
        args = command.args
        call = session.board.find(UUID(args["call_id"]))
        if call is None or args["tenant"] not in (None, call.tenant) or not call.talked:
            raise Refusal("missing", f"there is no call {args['call_id']} now that was answered", field="call_id")
        if not call.is_relayed or call.unreached:
            raise Refusal(
                "conflict",
                "the phones of this call hear each other directly, so nothing can be recorded: declare for one of their"
                " extensions recording: {mode: on_demand}",
            )
        lost = Refusal("unavailable", f"the shard of the call {call.id} is being claimed: ask again")
        asked = RecordingAsked(command.id, command.actor, args["wish"])
        return await changed(partial(session.board.handle, call.id, asked), lost)

    async def erase(command: Command) -> dict[str, Any]:
        if session.studio is None:
            raise Refusal("unavailable", "there are no media here, so nothing is erased: set SWITCHLOG_MEDIA_PORTS")
        args = command.args
        done: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()
        session.studio.eraser.erase(args["recording"], args["tenant"], command.actor, command.actor, done.set_result)
        refusal = await done
        if refusal is not None:
            raise refusal
        return {"erased": True}

    return {"recordings.steer": steer, "recordings.erase": erase}
