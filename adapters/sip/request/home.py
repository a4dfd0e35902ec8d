"""The shard of a call that a request begins, or begins to end: every node must find the same one.

What may live here: that reading. Who owns the shard is asked elsewhere.
"""

from __future__ import annotations

from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import MessageError, Request
from adapters.sip.request import translate
from domain.ids import shard_of_registration, shard_of_room
from domain.routing.directory import Directory
from domain.switchboard import Switchboard


def home_of(request: Request, switchboard: Switchboard) -> int:
    """That of the room or of the mailbox which the call is for, or may come to be for, so that each of them and all its
    calls are at one node; else one of ours."""
    shard = _shared_with(request, switchboard.directory)
    return shard if shard is not None else switchboard.home(request.call_id)


def _shared_with(request: Request, directory: Directory) -> int | None:
    if not directory.rooms and not directory.boxes:
        return None
    try:
        tenant, _ = translate.tenant_of(request, directory)
        dialled = translate.number_of(translate.request_uri(request))
        caller = translate.number_of(request.from_.uri)
    except (MessageError, NotAllowed):  # it is refused wherever it is read in full
        return None
    if directory.room(tenant, dialled) is not None:
        return shard_of_room(tenant, dialled)
    box = _mailbox(tenant, dialled, caller, directory)
    return shard_of_registration(tenant, box) if box else None


def _mailbox(tenant: str, dialled: str, caller: str, directory: Directory) -> str:
    """The number of the mailbox in which the caller may leave a message, or hear those that are there."""
    number, voicemail = dialled, directory.voicemail(tenant)
    if voicemail and dialled.startswith(voicemail) and directory.extension(tenant, dialled) is None:
        known = directory.extension_of(tenant, caller)
        number = dialled.removeprefix(voicemail) or (known.number if known is not None else caller)
    return number if directory.box(tenant, number) is not None else ""
