"""Who owns a shard: claim records in the log of the shard itself, the fence before them, and the reading around them.

The rule, which holds whatever anybody believes about who is alive:

- An owner's producer session is older than its claim: a new session (after any doubt) writes nothing into a shard
  before it has claimed it anew.
- A claimant ends the session of the owner before it (`init_transactions` with that one's id), reads to the end, writes
  a claim of the next epoch, and reads on up to it. Of the claims of one epoch the first counts: who was second has not
  got the shard.

So between the fence and the claim nobody else can have written, and after the claim only its writer can.

What may live here: that procedure, and what the control records mean. No threads; one thread calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime

from adapters.journal.kafka.checkpoint import Snapshot, checkpoint_place
from adapters.journal.kafka.client import CLIENT_ERRORS
from adapters.journal.kafka.log import Log, Mend
from adapters.journal.kafka.message import (
    CLAIMED,
    MENDED,
    RELEASED,
    Control,
    Headers,
    Message,
    Tenure,
    read,
    write_control,
)
from adapters.journal.kafka.producer import Doubt, Opening, Session, Transactor, explain, mend
from adapters.journal.kafka.topic import CONFIG, Place, place, places_of
from domain.ids import CONFIG_SHARD
from domain.ports import Stored, Unreadable

_log = logging.getLogger(__name__)

PRODUCER = "producer"
"""The header of a claim that says which producer session wrote it."""


class Standing:
    """Who owns a shard by the control records of its log in order: of the claims of one epoch the first counts."""

    def __init__(self, epoch: int = 0, txn_id: str = "", node: str = "") -> None:
        self.epoch, self.txn_id, self.node = epoch, txn_id, node
        self.position = 0
        """of the claim that counts; 0 if a checkpoint said it"""
        self.producer = ""
        self.released = not epoch

    def assume(self, epoch: int, txn_id: str, node: str) -> None:
        """What a checkpoint says: its owner wrote it."""
        if epoch > self.epoch:
            self.epoch, self.txn_id, self.node = epoch, txn_id, node
            self.position, self.producer, self.released = 0, "", False

    def hear(self, control: Control, producer: str) -> None:
        tenure = control.tenure
        if control.type == CLAIMED and tenure.epoch > self.epoch:
            self.epoch, self.txn_id, self.node = tenure.epoch, tenure.txn_id, tenure.node
            self.position, self.producer, self.released = control.position, producer, False
        elif control.type == RELEASED and (tenure.epoch, tenure.txn_id) == (self.epoch, self.txn_id):
            self.released = True


class Book:
    """What was read of one shard. `stands` says where to read on, place by place; what is missing is read from 0."""

    def __init__(self, shard: int, standing: Standing | None = None, stands: Mapping[Place, int] | None = None) -> None:
        self.shard = shard
        self.standing = standing or Standing()
        self.snapshot = Snapshot(shard)
        self.stands: dict[Place, int] = dict(stands or {})
        self.checkpoints = checkpoint_place(shard) if standing is None else None
        """where its checkpoints are, unless it begins at a known state"""

    def starts(self) -> dict[Place, int]:
        """Where the tails are to be read from."""
        known = self.snapshot.offsets
        return {its: max(self.stands.get(its, 0), known.get(its.key, 0)) for its in places_of(self.shard)}

    def saved(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the checkpoint partition."""
        before = self.snapshot.marker
        self.snapshot.saved(key, value)
        marker = self.snapshot.marker
        if marker is not None and marker is not before:
            self.standing.assume(marker.epoch, marker.txn_id, marker.node)

    def heard(self, at: Place, offset: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """A record of the tail. What cannot be read belongs to no stream: it is for those who follow the journal."""
        one = read(at, offset, key, value, headers)
        if isinstance(one, Stored):
            self.snapshot.stored(one)
        elif isinstance(one, Control):
            if one.shard == self.shard:
                self.standing.hear(one, dict(headers).get(PRODUCER, b"").decode("ascii", "replace"))
        elif isinstance(one, Unreadable):
            _log.warning("%s, position %d is left out: %s", one.partition, one.position, one.reason)


def read_books(log: Log, books: Iterable[Book], mending: Mend | None = None) -> None:
    """Every checkpoint and tail of `books`, from where each stands to its end. Raises JournalError, Doubt.

    Without `mending` what is committed by now, with it also what has begun (`Log.read`).
    """
    tails = {its: book for book in books for its in places_of(book.shard)}
    saved = {book.checkpoints: book for book in tails.values() if book.checkpoints is not None}
    ends = log.ends([*saved, *tails], stable=mending is None)
    starts = {its: book.stands.get(its, 0) for its, book in saved.items()}
    left = log.read(starts, ends, lambda at, _, key, value, __: saved[at].saved(key, value), mending)
    for its, offset in left.items():
        saved[its].stands[its] = offset
    starts = {its: book.starts()[its] for its, book in tails.items()}
    left = log.read(
        starts, ends, lambda at, offset, key, value, headers: tails[at].heard(at, offset, key, value, headers), mending
    )
    for its, offset in left.items():
        tails[its].stands[its] = offset


class Claimant:
    """Claims with the session of `transactor`, whose id is the claimant's. `now` is the time of its records."""

    def __init__(self, transactor: Transactor, opening: Opening, log: Log, now: Callable[[], datetime]) -> None:
        self._transactor, self._opening, self._log, self._now = transactor, opening, log, now

    def take(self, shards: Sequence[int], node: str) -> dict[int, tuple[Tenure, Book]]:
        """Claim `shards` from whoever has them: those that were won. Raises JournalError, Doubt."""
        books = {shard: Book(shard) for shard in shards}
        with ExitStack() as stack:
            read_books(self._log, books.values())
            before = {shard: book.standing.epoch for shard, book in books.items()}
            sessions = self._fence(books.values(), stack)
            read_books(self._log, books.values(), self._mending(sessions))
            for shard, epoch in before.items():
                if books[shard].standing.epoch != epoch:  # somebody else was quicker, a moment ago
                    del books[shard]
            return self._claim(books, node)

    def renew(self, books: Mapping[int, Book], nodes: Mapping[int, str]) -> dict[int, tuple[Tenure, Book]]:
        """Claim anew what this process owned before its session was lost; `books` stand where it knew all.

        Those are left out that somebody else has claimed since. Raises JournalError, Doubt.
        """
        read_books(self._log, books.values(), self._mending(()))
        ours = {
            shard: book
            for shard, book in books.items()
            if not book.standing.position or book.standing.producer in self._transactor.identities
        }
        won: dict[int, tuple[Tenure, Book]] = {}
        for node in sorted(set(nodes.values())):
            won |= self._claim({shard: book for shard, book in ours.items() if nodes[shard] == node}, node)
        return won

    def announce(self, tenures: Mapping[int, Tenure]) -> None:
        """Tell all nodes, in the topic that all read, whose the shards are. Raises Doubt."""
        where, at = place(CONFIG, 0), self._now()
        self._transactor.append(
            [
                write_control(CLAIMED, where, tenure, at, shard)
                for shard, tenure in tenures.items()
                if shard != CONFIG_SHARD
            ]
        )

    def _fence(self, books: Iterable[Book], stack: ExitStack) -> list[Session]:
        """End the sessions of all owners but us, one session a claimant; open until the stack is left."""
        own = self._transactor.txn_id
        owners = {book.standing.txn_id for book in books if not book.standing.released} - {own}
        sessions = []
        for owner in sorted(owners):
            _log.info("fencing %s", owner)
            try:
                session = self._opening(owner)
            except CLIENT_ERRORS as error:
                raise Doubt(f"{owner} cannot be fenced: {explain(error)}") from error
            stack.callback(session.close)
            sessions.append(session)
        return sessions

    def _mending(self, sessions: Sequence[Session]) -> Mend:
        """What a broker forgot when it was killed goes on in its partitions until one of the same id ends there."""

        def mending(places: Sequence[Place]) -> None:
            messages = mend_messages(places, self._transactor.txn_id, self._now())
            for session in sessions:
                try:
                    mend(session, messages)
                except CLIENT_ERRORS as error:
                    raise Doubt(f"a hanging transaction cannot be ended: {explain(error)}") from error
            self._transactor.mend(messages)

        return mending

    def _claim(self, books: Mapping[int, Book], node: str) -> dict[int, tuple[Tenure, Book]]:
        """One claim of the next epoch for each, in one transaction, read back."""
        if not books:
            return {}
        txn_id, at = self._transactor.txn_id, self._now()
        tenures = {shard: Tenure(book.standing.epoch + 1, txn_id, node) for shard, book in books.items()}
        messages = [write_control(CLAIMED, control_place(shard), tenure, at) for shard, tenure in tenures.items()]
        for message in messages:
            message.headers.append((PRODUCER, self._transactor.identity.encode()))
        offsets = dict(zip(tenures, self._transactor.append(messages), strict=True))
        read_books(self._log, books.values(), self._mending(()))
        return {
            shard: (tenures[shard], book)
            for shard, book in books.items()
            if book.standing.position == offsets[shard] + 1
        }


def control_place(shard: int) -> Place:
    """Where the claims of a shard decide."""
    return places_of(shard)[0]


def mend_messages(places: Sequence[Place], txn_id: str, at: datetime) -> list[Message]:
    """One record for each of `places`, for a transaction that is aborted."""
    return [write_control(MENDED, its, Tenure(0, txn_id, ""), at) for its in places]
