"""The commands about media workers: how they are, and to let one be empty before it ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.command.local import Command, Handler
from switchlog.session.session import Session


def handlers(session: Session) -> Mapping[str, Handler]:
    """`media` -> the workers of this node; `media.drain` {worker} -> how it is, while others get what it has."""

    async def media(command: Command) -> list[dict[str, Any]]:
        return session.media.workers()

    async def drain(command: Command) -> dict[str, Any]:
        return session.media.drain(command.args["worker"])

    return {"media": media, "media.drain": drain}
