"""The demo: once the server is ready, declare the demo tenant and say how two phones are set up."""

from __future__ import annotations

import sys
import threading
from importlib.resources import files
from typing import Any

import httpx
import yaml

from switchlog.cli.client import MISUSED, CliError, local_api
from switchlog.cli.output import note
from switchlog.setting.address import address, addresses, is_loopback
from switchlog.setting.folder import HANDLE
from switchlog.setting.settings import Settings
from switchlog.store.journal import is_shared

_CONFERENCES = """\
    conferences:
      - {number: "7000", name: Everybody}
"""
"""More of the tenant in `demo.yaml`."""
_TRY_EVERY_S = 0.2
_TRY_FOR_S = 120.0


def start(settings: Settings) -> None:
    """Wait for the server in a thread that ends with the process. Raises CliError if strangers could use the demo."""
    for name in ("sip_udp", "sip_tcp", "sip_tls"):
        value = getattr(settings, name)
        if not all(is_loopback(one.host) for one in addresses(value)):
            line = f"the demo's passwords are public: SWITCHLOG_{name.upper()} must be a loopback address, not {value}"
            raise CliError(MISUSED, line)
    threading.Thread(target=_declare, args=(settings,), name="demo", daemon=True).start()


def _declare(settings: Settings) -> None:
    text = demo_text(settings)
    pause = threading.Event()
    for _ in range(int(_TRY_FOR_S / _TRY_EVERY_S)):
        if _applied(settings, text):
            sys.stdout.write(_welcome(settings, yaml.safe_load(text)["tenants"][0]))
            sys.stdout.flush()
            return
        pause.wait(_TRY_EVERY_S)
    note(f"the server was not ready within {_TRY_FOR_S:g} s: the demo tenant is not declared")


def demo_text(settings: Settings) -> str:
    """What is declared: a conference too, where there can be one."""
    text = files("switchlog").joinpath("demo.yaml").read_text()
    return text + _CONFERENCES if settings.media_range else text


def _applied(settings: Settings, text: str) -> bool:
    """False while the server is not ready; an address and key left over from its last run do not count."""
    local = local_api(settings.data)
    if local is None:
        return False
    headers = {"Authorization": f"Bearer {local.key}"}
    try:
        with httpx.Client(base_url=local.url, headers=headers, timeout=10, trust_env=False) as client:
            if client.get("/readyz").status_code != 200:
                return False
            return client.post("/v1/apply", params={"source": "demo.yaml"}, content=text).status_code == 200
    except httpx.TransportError:
        return False


def _welcome(settings: Settings, tenant: dict[str, Any]) -> str:
    ways = {"UDP": settings.sip_udp, "TCP": settings.sip_tcp, "TLS": settings.sip_tls}
    proxy = ", ".join(f"{value} ({name})" for name, value in ways.items() if value)
    domain = tenant["domains"][0]
    which = f" at node {settings.node}" if is_shared(settings) else ""
    lines = ["", f"Switchlog is ready{which}. Set up two phones:", ""]
    for one in tenant["extensions"][:2]:
        lines.append(f"  {one['name']:<6} user {one['number']}   password {one['password']}   domain {domain}")
    first, second, third = (one["number"] for one in tenant["extensions"])
    spare = tenant["extensions"][2]["password"]
    lines += [
        f"  outbound proxy of both: {proxy}",
        "",
        f"Dial {second} from {first}, or {first} from {second}; {third} (password {spare}) is free for a third phone.",
        *(f"Dial {room['number']} from several of them: a conference." for room in tenant.get("conferences", ())),
        "",
        f"  API and its documentation   http://{settings.http}/docs",
        f"  operator key                {settings.data / HANDLE}",
    ]
    if settings.clickhouse == "embedded":
        sql = "SELECT * FROM cdr"
        host, port = address(settings.clickhouse_listen)
        password = "with its password" if settings.clickhouse_analyst_password else "no password"
        lines += [
            f"  call records                switchlog cdr (with SWITCHLOG_DATA={settings.data})",
            f"  or by any ClickHouse client database switchlog at {host}:{port}, user analyst, {password}: {sql}",
        ]
    return "\n".join([*lines, "", "Ctrl-C stops it; started again it goes on where it was.", "", ""])
