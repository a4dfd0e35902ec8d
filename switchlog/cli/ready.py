"""The command `ready`: whether the parts on this machine work, for probes of containers and for scripts.

It asks each part at its own socket in the data folder, and the API where it says there that it is; without a key. A
probe of the sessions must not depend on the API.
"""

from __future__ import annotations

import asyncio
import http.client
import os
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from adapters.command.local import CommandClient
from domain.refusal import Refusal
from switchlog.cli.client import MISUSED, NO, CliError, local_api
from switchlog.setting.folder import HANDLE, PROJECTOR_SOCKET, SESSIONS_SOCKET, roles_of

_API = "api"
_MARKS = {"sessions": SESSIONS_SOCKET, "projector": PROJECTOR_SOCKET, _API: HANDLE}
"""Part -> what it has in the data folder while it runs."""


def ready(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"{', '.join(_MARKS)}; without any, those that run here.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder (SWITCHLOG_DATA).")] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that a part may take.")] = 3.0,
    alive: Annotated[
        bool, typer.Option("--alive", help="Ask only whether they answer, whatever they wait for.")
    ] = False,
) -> None:
    """Ask the parts on this machine whether they work; exit 1, naming which do not and why, if one does not."""
    folder = data or Path(os.environ.get("SWITCHLOG_DATA") or "data")
    for part in parts or ():
        if part not in _MARKS:
            raise CliError(MISUSED, f"unknown part {part!r}: use {', '.join(_MARKS)}")
    here = roles_of(folder)
    wanted = parts or [part for part in _MARKS if part in here]
    if not wanted:
        raise CliError(NO, f"nothing runs in {folder} that could be asked")
    wrong = asyncio.run(_ask(folder, wanted, timeout_s, alive))
    if wrong:
        raise CliError(NO, "; ".join(wrong))


async def _ask(folder: Path, parts: list[str], timeout_s: float, alive: bool) -> list[str]:
    answers = [
        await asyncio.to_thread(_trouble_of_api, folder, timeout_s, "/healthz" if alive else "/readyz?part=live")
        if part == _API
        else await _trouble(folder, part, timeout_s, "metrics" if alive else "ping")
        for part in parts
    ]
    return [f"{part}: {words}" for part, words in zip(parts, answers, strict=True) if words]


async def _trouble(folder: Path, part: str, timeout_s: float, question: str) -> str:
    """What is wrong with it, empty if it works. Each question has an id of its own: no answer of before may serve."""
    client = CommandClient(folder / _MARKS[part], timeout_s)
    try:
        await client.call(question, {}, "system", f"ready-{part}-{os.getpid()}-{asyncio.get_running_loop().time()}")
    except Refusal as no:
        return no.detail
    return ""


def _trouble_of_api(folder: Path, timeout_s: float, question: str) -> str:
    """The same of the API: it works once its live view is loaded, whatever of the others does."""
    local = local_api(folder)
    if local is None:
        return "it does not run"
    connection = http.client.HTTPConnection(urlsplit(local.url).netloc, timeout=timeout_s)
    try:
        connection.request("GET", question)
        answer = connection.getresponse()
        problem = {} if answer.status == 200 else msgspec.json.decode(answer.read(), type=dict[str, object])
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        return f"{local.url} does not answer: {str(error) or type(error).__name__}"
    finally:
        connection.close()
    return str(problem.get("detail") or f"it answers {answer.status}") if answer.status != 200 else ""
