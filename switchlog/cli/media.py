"""The command `switchlog media`: the media workers, and `drain N`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from switchlog.cli.client import NO, Client
from switchlog.cli.look import show
from switchlog.cli.output import Json, note, print_json

app = typer.Typer(help="The media workers of a node; `drain N` lets one end that has rooms.", rich_markup_mode=None)
_COLUMNS = ("worker", "there", "draining", "contexts", "legs", "pressure")
_PATIENCE_S = 25.0
_LOOK_EVERY_S = 0.2
Number = Annotated[int, typer.Argument(help="As in `switchlog media`.", metavar="N")]


@app.callback(invoke_without_command=True)
def media(context: typer.Context, as_json: Json = False) -> None:
    """The media workers of a node; `drain N` lets one end that has rooms."""
    if context.invoked_subcommand is None:
        with Client.found() as client:
            show(client.get("/v1/media"), _COLUMNS, as_json)


@app.command()
def drain(worker: Number, as_json: Json = False) -> None:
    """Move the rooms and calls of a media worker to others and let it end; exit code 1 if it still has some after a
    while."""
    with Client.found() as client:
        found = client.post(f"/v1/media/{worker}/drain")
        until = time.monotonic() + _PATIENCE_S
        while found["draining"] and time.monotonic() < until:
            time.sleep(_LOOK_EVERY_S)
            found = _row(client.get("/v1/media"), worker)
    if as_json:
        print_json(found)
    elif found["draining"]:
        note(f"media worker {worker} has {found['contexts']} rooms and calls left")
    else:
        note(f"media worker {worker} has ended, and is started again")
    if found["draining"]:
        raise typer.Exit(NO)


def _row(page: Any, worker: int) -> dict[str, Any]:
    row: dict[str, Any] = next(one for one in page["items"] if one["worker"] == worker)
    return row
