"""The demo tenant of `make run`: declared at the start, and told to the person in front of the terminal."""

from __future__ import annotations

import asyncio
import sys
from importlib import resources
from pathlib import Path

import yaml

from adapters.command.local import CommandClient
from domain.refusal import Refusal
from switchlog.folder import SESSIONS_SOCKET
from switchlog.settings import Settings

_WAIT_S = 0.2
_ATTEMPTS = 150


async def welcome(settings: Settings) -> None:
    """Apply the demo tenant once the sessions answer, then print what to do. Gives up after half a minute."""
    text = resources.files("switchlog").joinpath("demo.yaml").read_text()
    client = CommandClient(settings.data / SESSIONS_SOCKET)
    for attempt in range(_ATTEMPTS):
        try:
            documents = [{"source": "demo.yaml", "text": text}]
            await client.call("apply", {"documents": documents, "tenant": None}, "demo", f"demo-{attempt}")
            break
        except Refusal as no:
            if no.kind != "unavailable":
                sys.stderr.write(f"the demo tenant was refused: {no}\n")
                return
            await asyncio.sleep(_WAIT_S)
    else:
        return
    sys.stdout.write(banner(settings, text))
    sys.stdout.flush()


def banner(settings: Settings, text: str) -> str:
    """Two phones' credentials, the addresses and what to dial."""
    (tenant,) = yaml.safe_load(text)["tenants"]
    first, second, *_ = tenant["extensions"]
    domain = tenant["domains"][0]
    addresses = {
        "SIP over UDP": settings.sip_udp,
        "SIP over TCP": settings.sip_tcp,
        "SIP over TLS": settings.sip_tls,
    }
    lines = [
        "",
        f"Switchlog is up with the tenant {tenant['slug']}. Set up two phones:",
        "",
        *(
            f"  {one['name']:<8} user {one['number']}   password {one['password']}   domain {domain}"
            for one in (first, second)
        ),
        "",
        *(f"  {name}  {address}   (as the phones' outbound proxy)" for name, address in addresses.items() if address),
        "",
        f"  Dial {second['number']} from {first['name']}'s phone. After the call read its record:",
        "",
        "    .venv/bin/switchlog cdr",
        f"    any ClickHouse client: {settings.clickhouse_listen}, user analyst, no password, database switchlog",
        "",
        f"  HTTP API http://{settings.http}/docs   data in {Path(settings.data).resolve()}   Ctrl-C stops it",
        "",
    ]
    return "\n".join(lines) + "\n"
