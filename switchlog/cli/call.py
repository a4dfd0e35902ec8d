"""The command `switchlog calls`: live calls, and `calls show ID`, a call's story."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from switchlog.cli.client import Client
from switchlog.cli.ladder import draw, draw_wire
from switchlog.cli.look import Tenant, show
from switchlog.cli.nothing import nothing
from switchlog.cli.output import Json, note, print_json, shown

app = typer.Typer(help="Live calls; `show ID` tells any call's story.", rich_markup_mode=None)
_CALLS = ("tenant", "call_id", "from_number", "to_number", "state", "started_at", "answered_at", "held")


@app.callback(invoke_without_command=True)
def calls(context: typer.Context, tenant: Tenant = None, as_json: Json = False) -> None:
    """Live calls; `show ID` tells any call's story."""
    if context.invoked_subcommand is None:
        with Client.found() as client:
            answer = client.get("/v1/calls", tenant=tenant)
            show(answer, _CALLS, as_json)
            if not answer["items"]:
                nothing(client, tenant)


@app.command("show")
def show_call(
    call: Annotated[str, typer.Argument(metavar="ID", help="The call's id, as in `cdr` and `calls`.")],
    wire: Annotated[bool, typer.Option("--wire", help="The messages seen on the wire, if still kept.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Every message whole, after the ladder.")] = False,
    as_json: Json = False,
) -> None:
    """The SIP ladder of a call, of any age, and its events beside it.

    The ladder is computed from the journal. What leaves no event is in --wire only (SWITCHLOG_TRACE_BYTES):
    retransmissions, challenges, most ACKs of phones, and their answers to BYE.
    """
    with Client.found() as client:
        story: dict[str, Any] = client.get(f"/v1/calls/{call}")
    if as_json:
        print_json(story)
        return
    if wire and not story["wire"]:
        note("no message of this call is kept: set SWITCHLOG_TRACE_BYTES to keep those of later calls")
    for line in draw_wire(story) if wire else draw(story):
        sys.stdout.write(line + "\n")
    if raw:
        _print_raw(story, wire)


def _print_raw(story: dict[str, Any], wire: bool) -> None:
    messages = story["wire"] if wire else [said for step in story["steps"] for said in step["said"] if said["raw"]]
    for message in messages:
        sys.stdout.write("\n" + "\n".join(shown(line) for line in message["raw"].splitlines()) + "\n")
