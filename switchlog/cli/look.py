"""The commands that look: registrations, cdr, events."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from domain.ports import PARTITION
from switchlog.cli.client import Client
from switchlog.cli.nothing import nothing, unknown_tenant, unknown_type
from switchlog.cli.output import Json, note, print_json, print_table

Tenant = Annotated[str | None, typer.Option(help="Only this tenant.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]
_POLL_S = 0.5
_REGISTRATIONS = ("tenant", "number", "device", "contact", "transport", "user_agent", "expires_at")
_CDR = (
    *("started_at", "tenant", "from_number", "to_number", "answered_by", "disposition", "hangup_by"),
    *("ring_ms", "talk_ms", "mos_x100", "takeovers", "call_id"),
)
_EVENTS = ("position", "time", "tenant", "type", "stream", "sequence")
_PLACES = ("partition", *_EVENTS)


def registrations(tenant: Tenant = None, as_json: Json = False) -> None:
    """Where devices can be reached now."""
    with Client.found() as client:
        answer = client.get("/v1/registrations", tenant=tenant)
        show(answer, _REGISTRATIONS, as_json)
        if not answer["items"]:
            nothing(client, tenant)


def cdr(
    tenant: Tenant = None,
    since: Annotated[str | None, typer.Option("--from", help="Started at or after (2026-03-01T09:00:00Z).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Started before.")] = None,
    number: Annotated[str | None, typer.Option(help="Caller's, dialled or answering number.")] = None,
    cursor: Annotated[str | None, typer.Option(help="`next` of the page before.")] = None,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """Call records, newest first."""
    wanted = {"from": since, "to": until, "number": number, "cursor": cursor, "limit": limit, "tenant": tenant}
    with Client.found() as client:
        answer = client.get("/v1/cdr", **wanted)
        show(answer, _CDR, as_json)
        if not answer["items"]:
            nothing(client, tenant, since, until, number)
    if answer["next"] and not as_json:
        note(f"there are more: --cursor {answer['next']}")


def events(
    stream: Annotated[str | None, typer.Option(help="Only this aggregate's (UUID).")] = None,
    tenant: Tenant = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this type, such as call.connected.")] = None,
    after: Annotated[
        str,
        typer.Option(
            metavar="PLACE", help="Only after this place, as told at the end of an answer; `end` = those that come."
        ),
    ] = "0",
    limit: Limit = 1000,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with those that come, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """The journal, each stream in order; with --json one line an event."""
    wanted = {"stream": stream, "tenant": tenant, "type": type_}
    with Client.found() as client:
        if follow and not unknown_type(type_):
            unknown_tenant(client, tenant)
        left, header = limit, True
        while follow or left > 0:
            page: dict[str, Any] = client.get("/v1/events", after=after, limit=1000 if follow else left, **wanted)
            _print_events(page["items"], header, as_json)
            header = header and not page["items"]
            after, left = page["cursor"], left - len(page["items"])
            if page["next"] is None:
                if not follow:
                    if header and not unknown_type(type_):
                        nothing(client, tenant, type_, stream)
                    return
                time.sleep(_POLL_S)
    note(f"there are more: --after {after}")


def _print_events(items: list[dict[str, Any]], header: bool, as_json: bool) -> None:
    if as_json:
        for event in items:
            print_json(event)
    elif items:
        several = any(one["partition"] != PARTITION for one in items)
        print_table(_PLACES if several else _EVENTS, items, header=header)


def show(answer: dict[str, Any], columns: tuple[str, ...], as_json: bool) -> None:
    """A list as the API has it, or as a table."""
    if as_json:
        print_json(answer)
    else:
        print_table(columns, answer["items"])
