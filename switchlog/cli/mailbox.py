"""The command `switchlog mailboxes`: which messages there are, to hear, mark and delete them from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from switchlog.cli.client import Client
from switchlog.cli.look import Tenant
from switchlog.cli.output import Json, note, print_json, print_table, tell_change

app = typer.Typer(help="Mailboxes and the messages in them.", rich_markup_mode=None)
_BOXES = ("tenant", "number", "new", "heard")
_MESSAGES = ("left_at", "number", "name", "duration_ms", "heard", "message")
Number = Annotated[str, typer.Argument(help="The number of the mailbox.")]
Message = Annotated[str, typer.Argument(help="As in `switchlog mailboxes messages`.")]


@app.callback(invoke_without_command=True)
def mailboxes(context: typer.Context, tenant: Tenant = None, as_json: Json = False) -> None:
    """Mailboxes and the messages in them."""
    if context.invoked_subcommand is not None:
        return
    with Client.found() as client:
        answer = client.get("/v1/mailboxes", tenant=tenant)
    _print(answer, _BOXES, as_json, "no mailbox is declared")


@app.command()
def messages(number: Number, tenant: Tenant = None, as_json: Json = False) -> None:
    """The messages of a mailbox, the new ones first."""
    with Client.found() as client:
        answer = client.get(_path(number), tenant=tenant)
    _print(answer, _MESSAGES, as_json, f"there are no messages for {number}")


@app.command()
def save(
    number: Number,
    message: Message,
    file: Annotated[Path, typer.Argument(help="Where the WAV is to be written.")],
    tenant: Tenant = None,
) -> None:
    """Write what was said into a WAV file; the message stays as new as it was."""
    with Client.found() as client:
        query = f"?tenant={quote(tenant, safe='')}" if tenant else ""
        pieces = client.pieces(f"{_path(number, message)}/audio{query}")
        with file.open("wb") as kept:
            for piece in pieces:
                kept.write(piece)
    note(f"{message} is in {file}")


@app.command()
def heard(number: Number, message: Message, tenant: Tenant = None, as_json: Json = False) -> None:
    """Mark a message as heard; exit code 1 if it was so already."""
    with Client.found() as client:
        answer = client.post(f"{_path(number, message)}/heard", params={"tenant": tenant})
    tell_change(answer, as_json, f"{message} has been heard")


@app.command()
def new(number: Number, message: Message, tenant: Tenant = None, as_json: Json = False) -> None:
    """Mark a message as new; exit code 1 if it was so already."""
    with Client.found() as client:
        answer = client.post(f"{_path(number, message)}/new", params={"tenant": tenant})
    tell_change(answer, as_json, f"{message} is new")


@app.command()
def delete(number: Number, message: Message, tenant: Tenant = None, as_json: Json = False) -> None:
    """Delete a message, and erase what was said."""
    with Client.found() as client:
        answer = client.delete(_path(number, message), tenant=tenant)
    tell_change(answer, as_json, f"{message} is deleted")


def _path(number: str, message: str = "") -> str:
    path = f"/v1/mailboxes/{quote(number, safe='')}/messages"
    return f"{path}/{quote(message, safe='')}" if message else path


def _print(answer: dict[str, Any], columns: tuple[str, ...], as_json: bool, nothing: str) -> None:
    if as_json:
        print_json(answer)
        return
    print_table(columns, answer["items"])
    if not answer["items"]:
        note(nothing)
