"""The routing decision: pure, so that it can be explained and rehearsed."""

from __future__ import annotations

from domain.routing.directory import Directory
from domain.routing.plan import RoutePlan
from domain.values import UNALLOCATED

MEDIA_S = 5
"""How long a call waits for media of our own: a worker that died is there again much sooner."""


def route(tenant: str, dialled: str, directory: Directory) -> RoutePlan:
    """The plan for `dialled` inside `tenant`: an extension or a room of the same tenant, by number."""
    extension = directory.extension(tenant, dialled)
    if extension is not None:
        return RoutePlan(
            rule="extension",
            evidence=f"{dialled} is the extension of {extension.name}",
            version=directory.version,
            extension=extension.number,
            ring_s=extension.ring_s,
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
    return RoutePlan(
        rule="unknown",
        evidence=f"no extension {dialled} in {tenant}",
        version=directory.version,
        refusal=UNALLOCATED,
    )
