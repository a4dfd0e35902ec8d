"""A real Kafka broker on this machine, and three of them: started, killed, frozen, started again over the same data.

Clients and controllers are on the loopback address only. Nothing is left running whatever happens to the process that
started them; the data and the log of each node stay in its folder until somebody removes it.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from cluster.jars import Kafka
from cluster.java import java
from cluster.process import Process
from cluster.properties import CLUSTER_ID, HOST, Ports, as_text, properties

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
_FORMAT_TIMEOUT_S = 60.0
_LOOK_S = 0.05
_LOG_TAIL = 3000


class BrokerError(Exception):
    """A broker that does not run as it should; the text has the end of its log."""


class Broker:
    """Node number `node` of the cluster with these `ports`; not started yet.

    Its log and its properties are in `folder`, its records in `data`, by default in `folder` too. `more` are properties
    beside ours, or instead of them.
    """

    def __init__(
        self,
        kafka: Kafka,
        folder: Path,
        ports: Sequence[Ports],
        node: int = 1,
        data: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._kafka, self._folder, self.node = kafka, folder, node
        self._data = data or folder / "data"
        self._ports = tuple(ports)
        self._more = dict(more or {})
        self._process: Process | None = None
        self._formatting: Process | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients want it; the same after a restart."""
        return f"{HOST}:{self._ports[self.node - 1].client}"

    @property
    def running(self) -> bool:
        """Also while it is frozen."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start it over the data that is there, and wait until it answers. Raises BrokerError."""
        self.spawn()
        self.wait_ready()

    def spawn(self, *options: str) -> None:
        """Begin to start it, in the main thread (`cluster.process`); `wait_ready` may be in another.

        `options` are more ones for the JVM. Raises BrokerError.
        """
        if self.running:
            raise BrokerError(f"node {self.node} runs already")
        taken = [port for port in self._ports[self.node - 1] if not is_free(port)]
        if taken:
            raise BrokerError(f"port {taken[0]} is in use, and node {self.node} needs it")
        self.begin_format()
        self._wait_formatted()
        self._process = self._java(*options, "kafka.Kafka", str(self._properties))

    def begin_format(self) -> None:
        """Begin to make its storage if there is none; several nodes at once do it in parallel. `spawn` waits for it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(as_text(properties(self.node, self._data, self._ports) | self._more))
        if self._formatting is None and not (self._data / "meta.properties").exists():
            words = ("format", "--cluster-id", CLUSTER_ID, "--config", str(self._properties))
            self._formatting = self._java("kafka.tools.StorageTool", *words)

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Until it takes part in its cluster. Raises BrokerError."""
        port = self._ports[self.node - 1].client
        self._until(lambda: _accepts(port), timeout_s)
        self._until(lambda: self.node in members(self.bootstrap), timeout_s)

    def ask_to_end(self) -> None:
        """Begin to end it cleanly, if it runs; `stop` waits for it."""
        if self._process is not None:
            self._process.ask_to_end()

    def stop(self) -> None:
        """End it cleanly if it runs."""
        if self._process is not None:
            self._process.end(STOP_TIMEOUT_S)
        self._process = None

    def kill(self) -> None:
        """`kill -9`; it is gone on return."""
        if self._process is not None:
            self._process.kill()
        self._process = None

    def freeze(self) -> None:
        """It neither answers nor refuses anything until `thaw`."""
        self._running().freeze()

    def thaw(self) -> None:
        self._running().thaw()

    def fill_disk(self) -> None:
        """Every write of it fails from now on until it is started again. It ends itself over that, as Kafka does."""
        self._running().fill_disk()

    def wait_ended(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Until it has ended by itself; its exit status. Raises BrokerError."""
        try:
            return self._running().wait(timeout_s)
        except TimeoutError as error:
            raise BrokerError(f"node {self.node}: {error}") from None

    def topics(self) -> list[str]:
        """The names of all topics but Kafka's own, sorted."""
        return topics(self.bootstrap)

    def delete_topics(self, beginnings: tuple[str, ...]) -> None:
        """Those whose names begin with one of these, with all their records."""
        with _admin(self.bootstrap) as admin:
            admin.delete_topics([name for name in admin.list_topics() if name.startswith(beginnings)])

    def log(self) -> str:
        """The end of what it said."""
        return self._log.read_text(errors="replace")[-_LOG_TAIL:] if self._log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # --- inside

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _log(self) -> Path:
        return self._folder / "broker.log"

    def _running(self) -> Process:
        if self._process is None:
            raise BrokerError(f"node {self.node} does not run")
        return self._process

    def _wait_formatted(self) -> None:
        if self._formatting is None:
            return
        code = self._formatting.wait(_FORMAT_TIMEOUT_S)
        self._formatting = None
        if code:
            raise BrokerError(f"the storage of node {self.node} cannot be made: {self.log()}")

    def _java(self, *words: str) -> Process:
        return Process(java(self._kafka, *words), self._log)

    def _until(self, good: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not good():
            if not self.running:
                raise BrokerError(f"node {self.node} ended: {self.log()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"node {self.node} does not answer after {timeout_s:.0f} s: {self.log()}")
            time.sleep(_LOOK_S)


class Brokers:
    """Three nodes that are one cluster: each record has three copies, and two must have it before it counts.

    Each has a folder of its own below `folder`, and below `data` if that is given.
    """

    def __init__(self, kafka: Kafka, folder: Path, ports: Sequence[Ports], data: Path | None = None) -> None:
        names = [f"broker-{number}" for number in range(1, len(ports) + 1)]
        self.nodes = tuple(
            Broker(kafka, folder / name, ports, number, data / name if data else None)
            for number, name in enumerate(names, 1)
        )

    @property
    def bootstrap(self) -> str:
        """`host:port,host:port,host:port`"""
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self) -> None:
        """Start those that do not run, and wait until all answer. Raises BrokerError."""
        new = [node for node in self.nodes if not node.running]
        for node in new:
            node.begin_format()
        for node in new:
            node.spawn()
        for node in new:
            node.wait_ready()

    def stop(self) -> None:
        """End all cleanly, at once: the last one, alone, would wait for a majority that does not come."""
        for node in self.nodes:
            node.ask_to_end()
        for node in self.nodes:
            node.stop()

    def kill(self) -> None:
        """`kill -9` of all."""
        for node in self.nodes:
            node.kill()

    def topics(self) -> list[str]:
        """The names of all topics but Kafka's own, sorted."""
        return topics(self.bootstrap)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def members(bootstrap: str) -> set[int]:
    """The nodes that take part in the cluster, as it says; none if it does not answer."""
    with (
        contextlib.suppress(KafkaError),
        _admin(bootstrap, bootstrap_timeout_ms=2000, request_timeout_ms=2000) as admin,
    ):
        return {one["broker_id"] for one in admin.describe_cluster()["brokers"] if not one.get("is_fenced")}
    return set()


def topics(bootstrap: str) -> list[str]:
    """The names of all topics but Kafka's own, sorted."""
    with _admin(bootstrap) as admin:
        return sorted(name for name in admin.list_topics() if not name.startswith("__"))


@contextlib.contextmanager
def _admin(bootstrap: str, **options: int) -> Iterator[KafkaAdminClient]:
    """A client that is closed in the end. Raises KafkaError."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap, **options)
    try:
        yield admin
    finally:
        admin.close()


def free_ports(nodes: int) -> list[Ports]:
    """Ports that nobody uses now, just below those that the system gives to clients.

    A client that asks a dead broker's port again and again would else be given that very port some time: it would
    then talk to itself, and the broker could not come back.
    """
    begin = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found: list[int] = []
    while len(found) < 2 * nodes:
        port = random.randrange(begin - begin // 16, begin)
        if port not in found and not _accepts(port) and is_free(port):
            found.append(port)
    return [Ports(client, controller) for client, controller in zip(found[::2], found[1::2], strict=True)]


def is_free(port: int) -> bool:
    """Whether one could listen there now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Kafka does: clients of a dead one linger
        try:
            one.bind((HOST, port))
        except OSError:
            return False
        return True


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1.0).close()
    except OSError:
        return False
    return True
