"""The commands about recordings of calls.

What may live here: those handlers. They run on the session's loop, as everything does that touches a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from adapters.command.local import Command, Handler
from domain.call.call import Call
from domain.call.input import RecordingAsked
from domain.refusal import Refusal
from switchlog.desk.change import changed
from switchlog.session.demand import Demands
from switchlog.session.session import Session

_PATIENCE_S = 12.0
"""Who asks from another node waits a little longer."""


def handlers(session: Session, patience_s: float = _PATIENCE_S) -> Mapping[str, Handler]:
    """`recordings.steer` {tenant, call_id, wish} -> {changed}, `recordings.erase` {tenant, recording} -> {erased}.

    For so long phones are waited for that have to agree on other media before.
    """

    async def steer(command: Command) -> dict[str, Any]:
        args = command.args
        call = session.board.find(UUID(args["call_id"]))
        if call is None or args["tenant"] not in (None, call.tenant) or not call.talked:
            raise Refusal("missing", f"there is no call {args['call_id']} now that was answered", field="call_id")
        if session.studio is None:
            raise Refusal("unavailable", "there are no media here, so nothing is recorded: set SWITCHLOG_MEDIA_PORTS")
        _check(call, args["wish"])
        lost = Refusal("unavailable", f"the shard of the call {call.id} is being claimed: ask again")
        handle = partial(session.board.handle, call.id, RecordingAsked(command.id, command.actor, args["wish"]))
        if args["wish"] == "start" and not call.recorded_now:
            return await _started(session.demands, call, partial(changed, handle, lost), patience_s)
        return await changed(handle, lost)

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


def _check(call: Call, wish: str) -> None:
    """Raises Refusal if the call can never be recorded, or not now."""
    if call.callee.media:
        raise Refusal("conflict", "only what two phones say to each other is recorded, and this call ends here")
    detour = call.detour
    if wish == "start" and detour is not None and not detour.by:
        raise Refusal("conflict", "the way of this call's media is being changed: ask again in some seconds")


async def _started(
    demands: Demands, call: Call, ask: Callable[[], Coroutine[Any, Any, dict[str, bool]]], patience_s: float
) -> dict[str, bool]:
    """What `ask` answers, once the recording has begun: phones that hear each other directly are asked before."""
    done: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()

    def outcome(refusal: Refusal | None) -> None:
        if not done.done():  # who asked may have given up just now
            done.set_result(refusal)

    demands.wait(call.id, outcome)
    try:
        answer = await ask()
        if call.recorded_now or not (answer["changed"] or call.detour):
            return answer
        async with asyncio.timeout(patience_s):
            refusal = await done
    except TimeoutError:
        raise Refusal("unavailable", "the phones have not agreed yet: the recording begins once they do") from None
    finally:
        demands.forget(call.id, outcome)
    if refusal is not None:
        raise refusal
    return answer
