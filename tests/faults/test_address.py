"""The address of a node that is gone is moved to the other one, as by keepalived: phones behind it notice nothing.

With SOAK_FAULTS also when the node is frozen.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.analytics.client import Warehouse
from cluster.broker import Broker
from tests.faults.caller import Caller, RawCall
from tests.faults.roamer import ROAM_S
from tests.faults.topics import no_gap_and_no_fork
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import ClickHouse
from tests.fixtures.network import WIRE, Network
from tests.fixtures.network import network as network
from tests.fixtures.nodes import Nodes, sharing
from tests.fixtures.server import tenant

OWN = {"a": "10.77.0.1", "b": "10.77.0.2"}
SIP, LINK = 5060, 5071
NUMBERS = ("1001", "1002")


@pytest.fixture
async def machines(
    tmp_path: Path, network: Network, broker: Broker, clickhouse: ClickHouse, warehouse: Warehouse
) -> AsyncIterator[Nodes]:
    """A node on a machine of its own each; both listen at both addresses, whosever they are."""
    journal = fresh_journal(broker)
    nodes = Nodes(tmp_path, journal, clickhouse, warehouse.endpoint.database)
    for name, own in OWN.items():
        node, machine = nodes.by_name[name], network.machine(name, own)
        listeners = ",".join(f"{address}:{SIP}" for address in sorted(OWN.values(), key=lambda one: one != own))
        node.prefix = machine.prefix
        node.settings |= {"SIP_UDP": listeners, "SIP_TCP": listeners, "SIP_TLS": "", "LINK": f"{own}:{LINK}"}
        network.ours_at(machine, int(broker.bootstrap.rpartition(":")[2]))
        network.ours_at(machine, clickhouse.port)
        network.theirs_here(machine, node.http)
    async with sharing(nodes, tenant("acme", NUMBERS)):
        yield nodes


@pytest.fixture
async def phones(machines: Nodes, network: Network) -> AsyncIterator[list[Caller]]:
    """Behind the address of node a, and deaf to every other one."""
    opened = []
    for number in NUMBERS:
        own = network.wire.socket(socket.SOCK_DGRAM, (WIRE, 0))
        own.setblocking(False)
        own.connect((OWN["a"], SIP))
        one = Caller(machines.a, number)
        one.wait_s = ROAM_S
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: one, sock=own)  # noqa: B023
        opened.append(one)
    yield opened
    for one in opened:
        one.close()


@pytest.mark.parametrize("how", ["killed", "frozen"] if "SOAK_FAULTS" in os.environ else ["killed"])
async def test_phones_stay_where_they_are_when_their_nodes_address_is_moved(
    machines: Nodes, network: Network, phones: list[Caller], how: str
) -> None:
    for one in phones:
        assert (await one.register()).status == 200
    await machines.known()
    up = await RawCall(*phones).connect()
    begun = time.monotonic()
    if how == "killed":
        await machines.a.kill()
    else:
        machines.a.freeze()
    network.unplug("a")
    network.move(OWN["a"], "b")
    await up.end()
    print(f"\na node was {how} and its address moved: a BYE was answered {time.monotonic() - begun:.1f} s later")
    again = await RawCall(*reversed(phones)).connect()  # nobody has registered anew
    await again.end()
    cdrs = await machines.b.cdrs(2)
    assert [(cdr["disposition"], cdr["takeovers"]) for cdr in cdrs] == [("answered", 1), ("answered", 0)]
    await asyncio.to_thread(no_gap_and_no_fork, machines.b.settings["JOURNAL"])
