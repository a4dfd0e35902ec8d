"""How the group of nodes shares the shards out, in the client library's terms.

Each node comes with a card: its name and addresses, the shards that it was given last, and whether it drains. One of
them, the group's leader, has all cards before it, shares out, and hands every node its shards and the cards of all. So
whoever is in a node's list of neighbours is alive by the group's failure detection, and nobody need ask for addresses.
(Kafka Streams tells its instances of each other in the same way.)

What may live here: cards and shares as bytes. The sharing itself is `allotment`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from kafka import TopicPartition  # type: ignore[import-untyped]
from kafka.coordinator.assignors.abstract import (  # type: ignore[import-untyped]
    AbstractPartitionAssignor,
    RebalanceProtocol,
)
from kafka.protocol.consumer.metadata import (  # type: ignore[import-untyped]
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)

from adapters.journal.kafka.allotment import Member, first_round, share_out
from adapters.journal.kafka.topic import CALLS, CONFIG, TOPICS
from domain.ids import CONFIG_SHARD, SHARDS
from domain.node import Neighbour

_log = logging.getLogger(__name__)
EVERY = (*range(SHARDS), CONFIG_SHARD)
"""All shards: what is shared out."""
SUBSCRIBED = (CALLS, CONFIG)
"""The topics whose partitions stand for them."""


class Card(msgspec.Struct, frozen=True):
    """What a node says of itself when it joins; `generation` is the sharing that gave it `held`."""

    neighbour: Neighbour
    held: tuple[int, ...] = ()
    generation: int = -1


_cards = msgspec.json.Decoder(Card)
_neighbours = msgspec.json.Decoder(tuple[Neighbour, ...])


class NodesAssignor(AbstractPartitionAssignor):  # type: ignore[misc]
    """Cooperative: nobody is given a shard that another one has still. All methods but `introduce` and `forget` are
    called by the library, on its own thread.

    `allotted` is told the shards of this node and all nodes, after each sharing.
    """

    name = "switchlog"
    version = 1

    def __init__(
        self, prefix: str, me: Neighbour, allotted: Callable[[frozenset[int], tuple[Neighbour, ...]], None]
    ) -> None:
        self._prefix, self._allotted = prefix, allotted
        self._me = self._said = me
        self._held: tuple[int, ...] = ()
        self._generation = -1

    def introduce(self, me: Neighbour) -> None:
        """From the next sharing on this node says so of itself. From any thread."""
        self._me = me

    @property
    def has_news(self) -> bool:
        """Whether this node says something else of itself now than when it last asked to join."""
        return self._said != self._me

    def forget(self) -> None:
        """The group has given this node up: it holds nothing."""
        self._held, self._generation = (), -1

    def supported_protocols(self) -> list[Any]:
        return [RebalanceProtocol.COOPERATIVE]

    def metadata(self, topics: Iterable[str]) -> Any:
        self._said = self._me
        card = msgspec.json.encode(Card(self._said, self._held, self._generation))
        return ConsumerProtocolSubscription(
            version=self.version, topics=sorted(topics), user_data=card, owned_partitions=[]
        )

    def assign(self, cluster: Any, members: Sequence[Any]) -> dict[str, Any]:
        """The first round of a sharing. A member whose card cannot be read is given nothing."""
        cards: dict[str, Card] = {}
        for member in members:
            try:
                cards[member.member_id] = _cards.decode(member.metadata.user_data or b"")
            except msgspec.MsgspecError:
                _log.warning("%s is in the group of nodes and is none of ours", member.member_id)
        coming = [
            Member(one.neighbour.name, frozenset(one.held), one.generation, one.neighbour.draining, one.neighbour.edge)
            for one in cards.values()
        ]
        shares = first_round(coming, share_out(coming, EVERY))
        everybody = msgspec.json.encode(sorted((card.neighbour for card in cards.values()), key=lambda one: one.name))
        given: dict[str, Any] = {}
        for member in members:
            card = cards.get(member.member_id)
            share = shares[card.neighbour.name] if card is not None else frozenset[int]()
            given[member.member_id] = ConsumerProtocolAssignment(self.version, self._by_topic(share), everybody)
        return given

    def on_assignment(self, assignment: Any, generation: int) -> None:
        shards = shards_of(self._prefix, assignment.partitions())
        self._held, self._generation = tuple(sorted(shards)), generation
        try:
            everybody = _neighbours.decode(assignment.user_data or b"[]")
        except msgspec.MsgspecError:
            _log.warning("the leader of the group of nodes is none of ours")
            everybody = ()
        self._allotted(shards, everybody)

    def _by_topic(self, shards: Iterable[int]) -> list[tuple[str, list[int]]]:
        found: dict[str, list[int]] = {}
        for shard in sorted(shards):
            its = partition_of_shard(self._prefix, shard)
            found.setdefault(its.topic, []).append(its.partition)
        return sorted(found.items())


def partition_of_shard(prefix: str, shard: int) -> Any:
    """The partition that stands for a shard in the group, as the library names it."""
    if shard == CONFIG_SHARD:
        return TopicPartition(TOPICS[CONFIG].full(prefix), 0)
    return TopicPartition(TOPICS[CALLS].full(prefix), shard)


def shards_of(prefix: str, partitions: Iterable[Any]) -> frozenset[int]:
    """The shards that partitions stand for."""
    config = TOPICS[CONFIG].full(prefix)
    return frozenset(CONFIG_SHARD if one.topic == config else one.partition for one in partitions)
