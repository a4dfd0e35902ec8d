"""The command `switchlog conferences`: who is in which, and what may be done there from outside."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from switchlog.cli.client import Client
from switchlog.cli.look import Tenant
from switchlog.cli.output import Json, note, print_json, print_table, tell_change

app = typer.Typer(help="Who is in which conference; lock rooms, mute and kick members.", rich_markup_mode=None)
_COLUMNS = ("tenant", "room", "locked", "number", "name", "standing", "moderator", "muted", "deaf", "member")
Room = Annotated[str, typer.Argument(help="The number of the room.")]
Member = Annotated[str, typer.Argument(help="As in `switchlog conferences`.")]


@app.callback(invoke_without_command=True)
def conferences(context: typer.Context, tenant: Tenant = None, as_json: Json = False) -> None:
    """Who is in which conference; lock rooms, mute and kick members."""
    if context.invoked_subcommand is not None:
        return
    with Client.found() as client:
        answer = client.get("/v1/conferences", tenant=tenant)
    if as_json:
        print_json(answer)
        return
    rows = [
        {"tenant": one["tenant"], "room": one["number"], "locked": one["locked"], **member}
        for one in answer["items"]
        for member in one["members"]
    ]
    print_table(_COLUMNS, rows)
    if not rows:
        note("nobody is in a conference now")


@app.command()
def lock(room: Room, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let nobody but moderators come in; exit code 1 if it was so already."""
    _change(f"{quote(room, safe='')}/lock", tenant, as_json, f"{room} is locked")


@app.command()
def unlock(room: Room, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let anybody come in again; exit code 1 if it was so already."""
    _change(f"{quote(room, safe='')}/unlock", tenant, as_json, f"{room} is open")


@app.command()
def mute(room: Room, member: Member, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let nobody hear a member; exit code 1 if it was so already."""
    _change_member(room, member, "mute", tenant, as_json, "nobody hears it")


@app.command()
def unmute(room: Room, member: Member, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let all hear a member again; exit code 1 if it was so already."""
    _change_member(room, member, "unmute", tenant, as_json, "it is heard")


@app.command()
def deafen(room: Room, member: Member, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let a member hear nobody; exit code 1 if it was so already."""
    _change_member(room, member, "deafen", tenant, as_json, "it hears nobody")


@app.command()
def undeafen(room: Room, member: Member, tenant: Tenant = None, as_json: Json = False) -> None:
    """Let a member hear the others again; exit code 1 if it was so already."""
    _change_member(room, member, "undeafen", tenant, as_json, "it hears the others")


@app.command()
def announce(
    room: Room,
    text: Annotated[str, typer.Argument(help="What is to be said aloud.")],
    member: Annotated[str | None, typer.Option(help="Who alone is to hear it, in the room's place.")] = None,
    language: Annotated[str, typer.Option(help="As in BCP 47, such as de; that of the room unless given.")] = "",
    tenant: Tenant = None,
    as_json: Json = False,
) -> None:
    """Say something to all in a room, or to one of them."""
    whom = f"/members/{quote(member, safe='')}" if member else ""
    _change(
        f"{quote(room, safe='')}{whom}/announce", tenant, as_json, "it is said", {"text": text, "language": language}
    )


@app.command()
def kick(room: Room, member: Member, tenant: Tenant = None, as_json: Json = False) -> None:
    """End the call of a member; exit code 1 if it is on its way already."""
    _change_member(room, member, "kick", tenant, as_json, "its call is ended")


def _change_member(room: str, member: str, what: str, tenant: str | None, as_json: bool, done: str) -> None:
    path = f"{quote(room, safe='')}/members/{quote(member, safe='')}/{what}"
    _change(path, tenant, as_json, f"{member}: {done}")


def _change(path: str, tenant: str | None, as_json: bool, done: str, said: dict[str, str] | None = None) -> None:
    with Client.found() as client:
        answer: dict[str, Any] = client.post(f"/v1/conferences/{path}", json=said, params={"tenant": tenant})
    tell_change(answer, as_json, done)
