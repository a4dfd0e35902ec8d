"""What the domain and the shards need of the world, as protocols; adapters implement them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

Cursor = Mapping[str, int]
"""Where a follower stands: partition name -> position of the last record that it has handled. Empty = the start."""
PARTITION = "journal"
"""The one partition of a journal that has no others, the key of its cursors."""


class Record(msgspec.Struct, frozen=True):
    """One event as the journal stores it (CloudEvents words: `type`, `time`, `sequence`, `tenant`).

    `category` is `calls`, `registrations`, `security` or `config`; `data` is the event as JSON; `live_until` says how
    long an owner must hold the stream in memory after this record: None = until further notice, else Unix seconds.
    """

    stream: UUID
    sequence: int
    type: str
    category: str
    tenant: str
    time: datetime
    data: bytes
    live_until: float | None = None


class Stored(msgspec.Struct, frozen=True):
    """A record at its place: `position` orders the whole partition, `epoch` is the writer's term."""

    position: int
    shard: int
    epoch: int
    record: Record


class Batch(msgspec.Struct, frozen=True):
    """Records in order and the cursor after the last of them."""

    records: tuple[Stored, ...]
    cursor: Cursor


class OwnershipLost(msgspec.Struct, frozen=True):
    """An append that did not happen: the writer must drop the whole shard. `reason` is for the operator."""

    reason: str


Done = Callable[[int | OwnershipLost], None]
"""Told once per submission, in the order of submission, with the position of its last record (0 if it had none)."""


class JournalError(Exception):
    """The journal cannot be used; the text says why and what to do."""


class JournalFull(JournalError):
    """The queue before the committer is full: refuse new work until it drains."""


class Journal(Protocol):
    """The only truth. One writer per shard; appends are durable before `done` is called."""

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """Become the owner of `shards`; returns each shard's new epoch. Blocks. Raises JournalError."""

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        """Append all records or none. Never blocks; raises JournalFull. An empty batch only keeps its place in line."""

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`. Blocks."""

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """Each stream of the shard that an owner must hold now (Unix seconds), whole. Blocks."""

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        """The next records after `cursor`, oldest first, at most `limit`; an empty batch at the end. Blocks."""

    def close(self) -> None:
        """Commit what was submitted, then release everything."""


class Sealer(Protocol):
    """Encrypts small secrets that must travel with an event (SRTP keys), so that the journal never holds them bare."""

    def seal(self, plain: str) -> str:
        """Printable ciphertext without white space."""

    def unseal(self, sealed: str) -> str:
        """The plain text. Raises ValueError if it was not sealed by this installation."""


class Credentials(Protocol):
    """Digest secrets, kept outside the journal."""

    def ha1(self, tenant: str, username: str, realm: str, algorithm: str) -> str | None:
        """H(username:realm:password) in hex, or None if there is no such device or algorithm."""


class Identifiers(Protocol):
    """SIP identifiers derived from a leg's id, the same before and after a restart."""

    def call_id(self, leg: str) -> str: ...

    def tag(self, leg: str) -> str: ...

    def branch(self, leg: str, number: int) -> str: ...
