"""Two projectors at once over one journal on Kafka and one ClickHouse, as in a fail-over: rows exact, none twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.journal.codec import decode
from adapters.journal.kafka.address import parse
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.reader import KafkaReader
from bench.courses import varied
from cluster.broker import Broker
from domain.ids import SHARDS, shard_of
from domain.ports import OwnershipLost, Record
from projections.generation import Generations
from projections.projector import Projector
from switchlog.store.warehouse import schema
from tests.fixtures.broker import fresh_journal
from tests.fixtures.clickhouse import url_of

CALLS = 160
STEPS = 4
WAIT_S = 60.0
STOP_S = 40.0


class Writer:
    """Appends the events of calls that go on side by side, a part of all of them at each step."""

    def __init__(self, address: str) -> None:
        self._journal = KafkaJournal(parse(address), "writer")
        self._epochs = self._journal.claim(range(SHARDS), "writer")
        rounds = zip_longest(*varied(CALLS))
        self._left = [record for round_ in rounds for record in round_ if record is not None]
        self.total = len(self._left)
        self.written = 0

    def step(self) -> None:
        count = -(-self.total // STEPS)
        self._append(self._left[:count])
        del self._left[:count]

    def _append(self, records: Sequence[Record]) -> None:
        answers: SimpleQueue[int | OwnershipLost] = SimpleQueue()
        for record in records:
            shard = shard_of(record.stream)
            self._journal.submit(shard, self._epochs[shard], [record], answers.put)
        assert all(isinstance(answers.get(), int) for _ in records)
        self.written += len(records)

    def close(self) -> None:
        self._journal.close()


class Role:
    """`switchlog serve --role projector` as node `name`."""

    def __init__(self, folder: Path, name: str, address: str, warehouse: Warehouse) -> None:
        self._folder = folder / name
        self._folder.mkdir()
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SWITCHLOG_")}
        self._environment = clean | {
            "SWITCHLOG_DATA": str(self._folder),
            "SWITCHLOG_NODE": name,
            "SWITCHLOG_JOURNAL": address,
            "SWITCHLOG_CLICKHOUSE": url_of(warehouse.endpoint),
        }
        self.start()

    def start(self) -> None:
        with (self._folder / "server.log").open("ab") as log:
            words = [sys.executable, "-m", "switchlog", "serve", "--role", "projector"]
            self.process = subprocess.Popen(words, env=self._environment, stdout=log, stderr=log)

    def signal(self, number: signal.Signals) -> None:
        """To the parent and its one child, which has a session of its own."""
        for one in (parent := psutil.Process(self.process.pid), *parent.children()):
            one.send_signal(number)

    def kill(self) -> None:
        """And with it its child."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """It takes in what there is, and ends."""
        self.process.terminate()
        return self.process.wait(STOP_S)

    def log(self) -> str:
        return (self._folder / "server.log").read_text()


@pytest.fixture
def address(broker: Broker) -> str:
    return fresh_journal(broker)


@pytest.fixture
def writer(address: str) -> Iterator[Writer]:
    one = Writer(address)
    yield one
    one.close()


@pytest.fixture
def roles(tmp_path: Path, address: str, warehouse: Warehouse, writer: Writer) -> Iterator[tuple[Role, Role]]:
    """Both at once, on a database that has no tables yet."""
    both = Role(tmp_path, "a", address, warehouse), Role(tmp_path, "b", address, warehouse)
    yield both
    for one in both:
        one.kill()


def test_one_is_killed_and_one_is_frozen_and_every_row_is_there_once(
    roles: tuple[Role, Role], writer: Writer, warehouse: Warehouse, address: str
) -> None:
    first, second = roles
    writer.step()
    seen(warehouse, writer, roles)
    writer.step()
    first.kill()
    seen(warehouse, writer, roles)
    first.start()
    second.signal(signal.SIGSTOP)
    writer.step()
    seen(warehouse, writer, roles)
    second.signal(signal.SIGCONT)
    writer.step()
    assert [one.stop() for one in roles] == [0, 0], [one.log() for one in roles]
    seen(warehouse, writer, roles)
    assert warehouse.execute("SELECT count(), countDistinct(call_id), countIf(final) FROM cdr_all") == [(CALLS,) * 3]
    assert warehouse.execute("SELECT call_id FROM call_events GROUP BY call_id HAVING count() != max(sequence)") == []
    assert differences(warehouse, address) == []


def seen(warehouse: Warehouse, writer: Writer, roles: tuple[Role, Role]) -> None:
    """Wait until a reader sees every event that was written."""
    until, found = time.monotonic() + WAIT_S, -1
    while found != writer.written:
        assert time.monotonic() < until, f"{found} of {writer.written}: {[one.log() for one in roles]}"
        time.sleep(0.05)
        if warehouse.execute("EXISTS VIEW call_events") == [(1,)]:
            found = warehouse.execute("SELECT count() FROM call_events")[0][0]


def differences(warehouse: Warehouse, address: str) -> object:
    """What `verify` finds: the live tables beside ones that are filled anew by one projector alone."""
    with KafkaReader(parse(address)) as reader:
        projector = Projector(reader, Generations(warehouse, schema(), WarehouseError), decode)
        job = projector.request("verify", "all")
        while (progress := projector.progress(job))["state"] == "running":
            projector.advance()
        assert progress["state"] == "done", progress
        return progress["differences"]
