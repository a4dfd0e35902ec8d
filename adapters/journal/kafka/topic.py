"""The topics of the journal, as data: their names, partitions and settings, and where a record belongs.

What may live here: nothing that speaks to a broker. A partition is a shard; configuration has one partition, whose
offsets are the versions of the directory. Names here are without the installation's prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import ForeignCursor, JournalError

CALLS, REGISTRATIONS, CONFIG = "calls", "registrations", "config"
CHECKPOINTS, COMMANDS = "checkpoints", "commands"

_DAY_MS = 24 * 60 * 60 * 1000
_TRUE_TO_ACKNOWLEDGED = {
    "unclean.leader.election.enable": "false",  # else a broker that lags behind may become the truth
    "message.timestamp.type": "LogAppendTime",  # rises within a partition, whatever the clocks of nodes do
    "compression.type": "uncompressed",  # whatever a stranger packs his records with, every node can read on
}
_FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", **_TRUE_TO_ACKNOWLEDGED}
_SMALL_SEGMENTS = {
    "segment.bytes": str(4 << 20),
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.2",
    "delete.retention.ms": "600000",
}
"""A take-over reads the whole partition, so what is out of date must go soon; an active segment is never compacted."""


class Topic(msgspec.Struct, frozen=True):
    """A topic as it must be at the broker: `settings` are Kafka's own names and values.

    `tuning` is set when it is made and may be changed afterwards.
    """

    name: str
    partitions: int
    settings: Mapping[str, str]
    tuning: Mapping[str, str] = {}

    def full(self, prefix: str) -> str:
        """Its name at the broker, such as `switchlog.calls`."""
        return f"{prefix}.{self.name}"


TOPICS: Mapping[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (
            Topic(CALLS, SHARDS, _FOR_EVER),
            Topic(REGISTRATIONS, SHARDS, _FOR_EVER),
            Topic(CONFIG, 1, _FOR_EVER),
            Topic(CHECKPOINTS, SHARDS, {"cleanup.policy": "compact", **_TRUE_TO_ACKNOWLEDGED}, _SMALL_SEGMENTS),
            Topic(COMMANDS, SHARDS, {"cleanup.policy": "delete", "retention.ms": str(_DAY_MS)}),
        )
    }
)
"""Name -> topic."""

JOURNAL = (CALLS, REGISTRATIONS, CONFIG)
"""The topics that hold events: what a follower of the whole journal reads."""

_TOPIC_OF = {
    "calls": CALLS,
    "conferences": CALLS,
    "mailboxes": CALLS,
    "registrations": REGISTRATIONS,
    "subscriptions": CALLS,  # which only the owner of a shard reads
    "security": REGISTRATIONS,
    "config": CONFIG,
}


class Place(NamedTuple):
    """A partition of a topic; `key` is its name in a `Cursor`, `shard` the one whose owner alone writes here."""

    topic: str
    partition: int
    key: str
    shard: int


def _place(topic: str, partition: int) -> Place:
    return Place(topic, partition, f"{topic}-{partition}", CONFIG_SHARD if topic == CONFIG else partition)


_PLACES = {topic.name: tuple(_place(topic.name, n) for n in range(topic.partitions)) for topic in TOPICS.values()}
_BY_KEY = {place.key: place for name in JOURNAL for place in _PLACES[name]}
CONFIG_PARTITION = _PLACES[CONFIG][0].key
"""The cursor's key of the one partition of configuration."""


def place(topic: str, partition: int) -> Place:
    """The partition `partition` of `topic`. Raises JournalError when there is none."""
    known = _PLACES.get(topic, ())
    if not 0 <= partition < len(known):
        raise JournalError(f"the topic {topic} has no partition {partition} here")
    return known[partition]


def topic_of(category: str) -> str:
    """The topic that holds events of `category`. Raises JournalError."""
    topic = _TOPIC_OF.get(category)
    if topic is None:
        raise JournalError(f"no topic holds events of the category {category!r}")
    return topic


def place_of(category: str, shard: int) -> Place:
    """Where the owner of `shard` appends an event of `category`. Raises JournalError for a shard that it cannot be."""
    topic = topic_of(category)
    number = shard if topic != CONFIG else shard - CONFIG_SHARD
    known = _PLACES[topic]
    if not 0 <= number < len(known):
        raise JournalError(f"shard {shard} does not hold {category}")
    return known[number]


def places_of(shard: int) -> tuple[Place, ...]:
    """Every partition that holds events of `shard`. Raises JournalError when there is no such shard."""
    if shard == CONFIG_SHARD:
        return _PLACES[CONFIG]
    return place(CALLS, shard), place(REGISTRATIONS, shard)


def every_place() -> tuple[Place, ...]:
    """Every partition of the journal, in the order of topics and partitions."""
    return tuple(its for name in JOURNAL for its in _PLACES[name])


def place_named(key: str) -> Place:
    """The partition that a key of a cursor names. Raises ForeignCursor."""
    named = _BY_KEY.get(key)
    if named is None:
        raise ForeignCursor(f"this is a place in another journal, which has a partition {key}; begin anew here")
    return named
