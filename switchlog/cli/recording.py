"""The command `switchlog recordings`: which there are, their sound, and steering them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from switchlog.cli.client import NO, Client
from switchlog.cli.look import Tenant
from switchlog.cli.output import Json, note, print_json, print_table

app = typer.Typer(help="Recordings of calls: list them, fetch their sound, steer them.", rich_markup_mode=None)
_COLUMNS = ("tenant", "recording", "from_number", "to_number", "started_at", "duration_ms", "layout", "by", "reason")
Recording = Annotated[str, typer.Argument(help="As in `switchlog recordings`.")]
Call = Annotated[str, typer.Argument(help="The id of a call that goes on, as in `switchlog calls`.")]
Wish = Literal["start", "stop", "pause", "resume", "mask", "unmask"]


@app.callback(invoke_without_command=True)
def recordings(
    context: typer.Context,
    tenant: Tenant = None,
    call: Annotated[str | None, typer.Option(help="Only this call's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Recordings of calls, the newest first."""
    if context.invoked_subcommand is not None:
        return
    with Client.found() as client:
        answer = client.get("/v1/recordings", tenant=tenant, call=call, limit=limit)
    if as_json:
        print_json(answer)
        return
    print_table(_COLUMNS, [{name: one.get(name, "") for name in _COLUMNS} for one in answer["items"]])
    if not answer["items"]:
        note("there are no recordings")


@app.command()
def audio(
    recording: Recording,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the WAV goes; - is the standard output.")],
) -> None:
    """Fetch the sound of a recording as a WAV."""
    with Client.found() as client:
        pieces = iter(client.pieces(f"/v1/recordings/{quote(recording, safe='')}/audio"))
        first = next(pieces, b"")  # before a file is made: there may be none
        if str(output) == "-":
            sys.stdout.buffer.write(first)
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        with output.open("wb") as file:
            file.write(first)
            for piece in pieces:
                file.write(piece)


@app.command()
def erase(recording: Recording) -> None:
    """Erase a recording for good; the journal keeps that it was."""
    with Client.found() as client:
        client.delete(f"/v1/recordings/{quote(recording, safe='')}")
    note(f"{recording} is erased")


@app.command()
def steer(call: Call, wish: Annotated[Wish, typer.Argument(help="What is to become.")], as_json: Json = False) -> None:
    """Begin, end, pause or mask the recording of a call that goes on; exit code 1 if it was so already."""
    with Client.found() as client:
        answer: dict[str, Any] = client.post(f"/v1/calls/{quote(call, safe='')}/recording/{wish}")
    if as_json:
        print_json(answer)
    else:
        note("done" if answer["changed"] else "nothing was changed")
    if not answer["changed"]:
        raise typer.Exit(NO)
