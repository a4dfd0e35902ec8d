"""The commands that other processes may give the sessions process, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.command.local import Command, Handler
from domain.declaration import Document
from domain.ids import SHARDS
from domain.refusal import Refusal
from switchlog.desk import mailbox, media, recording, room
from switchlog.office.office import Applied, Office
from switchlog.session.session import Session


def handlers(office: Office, session: Session, node: str) -> Mapping[str, Handler]:
    """`ping`, `metrics`, `apply`, `export`, `keys.create`, those about conferences, mailboxes, recordings and media
    workers, and `nodes` of one that is alone; each may raise Refusal."""

    async def ping(command: Command) -> dict[str, Any]:
        if session.trouble:
            raise Refusal("unavailable", session.trouble)
        return {"calls": session.board.open_calls, "version": office.directory().version}

    async def metrics(command: Command) -> dict[str, float]:
        return session.metrics()

    def apply(command: Command) -> Applied:
        documents = msgspec.convert(command.args["documents"], list[Document])
        return office.apply(documents, command.actor, command.id, command.args.get("tenant"))

    def export(command: Command) -> dict[str, Any]:
        return office.export(command.args.get("tenant"), bool(command.args.get("secrets")))

    def create_key(command: Command) -> dict[str, str | None]:
        return office.create_key(command.args["role"], command.args.get("tenant"), command.actor, command.id)

    async def nodes(command: Command) -> list[dict[str, Any]]:
        shards = sum(map(session.board.owns, range(SHARDS))) + 1
        calls = session.board.open_calls
        return [{"name": node, "link": "", "draining": False, "shards": shards, "calls": calls, "lag": 0}]

    async def drain(command: Command) -> Any:
        raise Refusal("conflict", f"{node} is the only node: a journal in a file is one node's")

    return {
        "ping": ping,
        "metrics": metrics,
        "apply": apply,
        "export": export,
        "keys.create": create_key,
        "nodes": nodes,
        "nodes.drain": drain,
        "nodes.resume": drain,
        **room.handlers(session, office.directory),
        **recording.handlers(session),
        **mailbox.handlers(session, office.directory),
        **media.handlers(session),
    }
