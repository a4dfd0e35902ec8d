"""The commands of an edge: how its node does is how its workers do.

What may live here: who is asked, and how their answers become one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from adapters.command.local import Command, CommandClient, Handler
from domain.refusal import Refusal
from switchlog.node.worker import SESSIONS, socket_of_worker

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_ANSWER_S = 2.0
_WORST = ("_seconds", "pressure", "media_workers", "media_legs", "media_late_ticks_total")
"""How the names of those metrics end of which a node has the worst of its processes', or what all of them see alike; it
has the sum of others."""


class Client(Protocol):
    """Asks one process. Raises Refusal."""

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any: ...


def of_node(settings: Settings) -> Mapping[str, Client]:
    """The workers of an edge's node, by the names of their processes."""
    return {
        f"{SESSIONS}-{number}": CommandClient(settings.data / socket_of_worker(number), _ANSWER_S)
        for number in range(1, settings.workers + 1)
    }


def handlers(inner: Mapping[str, Handler], workers: Mapping[str, Client]) -> Mapping[str, Handler]:
    """What `inner` has; `ping` and `metrics` are the whole node's."""

    async def ask(name: str, command: Command) -> dict[str, Any]:
        asked: dict[str, Any] = await workers[name].call(command.name, {}, command.actor, f"{command.id}:{name}")
        return asked

    async def ping(command: Command) -> dict[str, Any]:
        found: dict[str, Any] = await inner["ping"](command)
        for name, answer in zip(
            workers, await asyncio.gather(*(ask(one, command) for one in workers), return_exceptions=True), strict=True
        ):
            if isinstance(answer, Refusal):
                raise Refusal(answer.kind, f"{name}: {answer.detail}")
            if isinstance(answer, BaseException):
                raise answer
            found = found | {"calls": found["calls"] + answer["calls"]}
        return found

    async def metrics(command: Command) -> dict[str, float]:
        asked = await asyncio.gather(*(ask(one, command) for one in workers), return_exceptions=True)
        return together([await inner["metrics"](command), *(one for one in asked if isinstance(one, dict))])

    async def media(command: Command) -> Any:
        """Asked of one: all have the same media workers, and are told by those what they are to know."""
        name, client = next(iter(workers.items()))
        return await client.call(command.name, command.args, command.actor, f"{command.id}:{name}")

    return {**inner, "ping": ping, "metrics": metrics, "media": media, "media.drain": media}


def together(several: list[dict[str, float]]) -> dict[str, float]:
    """The metrics of a node from those of its processes. One that does not answer is being started: it is left out."""
    found: dict[str, float] = {}
    for one in several:
        for name, value in one.items():
            before = found.get(name, 0.0)
            found[name] = max(before, value) if name.endswith(_WORST) else before + value
    return found
