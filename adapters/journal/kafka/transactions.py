"""What the committer drives when the journal is Kafka: groups of submissions and claims, each one transaction.

What may live here: which submissions may be appended, what they become in the log, and what is done when nobody knows
what came of it. No threads: the committer's thread alone calls.

In doubt the producer's session is gone. A new one is opened, the shards are read from where they were known and claimed
anew, and then it is plain whether the group is in the log: if not, it is appended again. All that takes as long as
brokers are away, up to `patience_s`, and its callers' epochs go on being good. A shard is lost only when patience ends,
or when somebody else has claimed it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from adapters.journal.fence import Fence
from adapters.journal.kafka.checkpoint import Snapshot
from adapters.journal.kafka.claim import Claimant
from adapters.journal.kafka.fitness import too_large, unfit
from adapters.journal.kafka.ledger import Ledger, Plan
from adapters.journal.kafka.log import Log
from adapters.journal.kafka.message import Message, write, write_note
from adapters.journal.kafka.owned import Anew, Owned, last_words
from adapters.journal.kafka.producer import Doubt, Opening, Transactor
from adapters.journal.kafka.topic import CONFIG, place, places_of
from adapters.journal.submission import Outcome, Submission
from domain.ids import CONFIG_SHARD
from domain.ports import JournalAway, JournalError, Note, OwnershipLost

_log = logging.getLogger(__name__)
T = TypeVar("T")

TAKEN = "another writer was here: a sequence number of a stream is taken"
CHECKPOINT_RECORDS = 250
"""A shard's next checkpoint is due after so many records: of 64 shards a take-over reads them in half a second."""
CHECKPOINT_S = 60.0
"""Or after so long, if there is something to say."""
_LOOK_S = 0.5
_PAUSE_S = 0.2


@dataclass(slots=True)
class _Part:
    """A submission that may be appended, and its place in the group."""

    number: int
    submission: Submission
    owned: Owned


