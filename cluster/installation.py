"""Brokers that were not there before, `broker` and `brokers`, and what nodes share, `make_keys`.

The first ones on a machine take longer, for Maven fetches the jars (`cluster.jars`), and a broker is started and
stopped to make an archive of the classes that it loads. With it each later start takes about half of the processor's
time: three at once on two busy cores are ready after 5 s instead of 8.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.broker import Broker, Brokers, free_ports
from cluster.jars import HERE, Kafka, Unavailable, fetch
from cluster.properties import Ports

_KEYS = Path(__file__).parents[1] / "deploy" / "keys.sh"


def broker(folder: Path, ports: Ports, data: Path | None = None) -> Broker:
    """A node that is a cluster of its own, not started. Raises Unavailable where there is no Kafka to be had."""
    return Broker(installed(), folder, [ports], data=data)


def brokers(folder: Path, ports: Sequence[Ports], data: Path | None = None) -> Brokers:
    """A node at each of these ports, not started. Raises Unavailable where there is no Kafka to be had."""
    return Brokers(installed(), folder, ports, data)


def installed(folder: Path = HERE) -> Kafka:
    """Kafka below `folder`, with its archive of classes for this Java. Raises Unavailable, BrokerError."""
    kafka = fetch(folder)
    if not kafka.archive.exists():
        _archive(kafka)
    return kafka


def make_keys(folder: Path, nodes: Sequence[str]) -> None:
    """The key that these nodes share and the certificates of their link, as far as they are not there yet.

    Raises Unavailable.
    """
    done = subprocess.run(["sh", str(_KEYS), str(folder), *nodes], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the nodes' keys cannot be made in {folder}: {done.stderr.strip()[-600:]}")


def _archive(kafka: Kafka) -> None:
    """Whole or not at all, also where two make it at once: the last one's stays, and both are good."""
    print(f"preparing Kafka in {kafka.home}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=kafka.home, prefix="preparing-") as place:
        new = Path(place) / "classes.jsa"
        one = Broker(kafka, Path(place) / "broker", free_ports(1))
        try:
            one.spawn(f"-XX:ArchiveClassesAtExit={new}")
            one.wait_ready()
            one.topics()
        finally:
            one.stop()
        if new.exists():  # a JVM without such archives goes on as before
            new.replace(kafka.archive)
