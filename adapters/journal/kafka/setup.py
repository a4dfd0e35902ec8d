"""The topics at the brokers: those that are missing are made, those that are there are checked.

What may live here: making and checking. A topic that is not as it must be stops the start with a line that says what to
change: nothing here changes a topic that somebody made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, errors  # type: ignore[import-untyped]
from kafka.admin import ConfigResource  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import open_client
from adapters.journal.kafka.failure import explain, named_errors
from adapters.journal.kafka.partitions import Ends, gone
from adapters.journal.kafka.topic import JOURNAL, TOPICS, Topic, every_place
from domain.ports import JournalError

_REPLICAS = 3
_IN_SYNC = "min.insync.replicas"
_WAIT_MS = 15_000
_HEARSAY_S = 5.0
"""So long a broker may take to hear of a topic that was made by way of another one."""
_AGAIN_S = 0.1
_AT_LEAST = frozenset({"retention.ms", _IN_SYNC})
"""Settings of which more does no harm."""
_WHOLE = re.compile(r"-?[0-9]+")


class Found(NamedTuple):
    """A topic as the brokers describe it; `settings` are those that were asked for, all of them texts."""

    partitions: int
    replicas: int
    settings: Mapping[str, str]


def prepare(address: Address, wait_ms: int = _WAIT_MS) -> None:
    """Make the topics that are missing, then check all of them. Blocks.

    Raises JournalError that says what is wrong and what to change, JournalAway when no broker answers within `wait_ms`.
    """
    with named_errors(address):
        admin = open_client(
            KafkaAdminClient, address, "switchlog-setup", bootstrap_timeout_ms=wait_ms, request_timeout_ms=wait_ms
        )
        with closing(admin):
            brokers = len(admin.describe_cluster()["brokers"])
            _make(admin, address, brokers)
            found = described(admin, address)
    faults = [
        fault
        for topic in TOPICS.values()
        for fault in faults_of(topic, found[topic.name], brokers, topic.full(address.prefix), address.bootstrap[0])
    ]
    if faults:
        raise JournalError(f"journal {address}: " + "; ".join(faults))


def wanted(topic: Topic, brokers: int) -> tuple[int, dict[str, str]]:
    """How many replicas the topic must have with so many brokers, and its settings.

    With three or more an append is acknowledged when two brokers have it, so that any one may die.
    """
    replicas = min(_REPLICAS, brokers)
    return replicas, {**topic.settings, _IN_SYNC: str(2 if replicas == _REPLICAS else 1)}


def faults_of(topic: Topic, found: Found, brokers: int, name: str, broker: str) -> Iterator[str]:
    """What is wrong with the topic `name`, each with the command that puts it right; `broker` is one of the brokers."""
    replicas, settings = wanted(topic, brokers)
    tool = f"kafka-topics.sh --bootstrap-server {broker}"
    if found.partitions < topic.partitions:
        yield (
            f"topic {name} has {found.partitions} partitions, not {topic.partitions}: run "
            f"{tool} --alter --topic {name} --partitions {topic.partitions}"
        )
    elif found.partitions > topic.partitions:
        yield (
            f"topic {name} has {found.partitions} partitions, not {topic.partitions}, and Kafka takes none away: "
            f"choose another prefix, or delete the topic if nothing in it counts"
        )
    if found.replicas < replicas:
        yield (
            f"topic {name} has {found.replicas} replicas, not {replicas}: give it more with "
            f"kafka-reassign-partitions.sh --bootstrap-server {broker}"
        )
    for setting, value in settings.items():
        now = found.settings.get(setting)
        if now is None:
            yield f"topic {name}: its {setting} cannot be read: allow DescribeConfigs to this user"
        elif not _suits(setting, now, value):
            yield (
                f"topic {name} has {setting}={now}, not {value}: run kafka-configs.sh --bootstrap-server {broker} "
                f"--alter --entity-type topics --entity-name {name} --add-config {setting}={value}"
            )


def _suits(setting: str, now: str, value: str) -> bool:
    if now == value:
        return True
    if setting not in _AT_LEAST or not (_WHOLE.fullmatch(now) and _WHOLE.fullmatch(value)):
        return False
    unlimited = -1
    return int(now) == unlimited or unlimited < int(value) < int(now)


def _make(admin: Any, address: Address, brokers: int) -> None:
    present = set(admin.list_topics())
    missing: dict[str, dict[str, Any]] = {}
    for topic in TOPICS.values():
        if topic.full(address.prefix) not in present:
            replicas, settings = wanted(topic, brokers)
            missing[topic.full(address.prefix)] = {
                "num_partitions": topic.partitions,
                "replication_factor": replicas,
                "configs": {**settings, **topic.tuning},
            }
    if missing:
        _check_unused(admin, address, missing.keys())
        made = admin.create_topics(missing, raise_errors=False)
        for one in made["topics"]:
            kind = errors.for_code(one["error_code"])
            if kind not in (errors.NoError, errors.TopicAlreadyExistsError):  # another node was faster
                raise explain(kind(f"topic {one['name']} cannot be made: {one.get('error_message') or ''}"), address)
        admin.wait_for_topics(list(missing), timeout_ms=_WAIT_MS)


def _check_unused(admin: Any, address: Address, missing: Collection[str]) -> None:
    """A topic of events is made only where none holds any: else it was deleted, and nobody would know of it.

    Raises JournalError.
    """
    names = {name: TOPICS[name].full(address.prefix) for name in JOURNAL}
    lost = [name for name in names.values() if name in missing]
    if not lost or len(lost) == len(names):
        return
    present = {
        topic["name"]: len(topic["partitions"])
        for topic in admin.describe_topics([name for name in names.values() if name not in missing])
    }
    places = [place for place in every_place() if place.partition < present.get(names[place.topic], 0)]
    with closing(Ends(address, "switchlog-setup")) as ends:
        if any(ends.written(places).values()):
            raise JournalError(f"journal {address}: {gone(lost)}")


def described(admin: Any, address: Address) -> Mapping[str, Found]:
    """As `_describe`. Of a topic that was just made a broker may say nothing yet, as it does to who must not know."""
    until = time.monotonic() + _HEARSAY_S
    found = _describe(admin, address)
    while not all(one.settings for one in found.values()) and time.monotonic() < until:
        time.sleep(_AGAIN_S)
        found = _describe(admin, address)
    return found


def _describe(admin: Any, address: Address) -> Mapping[str, Found]:
    """Each of our topics by its own name."""
    full = {topic.full(address.prefix): topic.name for topic in TOPICS.values()}
    resources = [ConfigResource("TOPIC", name) for name in full]
    settings = admin.describe_configs(resources, config_filter="all").get("topic", {})
    found: dict[str, Found] = {}
    for topic in admin.describe_topics(list(full)):
        kind = errors.for_code(topic["error_code"])
        if kind is not errors.NoError:
            raise explain(kind(f"topic {topic['name']}"), address)
        partitions: Sequence[Mapping[str, Any]] = topic["partitions"]
        found[full[topic["name"]]] = Found(
            len(partitions),
            min(len(partition["replica_nodes"]) for partition in partitions),
            {
                key: str(one["value"])
                for key, one in settings.get(topic["name"], {}).items()
                if one["value"] is not None
            },
        )
    return found
