"""The command `switchlog nodes`: who they are, and `drain NAME`, `resume NAME`."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from switchlog.cli.client import NO, Client
from switchlog.cli.look import show
from switchlog.cli.output import Json, note, print_json

app = typer.Typer(help="The nodes of this installation; `drain NAME` before one is stopped.", rich_markup_mode=None)
_COLUMNS = ("name", "shards", "calls", "lag", "draining", "link")
Name = Annotated[str, typer.Argument(help="As in `switchlog nodes`.")]


@app.callback(invoke_without_command=True)
def nodes(context: typer.Context, as_json: Json = False) -> None:
    """The nodes of this installation; `drain NAME` before one is stopped."""
    if context.invoked_subcommand is None:
        with Client.found() as client:
            show(client.get("/v1/nodes"), _COLUMNS, as_json)


@app.command()
def drain(name: Name, as_json: Json = False) -> None:
    """Move the shards of a node away while calls go on; exit code 1 if some are left after a while."""
    with Client.found() as client:
        answer = client.post(f"/v1/nodes/{quote(name, safe='')}/drain")
    if as_json:
        print_json(answer)
    elif answer["shards"]:
        note(f"{name} has {answer['shards']} shards left; it goes on giving them away")
    else:
        note(f"{name} has no shards any more: it may be stopped")
    if answer["shards"]:
        raise typer.Exit(NO)


@app.command()
def resume(name: Name, as_json: Json = False) -> None:
    """Let a node that was drained take its part of the shards again."""
    with Client.found() as client:
        answer = client.post(f"/v1/nodes/{quote(name, safe='')}/resume")
    if as_json:
        print_json(answer)
    else:
        note(f"{name} takes shards again")
