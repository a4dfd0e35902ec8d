"""The commands about conferences: who is in which, and what others than their members may do there.

What may live here: those handlers. They run on the session's loop, as everything does that touches a conference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapters.command.local import Command, Handler
from adapters.media.room import RoomName
from domain.conference.conference import Conference, Standing
from domain.conference.input import Announce, Deafen, Input, Kick, Lock, Mute
from domain.ids import call_of_leg, shard_of_room
from domain.refusal import Refusal
from domain.routing.directory import Directory
from switchlog.desk.change import changed
from switchlog.session.session import Session

_OF_ROOMS: Mapping[str, Callable[[str, str], Input]] = {
    "lock": lambda cause, actor: Lock(cause, actor, "", True),
    "unlock": lambda cause, actor: Lock(cause, actor, "", False),
}
_OF_MEMBERS: Mapping[str, Callable[[str, str, str], Input]] = {
    "mute": lambda cause, actor, leg: Mute(cause, actor, "", leg, True),
    "unmute": lambda cause, actor, leg: Mute(cause, actor, "", leg, False),
    "deafen": lambda cause, actor, leg: Deafen(cause, actor, "", leg, True),
    "undeafen": lambda cause, actor, leg: Deafen(cause, actor, "", leg, False),
    "kick": lambda cause, actor, leg: Kick(cause, actor, "", leg),
}


def handlers(session: Session, directory: Callable[[], Directory]) -> Mapping[str, Handler]:
    """`conferences` {tenant} and `conferences.change` {tenant, number, what, member, text, language} -> {changed}.

    `text` and `language` are of what is announced.
    """

    async def conferences(command: Command) -> list[dict[str, Any]]:
        studio, tenant = session.studio, command.args.get("tenant")
        going_on = studio.hall.conferences() if studio else ()
        found = [_shown(one, directory()) for one in going_on if tenant in (None, one.tenant)]
        return sorted(found, key=lambda one: (one["tenant"], one["number"]))

    async def change(command: Command) -> dict[str, Any]:
        args = command.args
        room = RoomName(args["tenant"], args["number"])
        if not session.board.owns(shard_of_room(*room)):
            raise _lost(room)
        conference = session.studio.hall.find(room) if session.studio else None
        if conference is None or session.studio is None:
            raise Refusal("missing", f"nobody is in a conference {room.number} now", field="number")
        inp = _input(conference, command)
        return await changed(partial(session.studio.hall.handle, room, inp), _lost(room))

    return {"conferences": conferences, "conferences.change": change}


def _lost(room: RoomName) -> Refusal:
    return Refusal("unavailable", f"the shard of the room {room.number} is being claimed: ask again")


def _input(conference: Conference, command: Command) -> Input:
    """Raises Refusal."""
    what, leg, text = command.args["what"], command.args["member"], command.args.get("text", "")
    if not leg and text:
        return Announce(command.id, command.actor, "", "", text, command.args.get("language", ""))
    if not leg:
        return _OF_ROOMS[what](command.id, command.actor)
    member = conference.members.get(leg)
    if member is None or member.standing is not Standing.INSIDE:
        raise Refusal("missing", f"there is no member {leg} in the conference {conference.number} now", field="member")
    if text:
        return Announce(command.id, command.actor, "", leg, text, command.args.get("language", ""))
    return _OF_MEMBERS[what](command.id, command.actor, leg)


def _shown(conference: Conference, directory: Directory) -> dict[str, Any]:
    declared = directory.room(conference.tenant, conference.number)
    return {
        "tenant": conference.tenant,
        "number": conference.number,
        "name": declared.name if declared else "",
        "conference_id": conference.id,
        "locked": conference.locked,
        "since": conference.created_on,
        "members": [
            {
                "member": one.leg,
                "call_id": call_of_leg(one.leg),
                "number": one.number,
                "name": one.name,
                "standing": one.standing.value,
                "moderator": one.moderator,
                "muted": one.muted,
                "deaf": one.deaf,
                "since": one.arrived_at,
            }
            for one in conference.members.values()
        ],
    }
