"""The link between two nodes is cut while both reach Kafka: neither takes a shard from the other, and what had to
wait goes on when the link is there again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest

from adapters.analytics.client import Warehouse
from cluster.broker import Broker
from tests.faults.caller import RawCall
from tests.faults.roamer import Roaming
from tests.faults.roamer import roaming as roaming
from tests.faults.topics import no_gap_and_no_fork
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import ClickHouse
from tests.fixtures.nodes import Nodes, listed, sharing
from tests.fixtures.ports import free_ports
from tests.fixtures.relay import Relay
from tests.fixtures.server import tenant

NUMBERS = ("1001", "1002", "1003", "1004", "1005", "1006")


class Cut:
    """Two nodes whose link goes through relays that can be cut; a context manager."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes, self._open = nodes, True
        self._targets = [("127.0.0.1", int(one.settings["LINK"].rpartition(":")[2])) for one in (nodes.a, nodes.b)]
        self._relays = [Relay(target, watch=lambda data: self._open) for target in self._targets]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for node, relay in zip((self.nodes.a, self.nodes.b), self._relays, strict=True):
                stack.enter_context(relay)
                node.settings["LINK_ADVERTISE"] = f"127.0.0.1:{relay.port}"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def cut(self) -> None:
        """Open connections break when something is sent, new ones come to nothing."""
        self._open = False
        for relay in self._relays:
            relay.target = ("127.0.0.1", free_ports(1)[0])

    def mend(self) -> None:
        self._open = True
        for relay, target in zip(self._relays, self._targets, strict=True):
            relay.target = target


@pytest.fixture
async def link(tmp_path: Path, broker: Broker, clickhouse: ClickHouse, warehouse: Warehouse) -> AsyncIterator[Cut]:
    journal = fresh_journal(broker)
    nodes = Nodes(tmp_path, journal, clickhouse, warehouse.endpoint.database)
    with Cut(nodes) as cut:
        async with sharing(nodes, tenant("acme", NUMBERS)):
            yield cut


async def test_a_cut_link_stops_no_call_within_a_node_and_loses_none_between_them(link: Cut, roaming: Roaming) -> None:
    a, b = link.nodes.a, link.nodes.b
    up = await roaming.call(a, "1001", b, "1002")
    within, between = await roaming.call(a, "1003", a, "1004"), await roaming.call(a, "1005", b, "1006")
    link.cut()
    ending = asyncio.create_task(up.end_by_callee())  # its BYE is for node a, and repeated until that hears it
    await within.end()
    again = await RawCall(within.caller, within.callee).connect()
    await again.end()
    await between.end()  # who hangs up is at the owner, whose own socket reaches the other phone
    direct = await RawCall(between.caller, between.callee).connect()
    await direct.end()
    assert not ending.done()
    assert {row["name"] for row in await listed(b)} == {"a", "b"}, "a node was given up that reaches the brokers"
    mended = time.monotonic()
    link.mend()
    await ending
    print(f"\nthe link was cut: what had waited was answered {time.monotonic() - mended:.1f} s after it was mended")
    back = await RawCall(up.callee, up.caller).connect()
    await back.end()
    cdrs = await b.cdrs(6)
    assert [(cdr["disposition"], cdr["takeovers"]) for cdr in cdrs] == [("answered", 0)] * 6
    assert len(b.query("SELECT * FROM cdr_all")) == 6
    await asyncio.to_thread(no_gap_and_no_fork, a.settings["JOURNAL"])
