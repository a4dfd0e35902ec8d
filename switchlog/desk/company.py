"""The commands of a node that has others beside it: what another one holds is asked of that one, and about all nodes.

What may live here: who is asked. What commands do is `desk`'s.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from adapters.command.kafka import KafkaCommands
from adapters.command.local import Command, Handler, carry_out
from domain.call.recording import call_of_recording
from domain.ids import CONFIG_SHARD, shard_of, shard_of_registration, shard_of_room
from domain.node import Neighbour, home_of
from domain.ports import Post, Sealer
from domain.refusal import Refusal

OFFICE = f"shard:{CONFIG_SHARD}"
"""Who is asked by an API that is at no node: the owner of configuration."""
WRITES = frozenset({"apply", "keys.create"})
"""What only that one can do."""
_STEERED = frozenset({"recordings.steer", "recordings.erase"})
_LISTS = frozenset({"conferences", "mailboxes"})
"""What each node has some of."""
_ABOUT_MESSAGES = frozenset(f"mailboxes.{name}" for name in ("messages", "audio", "change"))
_AT_MAILBOX = _ABOUT_MESSAGES | {f"mailboxes.{name}" for name in ("greetings", "greeting", "greet", "ungreet")}
_OF_NODES = frozenset({"nodes", "nodes.drain", "nodes.resume"})
_OF_ALL = _OF_NODES | _LISTS | _STEERED | _AT_MAILBOX | {"conferences.change"}
"""What any node can do, and such an API asks."""
_STATUS_S = 2.0
DRAIN_S = 20.0


class Node(Protocol):
    """What is asked of this node itself."""

    @property
    def name(self) -> str: ...

    @property
    def trouble(self) -> str:
        """Empty, or why nobody knows whether this node counts."""

    @property
    def holds_configuration(self) -> bool: ...

    def neighbours(self) -> list[Neighbour]: ...

    def shards(self) -> tuple[int, ...]: ...

    def status(self) -> dict[str, Any]:
        """`shards`, `calls` and `lag`. Blocks."""

    async def drain(self, draining: bool, most_s: float) -> None:
        """Give shards away or take them again; returns when none are left, or after `most_s`."""


def serves(node: Node) -> Callable[[str], bool]:
    """Whether a letter is for this node now."""

    def here(to: str) -> bool:
        kind, _, name = to.partition(":")
        if to == OFFICE:
            return node.holds_configuration
        return name == node.name if kind == "node" else name.isdecimal() and int(name) in node.shards()

    return here


def ends(
    node: Node, inner: Mapping[str, Handler], post: Post, sealer: Sealer
) -> tuple[KafkaCommands, Mapping[str, Handler]]:
    """The node's end of letters, to be started, and what the processes of this node may ask."""
    heard = dict(own(node, inner))
    others = KafkaCommands(post, sealer, serves(node), heard)
    asked = handlers(node, inner, others)
    heard |= {name: asked[name] for name in _OF_ALL}
    return others, asked


def own(node: Node, inner: Mapping[str, Handler]) -> Mapping[str, Handler]:
    """What this node does when it is asked by letter."""

    def status(command: Command) -> dict[str, Any]:
        return node.status()

    async def drain(command: Command) -> dict[str, Any]:
        """Returns when the shards are gone, or as it stands after `DRAIN_S`."""
        draining, together = bool(command.args["draining"]), command.args.get("together", [node.name])
        if draining and all(one.draining or one.edge or one.name in together for one in node.neighbours()):
            raise Refusal("conflict", f"{node.name} is the only node that takes calls: nobody could have its shards")
        await node.drain(draining, DRAIN_S)
        return {"name": node.name, "draining": draining, "shards": len(node.shards())}

    named: dict[str, Handler] = {"node.status": status, "node.drain": drain}
    named |= {f"node.{name}": inner[name] for name in _LISTS}
    return {name: inner[name] for name in (*WRITES, "export")} | named


