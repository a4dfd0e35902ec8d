"""The routing decision: pure, so that it can be explained and rehearsed."""

from __future__ import annotations

from domain.routing.directory import Directory
from domain.routing.plan import RoutePlan
from domain.values import UNALLOCATED

MEDIA_S = 5
"""How long a call waits for media of our own: a worker that died is there again much sooner."""


def route(tenant: str, dialled: str, directory: Directory) -> RoutePlan:
    """The plan for `dialled` inside `tenant`: an extension, a room or a mailbox of the same tenant, by number."""
    extension, box = directory.extension(tenant, dialled), directory.box(tenant, dialled)
    if extension is not None:
        has_box = ", which has a mailbox" if box is not None else ""
        return RoutePlan(
            rule="extension",
            evidence=f"{dialled} is the extension of {extension.name}{has_box}",
            version=directory.version,
            extension=extension.number,
            ring_s=extension.ring_s,
            mailbox=box.number if box is not None else "",
        )
    room = directory.room(tenant, dialled)
    if room is not None:
        return RoutePlan(
            rule="conference",
            evidence=f"{dialled} is the conference {room.name}",
            version=directory.version,
            ring_s=MEDIA_S,
            room=room.number,
        )
    if box is not None:
        return RoutePlan("mailbox", f"{dialled} is a mailbox", directory.version, ring_s=MEDIA_S, mailbox=box.number)
    if evidence := _messages(tenant, dialled, directory):
        return RoutePlan("messages", evidence, directory.version, ring_s=MEDIA_S, messages=dialled)
    return RoutePlan(
        rule="unknown",
        evidence=f"no extension {dialled} in {tenant}",
        version=directory.version,
        refusal=UNALLOCATED,
    )


def _messages(tenant: str, dialled: str, directory: Directory) -> str:
    """Why messages are heard at a number: one's own, or of the mailbox whose number follows; empty if none are."""
    voicemail = directory.voicemail(tenant)
    if not voicemail or not dialled.startswith(voicemail):
        return ""
    number = dialled.removeprefix(voicemail)
    if not number:
        return f"{dialled} is dialled to hear one's messages"
    return f"{dialled} is dialled to hear the messages for {number}" if directory.box(tenant, number) else ""
