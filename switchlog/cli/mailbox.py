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
_GREETINGS = ("greeting", "since", "duration_ms")
State = Annotated[str, typer.Argument(help="For which callers: busy, away or none.")]
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
    _save(f"{_path(number, message)}/audio", tenant, file)
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


@app.command()
def greetings(number: Number, tenant: Tenant = None, as_json: Json = False) -> None:
    """The recorded greetings of a mailbox; elsewhere the declared text is spoken."""
    with Client.found() as client:
        answer = client.get(_greeting_path(number), tenant=tenant)
    _print(answer, _GREETINGS, as_json, f"no greeting of {number} is recorded")


@app.command()
def greet(
    number: Number,
    state: State,
    file: Annotated[Path, typer.Argument(help="A WAV of up to two minutes.", exists=True, dir_okay=False)],
    tenant: Tenant = None,
) -> None:
    """Have callers hear a WAV file as a greeting."""
    with Client.found() as client:
        client.put(f"{_greeting_path(number, state)}/audio", file.read_bytes(), "audio/wav", tenant=tenant)
    note(f"callers of {number} hear {file} ({state})")


@app.command("save-greeting")
def save_greeting(
    number: Number,
    state: State,
    file: Annotated[Path, typer.Argument(help="Where the WAV is to be written.")],
    tenant: Tenant = None,
) -> None:
    """Write a recorded greeting into a WAV file."""
    _save(f"{_greeting_path(number, state)}/audio", tenant, file)
    note(f"the greeting is in {file}")


@app.command("delete-greeting")
def delete_greeting(number: Number, state: State, tenant: Tenant = None, as_json: Json = False) -> None:
    """Erase a recorded greeting: the declared text is spoken again."""
    with Client.found() as client:
        answer = client.delete(_greeting_path(number, state), tenant=tenant)
    tell_change(answer, as_json, "the greeting is deleted")


def _save(path: str, tenant: str | None, file: Path) -> None:
    query = f"?tenant={quote(tenant, safe='')}" if tenant else ""
    with Client.found() as client:
        pieces = client.pieces(f"{path}{query}")
        with file.open("wb") as kept:
            for piece in pieces:
                kept.write(piece)


def _greeting_path(number: str, state: str = "") -> str:
    path = f"/v1/mailboxes/{quote(number, safe='')}/greetings"
    return f"{path}/{quote(state, safe='')}" if state else path


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
