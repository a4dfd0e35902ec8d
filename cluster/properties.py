"""What a broker of ours is told, as data.

One node and three get the same, but for the copies of each record. What differs from Kafka's own values is meant to
make a start and a failure on one machine quick; nothing weakens what a commit means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
CLUSTER_ID = "U3dpdGNobG9nQ2x1c3Rlcg"
"""22 characters of base64url, as the storage tool wants it."""


class Ports(NamedTuple):
    """Of one node, on the loopback address: for clients and other brokers, and for the controllers."""

    client: int
    controller: int


def properties(node: int, data: Path, ports: Sequence[Ports]) -> dict[str, str]:
    """For the node numbered `node`, from 1, of as many as there are `ports`."""
    mine, copies = ports[node - 1], min(3, len(ports))
    insync = 2 if copies == 3 else 1
    voters = ",".join(f"{number}@{HOST}:{each.controller}" for number, each in enumerate(ports, 1))
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{HOST}:{mine.client},CONTROLLER://{HOST}:{mine.controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{mine.client}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(data),
        # a topic that somebody mistyped, or that was deleted, must not come (back) by itself
        "auto.create.topics.enable": "false",
        "default.replication.factor": str(copies),
        "min.insync.replicas": str(insync),
        "offsets.topic.replication.factor": str(copies),
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": str(copies),
        "transaction.state.log.min.isr": str(insync),
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": str(copies),
        "share.coordinator.state.topic.min.isr": str(insync),
        "share.coordinator.state.topic.num.partitions": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # a dead broker is noticed after 3 s instead of 9
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # else it waits 30 s for a dead or frozen one to end a transaction, and its writer begins no other meanwhile
        "request.timeout.ms": "4000",
        "controlled.shutdown.enable": "false",
        # by default it looks every 10 s for transactions that took too long
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        # memory, of which a node needs little here
        "log.cleaner.dedupe.buffer.size": str(4 << 20),
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "2",
    }


def as_text(settings: Mapping[str, str]) -> str:
    """As a properties file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())
