"""What the domain and the shards need of the world, as protocols; adapters implement them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import UUID

import msgspec

Cursor = Mapping[str, int]
"""Where a follower stands: partition -> position up to which it has handled everything. One left out is at its start.

Positions of different partitions cannot be compared, and nothing is promised of the order between partitions.
"""
PARTITION = "journal"
"""The one partition of a journal that has no others, the key of its cursors."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event as the journal stores it (CloudEvents words: `type`, `time`, `sequence`, `tenant`).

    `category` is `calls`, `conferences`, `mailboxes`, `registrations`, `security` or `config`; `data` is the event as
    JSON; `live_until` says how long an owner must hold the stream in memory after this record: None = until further
    notice, else Unix seconds.
    """

    stream: UUID
    sequence: int
    type: str
    category: str
    tenant: str
    time: datetime
    data: bytes
    live_until: float | None = None


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A record at its place: `position` orders the records of `partition`, `epoch` is the writer's term."""

    position: int
    shard: int
    epoch: int
    record: Record
    partition: str = PARTITION


class Unreadable(msgspec.Struct, frozen=True):
    """What stands in a journal that others can write too and is no record of ours: its place, and why it is none.

    `time` is when the journal took it; `type`, `stream` and `sequence` as far as they can be read.
    """

    partition: str
    position: int
    reason: str
    time: datetime
    type: str = ""
    stream: UUID | None = None
    sequence: int = 0


class Batch(msgspec.Struct, frozen=True):
    """Records in the order of each partition, and the cursor after them, which may pass what followers need not see."""

    records: tuple[Stored, ...]
    cursor: Cursor
    unreadable: tuple[Unreadable, ...] = ()


class Note(msgspec.Struct, frozen=True):
    """What nodes tell each other beside the events of configuration: part of no stream, and seen by no follower.

    `type` begins with `shard.`, `subject` is `shard-N` for the shard that it is about, `data` is JSON.
    """

    type: str
    subject: str
    time: datetime
    data: bytes


class Noted(msgspec.Struct, frozen=True):
    """A note at its place among the notes and events of configuration."""

    position: int
    note: Note


class Notes(msgspec.Struct, frozen=True):
    """The next notes, in order, and the position after them, which may have passed events."""

    notes: tuple[Noted, ...]
    position: int


class OwnershipLost(msgspec.Struct, frozen=True):
    """An append that did not happen: the writer must drop the whole shard. `reason` is for the operator."""

    reason: str


Done = Callable[[int | OwnershipLost], None]
"""Told once per submission, in the order of submission, with the position of its last record (0 if it had none)."""


class JournalError(Exception):
    """The journal cannot be used; the text says why and what to do."""


class JournalAway(JournalError):
    """The journal cannot be reached now, and may be later: wait, and try again."""


class ForeignCursor(JournalError):
    """A cursor names a partition that this journal does not have: it is a place in another journal."""


class JournalFull(JournalError):
    """The queue before the committer is full: refuse new work until it drains."""


class Journal(Protocol):
    """The only truth. One writer per shard; appends are durable before `done` is called."""

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        """Become the owner of `shards`; returns each shard's new epoch, but for those that somebody else claimed at the
        same moment. Blocks. Raises JournalError."""

    def release(self, shards: Sequence[int]) -> None:
        """Own `shards` no more, once everything that was submitted before is durable. Blocks. Raises JournalError when
        that could not be written down: who claims them next must end this owner's writing first."""

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done) -> None:
        """Append all records or none. Never blocks; raises JournalFull. An empty batch only keeps its place in line."""

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`. Blocks."""

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """Each stream of the shard that an owner must hold now (Unix seconds), whole. Blocks."""

    def follow(self, cursor: Cursor, limit: int = 1000) -> Batch:
        """The next records after `cursor`, the oldest of each partition first, at most `limit` with the unreadable.

        None of either means that there are none now. Blocks. Raises JournalError.
        """

    def end(self) -> Cursor:
        """Where a follower stands that has handled everything there is now. Blocks."""

    def close(self) -> None:
        """Commit what was submitted, then release everything."""


@runtime_checkable
class Notebook(Protocol):
    """What reads the notes of a journal that several nodes write."""

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        """The next notes after the position `after`, at most `limit`; the first is waited for up to `wait_s`.

        None means that whatever was acknowledged before the call was passed. Blocks. Raises JournalError.
        """


@runtime_checkable
class SharedJournal(Journal, Notebook, Protocol):
    """A journal that several nodes write, who tell each other by notes what is in no event."""

    def submit(self, shard: int, epoch: int, records: Sequence[Record], done: Done, notes: Sequence[Note] = ()) -> None:
        """As `Journal.submit`, and `notes` with the records or not at all: before them, by the owner of configuration.

        There may be notes without records. In doubt of an append they may come twice.
        """

    def post(self, notes: Sequence[Note], node: str) -> None:
        """Tell the other nodes what needs no owner to be true; durable when this returns. Blocks. Raises JournalError.

        In doubt they may come twice.
        """


class Letter(msgspec.Struct, frozen=True):
    """What a node writes to another one (`node:NAME`), to the owner of a shard (`shard:N`), or to who has asked.

    `sealed` is opened by nodes of the same cluster only; `id` is that of the question, also in its answer.
    """

    id: str
    type: str
    to: str
    sealed: bytes


class Post(Protocol):
    """Carries letters between nodes. `send` is thread-safe, `take` belongs to one thread; both block."""

    def send(self, letter: Letter, at: datetime) -> None:
        """It is durable when this returns. `at` is aware UTC. Raises JournalError."""

    def take(self, wait_ms: int) -> Sequence[Letter]:
        """The next letters of all nodes; the first is waited for up to `wait_ms`. Raises JournalError."""


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