class KafkaTransactions:
    """`adapters.journal.committer.Transactions` over Kafka; `transactor` is not open yet.

    `wall` gives Unix seconds, `clock` monotonic ones; `sleep` is called between attempts while the brokers are away.
    """

    def __init__(
        self,
        transactor: Transactor,
        opening: Opening,
        log: Log,
        *,
        patience_s: float,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transactor, self._log, self._patience_s = transactor, log, patience_s
        self._wall, self._clock, self._sleep = wall, clock, sleep
        self._claimant = Claimant(transactor, opening, log, self._now)
        self._fence = Fence()
        self._owned: dict[int, Owned] = {}
        self._epochs: dict[int, int] = {}
        """the newest of each shard that was ever won here"""
        self._distrust: JournalError | None = None
        """once the log was found to be another one: whatever it says now looks good, and is not"""
        self._read: dict[int, Snapshot] = {}
        """what claims have read of shards that nothing was appended to since"""
        self._look_at = clock() + _LOOK_S

    def append(self, group: Sequence[Submission]) -> list[Outcome]:
        """One transaction for the whole group; outcomes in its order.

        A submission of a lost epoch, with a sequence number that is taken, or with a record that no broker takes, is
        left out. A group without records and notes only asks the fence, and waits for no broker.
        """
        outcomes: list[Outcome] = [0] * len(group)
        parts: list[_Part] = []
        for number, submission in enumerate(group):
            refusal = self._refusal(submission)
            if refusal is not None:
                outcomes[number] = OwnershipLost(refusal)
            elif submission.records or submission.notes:
                parts.append(_Part(number, submission, self._owned[submission.shard]))
        try:
            self._store(parts, outcomes)
        except Exception as error:  # a fault of ours: what came of the group is not known, and its owners run ahead
            self._give_up(parts, outcomes, f"a fault of ours: {error!r}")
            raise
        for number, submission in enumerate(group):
            if not submission.records and not submission.notes:  # what it waited for may have been lost
                refusal = self._fence.refusal(submission.shard, submission.epoch)
                outcomes[number] = 0 if refusal is None else OwnershipLost(refusal)
        return outcomes

    def claim(self, shards: Sequence[int], node: str) -> dict[int, int]:
        """The new epoch of each shard that was won, once all nodes are told. Waits for brokers that are away.

        Raises JournalError.
        """
        if self._distrust is not None:
            raise self._distrust
        won = self._surely(lambda: self._claimant.take(shards, node), "shards cannot be claimed")
        for shard in shards:
            self._disown(shard, "another node has claimed it")
        for shard, (tenure, book) in won.items():
            if tenure.epoch <= self._epochs.get(shard, 0):
                self._distrust = Anew(f"shard {shard} was in epoch {self._epochs[shard]} and is in {tenure.epoch} now")
                raise self._distrust
            self._epochs[shard] = tenure.epoch
            offsets = {its: book.stands[its] for its in places_of(shard)}
            self._owned[shard] = Owned(tenure.epoch, tenure, Ledger(book.snapshot, offsets, self._wall()))
            self._read[shard] = book.snapshot
        epochs = {shard: tenure.epoch for shard, (tenure, _) in won.items()}
        self._fence.learn(epochs)
        self._surely(lambda: self._announce(won), "nobody is told whose the shards are")
        return {shard: epoch for shard, epoch in epochs.items() if shard in self._owned}

    def post(self, notes: Sequence[Note], node: str) -> None:
        """Notes of `node`, which may own nothing. Waits for brokers that are away. Raises JournalError."""
        messages = [write_note(note, node) for note in notes]
        for message in messages:
            if (reason := too_large(message.value)) is not None:
                raise JournalError(reason)
        self._surely(lambda: self._transactor.append(messages), "a note cannot be told")

    def release(self, shards: Sequence[int]) -> None:
        """Write a checkpoint of each and that it is free, in few transactions. Raises JournalAway."""
        given = {shard: self._owned[shard] for shard in shards if shard in self._owned}
        for shard in given:
            self._disown(shard, "the shard was released")
        try:
            if given and not self._transactor.is_open:
                raise Doubt("there is no session with the brokers")
            self._resign(given)
        except Doubt as doubt:
            raise JournalAway(f"{len(given)} shards are not released: {doubt}") from doubt

    def read_by_claim(self, shard: int) -> Snapshot | None:
        """What the claim of `shard` has read of it, once, if it is all there is. From any thread."""
        return self._read.pop(shard, None)

    @property
    def config_end(self) -> int | None:
        """The offset from which on no event of configuration is, while this process owns it. From any thread."""
        owned = self._owned.get(CONFIG_SHARD)
        return owned.ledger.offsets[place(CONFIG, 0)] if owned is not None else None

    def close(self) -> None:
        """Write a checkpoint of every shard and release it, as far as the brokers let us; then end the session."""
        try:
            if self._owned and self._transactor.is_open:
                self._resign(self._owned)
        except Doubt as doubt:
            _log.warning("the shards are not released: %s", doubt)
        finally:
            self._owned.clear()
            self._transactor.drop()
            self._log.close()

    def _surely(self, work: Callable[[], T], failure: str) -> T:
        """`work`, again and again while it is in doubt. Raises JournalAway when patience ends, JournalError."""
        until = self._clock() + self._patience_s
        while True:
            opened = self._transactor.is_open
            try:
                if not opened:
                    self._recover([], [])
                return work()
            except (Doubt, JournalAway) as error:
                if self._clock() >= until:
                    raise JournalAway(f"{failure}: {error}; check the brokers") from error
                _log.warning("in doubt: %s: %s", failure, error)
                if not opened:
                    self._sleep(_PAUSE_S)

    # --- what may be appended

    def _refusal(self, submission: Submission) -> str | None:
        shard, epoch = submission.shard, submission.epoch
        refusal = self._fence.refusal(shard, epoch)
        if refusal is not None or not (submission.records or submission.notes):
            return refusal
        reason = unfit(submission)
        if reason is None and not self._owned[shard].ledger.takes(submission.records):
            reason = TAKEN
        if reason is not None:
            self._disown(shard, reason)
        return reason

    def _disown(self, shard: int, reason: str) -> None:
        owned = self._owned.pop(shard, None)
        self._read.pop(shard, None)
        if owned is not None:
            self._fence.lose(shard, owned.term, reason)

    # --- appending, whatever the brokers do

    def _store(self, parts: list[_Part], outcomes: list[Outcome]) -> None:
        """Make `parts` durable, and put into `outcomes` what came of each."""
        until = self._clock() + self._patience_s
        while parts:
            opened = self._transactor.is_open
            try:
                if not opened:
                    parts = self._recover(parts, outcomes)
                    continue
                self._commit(parts, outcomes)
                return
            except (Doubt, JournalAway) as error:
                if self._clock() >= until:
                    self._give_up(parts, outcomes, f"the brokers were away for too long: {error}")
                    return
                _log.warning("an append is in doubt: %s", error)
                if not opened:
                    self._sleep(_PAUSE_S)
            except JournalError as error:
                if isinstance(error, Anew):
                    self._distrust = error
                self._give_up(parts, outcomes, str(error))
                return

    def _commit(self, parts: Sequence[_Part], outcomes: list[Outcome]) -> None:
        """One transaction, with a checkpoint if one is due. Raises Doubt."""
        messages: list[Message] = []
        for part in parts:
            tenure, shard = part.owned.tenure, part.submission.shard
            epoch, node = tenure.epoch, tenure.node
            messages += [write_note(note, node) for note in part.submission.notes]
            messages += [write(record, shard, epoch, node) for record in part.submission.records]
        plan = self._due(parts)
        offsets = self._transactor.append([*messages, *plan.messages] if plan else messages)
        if plan:
            plan.done()
        start = 0
        for part in parts:
            notes, records = part.submission.notes, part.submission.records
            start += len(notes)
            self._read.pop(part.submission.shard, None)
            outcomes[part.number] = part.owned.note(records, offsets[start : start + len(records)])
            start += len(records)

    def _give_up(self, parts: Sequence[_Part], outcomes: list[Outcome], reason: str) -> None:
        """Nobody knows who owns what: all is lost, and whoever claims it again reads what is true."""
        _log.error("every shard is lost: %s", reason)
        for shard in list(self._owned):
            self._disown(shard, reason)
        for part in parts:
            outcomes[part.number] = OwnershipLost(reason)

    def _recover(self, parts: Sequence[_Part], outcomes: list[Outcome]) -> list[_Part]:
        """A new session and the shards claimed anew; the parts still to be appended. Raises Doubt, JournalError."""
        self._transactor.open()
        if not self._owned:
            return list(parts)
        self._log.close()  # its connections lead where the doubt came from
        books = {shard: owned.book() for shard, owned in self._owned.items()}
        won = self._claimant.renew(books, {shard: owned.tenure.node for shard, owned in self._owned.items()})
        found: dict[tuple[object, int], int] = {}
        for shard, book in books.items():
            owned = self._owned[shard]
            if shard not in won:
                self._disown(shard, f"{book.standing.node} has claimed shard {shard} in epoch {book.standing.epoch}")
                continue
            owned.tenure = won[shard][0]
            self._epochs[shard] = owned.tenure.epoch
            tail = list(book.snapshot.tail())
            owned.ledger.add(tail)
            owned.ledger.offsets.update({its: book.stands[its] for its in places_of(shard)})
            found.update({(one.record.stream, one.record.sequence): one.position for one in tail})
        _log.info("a new session owns %d of %d shards", len(won), len(books))
        return self._sort_out(parts, outcomes, found)

    def _sort_out(
        self, parts: Sequence[_Part], outcomes: list[Outcome], found: Mapping[tuple[object, int], int]
    ) -> list[_Part]:
        """Those that are lost are told so, those that are in the log are durable; the others are left."""
        left = []
        for part in parts:
            submission = part.submission
            last = submission.records[-1] if submission.records else None
            position = found.get((last.stream, last.sequence)) if last else None
            refusal = self._fence.refusal(submission.shard, submission.epoch)
            if refusal is not None:
                outcomes[part.number] = OwnershipLost(refusal)
            elif position is not None:
                outcomes[part.number] = position
            else:
                left.append(part)
        return left

    # --- checkpoints and announcements

    def _due(self, parts: Sequence[_Part]) -> Plan | None:
        """The checkpoint of one shard that rides with this group: of the group's own, or now and then of any."""
        owned = next((part.owned for part in parts if part.owned.ledger.count >= CHECKPOINT_RECORDS), None)
        if owned is None and self._clock() >= self._look_at:
            self._look_at = self._clock() + _LOOK_S
            old = self._wall() - CHECKPOINT_S
            aged = [one for one in self._owned.values() if one.ledger.count and one.ledger.marked_at <= old]
            owned = min(aged, key=lambda one: one.ledger.marked_at, default=None)
        return owned.plan(self._now()) if owned is not None else None

    def _announce(self, shards: Iterable[int]) -> None:
        """Those of `shards` that were not lost since: what is theirs would come to nobody. Raises Doubt."""
        tenures = {shard: self._owned[shard].tenure for shard in shards if shard in self._owned}
        if tenures.keys() - {CONFIG_SHARD}:
            self._claimant.announce(tenures)

    def _resign(self, given: Mapping[int, Owned]) -> None:
        """Raises Doubt."""
        for messages in last_words(given, self._now()):
            self._transactor.append(messages)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)
