"""The shard of a call that a request begins, or begins to end: every node must find the same one.

What may live here: that reading. Who owns the shard is asked elsewhere.
"""

from __future__ import annotations

from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request import translate
from domain.ids import shard_of_room
from domain.switchboard import Switchboard


def home_of(request: Request, switchboard: Switchboard) -> int:
    """That of the room whose number is dialled, so that a room and all its calls are at one node; else one of ours."""
    room = _room_of(request, switchboard)
    return shard_of_room(*room) if room is not None else switchboard.home(request.call_id)


def _room_of(request: Request, switchboard: Switchboard) -> tuple[str, str] | None:
    directory = switchboard.directory
    if not directory.rooms:
        return None
    try:
        tenant, _ = translate.tenant_of(request, directory)
        room = directory.room(tenant, translate.number_of(translate.request_uri(request)))
    except (MessageError, NotAllowed):  # it is refused wherever it is read in full
        return None
    return (room.tenant, room.number) if room is not None else None