class _Lag:
    """Each question begins a look, unless one goes on, and waits for none: metrics are to come without brokers too."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._found: dict[str, float] = {}
        self._looking: asyncio.Task[None] | None = None

    def last(self) -> dict[str, float]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return self._found

    async def _look(self) -> None:
        lag = (await asyncio.to_thread(self._node.status))["lag"]
        self._found = {} if lag is None else {"node_lag": float(lag)}


def _metrics(node: Node, inner: Mapping[str, Handler]) -> Handler:
    lag = _Lag(node)

    async def metrics(command: Command) -> dict[str, float]:
        found: dict[str, float] = await inner["metrics"](command)
        return found | lag.last()

    return metrics


class Ask(Protocol):
    """Lets the node of a name do `what`, be it this one. Raises Refusal."""

    async def __call__(
        self, name: str, command: Command, what: str, args: Mapping[str, Any], timeout_s: float
    ) -> Any: ...


def asking(node: Node, inner: Mapping[str, Handler], others: KafkaCommands) -> Ask:
    """On behalf of a command that came to this node."""
    mine = own(node, inner)

    async def ask(name: str, command: Command, what: str, args: Mapping[str, Any], timeout_s: float) -> Any:
        if name == node.name:
            return (await carry_out(mine, Command(command.id, what, dict(args), command.actor))).unfold()
        return await others.call(f"node:{name}", what, args, command.actor, f"{command.id}:{name}", timeout_s)

    return ask


def handlers(node: Node, inner: Mapping[str, Handler], others: KafkaCommands) -> Mapping[str, Handler]:
    """What the processes of this node may ask: what `inner` has, `nodes`, `nodes.drain` and `nodes.resume`; conferences
    and mailboxes of whichever node.

    `metrics` has more: how many records of what all nodes follow this one had not read when it was asked last.
    """
    ask = asking(node, inner, others)

    async def ping(command: Command) -> Any:
        if node.trouble:
            raise Refusal("unavailable", node.trouble)
        return (await carry_out(inner, command)).unfold()

    async def written(command: Command) -> Any:
        if node.holds_configuration:
            return (await carry_out(inner, command)).unfold()
        return await others.call(OFFICE, command.name, command.args, command.actor, command.id)

    async def nodes(command: Command) -> list[dict[str, Any]]:
        async def row(one: Neighbour) -> dict[str, Any]:
            try:
                found: dict[str, Any] = await ask(one.name, command, "node.status", {}, _STATUS_S)
            except Refusal:
                found = {"shards": None, "calls": None, "lag": None}
            return {"name": one.name, "link": one.link, "draining": one.draining} | found

        return list(await asyncio.gather(*map(row, node.neighbours())))

    async def drain(command: Command) -> Any:
        name = str(command.args["name"])
        known = sorted(one.name for one in node.neighbours())
        if name not in known:
            raise Refusal("missing", f"there is no node {name} now: the nodes are {', '.join(known)}", field="name")
        holders = [one for one in known if home_of(one) == name != one] or [name]  # an edge has none, its workers do
        args = {"draining": command.name == "nodes.drain", "together": holders}
        asked = (ask(one, command, "node.drain", args, DRAIN_S + _STATUS_S) for one in holders)
        answers = await asyncio.gather(*asked)
        return answers[0] | {"name": name, "shards": sum(one["shards"] for one in answers)}

    return {
        **inner,
        "ping": ping,
        **dict.fromkeys(WRITES, written),
        "metrics": _metrics(node, inner),
        "nodes": nodes,
        "nodes.drain": drain,
        "nodes.resume": drain,
        **_of_conferences(node, inner, others, ask),
        **_of_mailboxes(node, inner, others, ask),
        "recordings.steer": _at_shard(node, inner, others, lambda args: shard_of(UUID(args["call_id"]))),
        "recordings.erase": _at_shard(node, inner, others, lambda args: shard_of_recording(args["recording"])),
    }


def shard_of_recording(recording: str) -> int:
    """Raises Refusal."""
    try:
        return shard_of(call_of_recording(recording))
    except ValueError as error:
        raise Refusal("missing", f"there is no recording {recording}") from error


def _at_shard(
    node: Node, inner: Mapping[str, Handler], others: KafkaCommands, shard_in: Callable[[Mapping[str, Any]], int]
) -> Handler:
    """What the owner of the shard does that the arguments name."""

    async def ask(command: Command) -> Any:
        shard = shard_in(command.args)
        if shard in node.shards():
            return (await carry_out(inner, command)).unfold()
        return await others.call(f"shard:{shard}", command.name, command.args, command.actor, f"{command.id}:{shard}")

    return ask


def _of_conferences(node: Node, inner: Mapping[str, Handler], others: KafkaCommands, ask: Ask) -> Mapping[str, Handler]:
    """Each is at the node that has its room's shard."""
    change = _at_shard(node, inner, others, lambda args: shard_of_room(args["tenant"], args["number"]))
    return {"conferences": _listing(node, ask, "conferences"), "conferences.change": change}


def _of_mailboxes(node: Node, inner: Mapping[str, Handler], others: KafkaCommands, ask: Ask) -> Mapping[str, Handler]:
    """Each is at the node that has its shard."""
    at_shard = _at_shard(node, inner, others, lambda args: shard_of_registration(args["tenant"], args["number"]))
    return {"mailboxes": _listing(node, ask, "mailboxes"), **dict.fromkeys(_AT_MAILBOX, at_shard)}


def _listing(node: Node, ask: Ask, name: str) -> Handler:
    """What all nodes have; refused if one does not say what is there."""

    async def listed(command: Command) -> list[dict[str, Any]]:
        holders = [one.name for one in node.neighbours() if not one.edge]
        asked = (ask(one, command, f"node.{name}", command.args, _STATUS_S) for one in holders)
        return sorted(itertools.chain(*await asyncio.gather(*asked)), key=lambda one: (one["tenant"], one["number"]))

    return listed
