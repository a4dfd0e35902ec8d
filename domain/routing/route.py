"""The routing decision: pure, so that it can be explained and rehearsed."""

from __future__ import annotations

from domain.routing.directory import Directory
from domain.routing.plan import RoutePlan
from domain.values import UNALLOCATED


def route(tenant: str, dialled: str, directory: Directory) -> RoutePlan:
    """The plan for `dialled` inside `tenant`: an extension of the same tenant, by number."""
    extension = directory.extension(tenant, dialled)
    if extension is None:
        return RoutePlan(
            rule="unknown",
            evidence=f"no extension {dialled} in {tenant}",
            version=directory.version,
            refusal=UNALLOCATED,
        )
    return RoutePlan(
        rule="extension",
        evidence=f"{dialled} is the extension of {extension.name}",
        version=directory.version,
        extension=extension.number,
        ring_s=extension.ring_s,
    )
