"""The commands that other processes may give the sessions process, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.command.local import Command, Handler
from domain.document import read_documents
from switchlog.office import Office
from switchlog.session import Session


def handlers(office: Office, session: Session) -> Mapping[str, Handler]:
    """`ping`, `apply`, `export` and `create_key`; each raises Refusal."""

    async def ping(command: Command) -> dict[str, Any]:
        return {"calls": session.board.open_calls, "directory": office.directory().version}

    return {"ping": ping}
