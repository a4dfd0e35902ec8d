"""The nodes of a cluster as each of them knows the others: who there is, where, and which shards they own.

What may live here: those facts and the questions about them. How they come to be known is `switchlog`'s.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Protocol

import msgspec

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")
"""What a node may be called: a host name, since it stands in certificates, in flow tokens and in Vias."""
_NUMBERED = "_"
"""Before a worker's number; in no host name, and fit wherever a node's name stands."""


def worker_of(node: str, number: int) -> str:
    """What one of several workers of a node is called. To all others it is a node like any."""
    return f"{node}{_NUMBERED}{number}"


def home_of(name: str) -> str:
    """The node, as its operator named it, that a process of this name belongs to."""
    return name.partition(_NUMBERED)[0]


def number_of(name: str) -> int:
    """The number of a worker; 0 for a process that is none of several."""
    return int(name.partition(_NUMBERED)[2] or 0)


class Listener(msgspec.Struct, frozen=True):
    """One SIP address of a node: what peers of `transport` are told (`host:port`), and what is bound."""

    transport: str
    address: str
    local: str


class Neighbour(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node: its name, where other nodes reach it (`host:port`), and its addresses for phones.

    One that is an `edge` has those addresses alone: its node's workers hold the shards.
    """

    name: str
    link: str
    listeners: tuple[Listener, ...] = ()
    draining: bool = False
    edge: bool = False

    @property
    def sent_by(self) -> str:
        """What stands for it in Vias and routes; without a link its name, which is a host's."""
        return self.link or home_of(self.name)


class Roster(Protocol):
    """What a node knows of itself and the others. Asked for each message, so every answer is a look into memory."""

    @property
    def me(self) -> str:
        """The name of this node."""

    def owner(self, shard: int) -> Neighbour | None:
        """The living node (perhaps this one) that has claimed a shard last; None if it is dead or has released it."""

    def takes(self, shard: int) -> bool:
        """Whether new calls that come to this node are for this shard: it is this process's, or was claimed last by
        another one of this node, be that alive or not."""

    def neighbour(self, name: str) -> Neighbour | None:
        """The living node of that name, this one included; None if there is none."""

    def neighbours(self) -> Collection[Neighbour]:
        """All living nodes, this one included."""
