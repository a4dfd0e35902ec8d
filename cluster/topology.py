"""What `make cluster` runs beside the brokers, as data: the ClickHouse engine, two nodes, and what each is told."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cluster.properties import HOST, Ports

BROKERS = 3
NODES = ("a", "b")
FIRST_BROKER = 9092
_CONTROLLERS = 100
"""So far above the ports of clients are those of controllers."""
_CLICKHOUSE = 9000
_MEDIA, _MEDIA_EACH = 20_000, 5000
"""The first UDP port for media, and how many each node has: they are at one address."""
_PASSWORD = "switchlog"
"""Of the engine's writing account: the engine listens on the loopback address alone, as everything here."""
_SERVE = (sys.executable, "-m", "switchlog", "serve")


class Node(NamedTuple):
    """A Switchlog: the command that runs it, and its settings, which go into its environment."""

    name: str
    settings: Mapping[str, str]
    command: Sequence[str]
    keeps: bool = False
    """It keeps what the others write: it begins before them and ends after them."""


def broker_ports(shift: int = 0) -> Sequence[Ports]:
    """Of the brokers, for clients and for controllers."""
    first = FIRST_BROKER + shift
    return [Ports(first + number, first + _CONTROLLERS + number) for number in range(BROKERS)]


def nodes(bootstrap: str, folder: Path, shift: int = 0) -> Sequence[Node]:
    """The engine and the nodes on the brokers at `bootstrap`, each with its data below `folder`.

    The first node has the addresses that Switchlog has by default, so that everything that is written about `make run`
    holds for it. All ports are by `shift` higher than usual.
    """
    return [_engine(folder, shift), *(_node(number, bootstrap, folder, shift) for number in range(len(NODES)))]


def keys(folder: Path) -> Path:
    """Where `deploy/keys.sh` puts what the nodes share, and their certificates."""
    return folder / "keys"


def _engine(folder: Path, shift: int) -> Node:
    """ClickHouse as a server: no node takes it along when it ends."""
    settings = {
        "SWITCHLOG_DATA": str(folder / "clickhouse"),
        "SWITCHLOG_CLICKHOUSE_LISTEN": f"{HOST}:{_CLICKHOUSE + shift}",
        "SWITCHLOG_CLICKHOUSE_PASSWORD": _PASSWORD,
    }
    return Node("clickhouse", settings, (*_SERVE, "--role", "analytics"), keeps=True)


def _node(number: int, bootstrap: str, folder: Path, shift: int) -> Node:
    """Node `number`, from 0: its ports are by 10 higher than those of the one before it."""
    name, made = NODES[number], keys(folder)
    sip, sips, link, http = (f"{HOST}:{port + shift + 10 * number}" for port in (5060, 5061, 5090, 8080))
    settings = {
        "SWITCHLOG_DATA": str(folder / name),
        "SWITCHLOG_JOURNAL": f"kafka://{bootstrap}",
        "SWITCHLOG_CLICKHOUSE": f"clickhouse://switchlog:{_PASSWORD}@{HOST}:{_CLICKHOUSE + shift}/switchlog",
        "SWITCHLOG_MASTER_KEY_FILE": str(made / "master.key"),
        "SWITCHLOG_SIP_UDP": sip,
        "SWITCHLOG_SIP_TCP": sip,
        "SWITCHLOG_SIP_TLS": sips,
        "SWITCHLOG_MEDIA_PORTS": "{}-{}".format(*(_MEDIA + number * _MEDIA_EACH + end for end in (0, _MEDIA_EACH - 1))),
        "SWITCHLOG_HTTP": http,
        "SWITCHLOG_LINK": link,
        "SWITCHLOG_LINK_CERT": str(made / f"link-{name}.crt"),
        "SWITCHLOG_LINK_KEY": str(made / f"link-{name}.key"),
        "SWITCHLOG_LINK_CA": str(made / "link-ca.crt"),
    }
    return Node(name, settings, (*_SERVE, "--node", name, "--demo"))
