"""Reading the journal's topics, from any thread of any process, while the writers write.

What may live here: what each question of `domain.ports.Journal` means in partitions and offsets. A position is that of
one partition: a record's offset + 1, so that a cursor holds the offset to go on at. Offsets have gaps, where
transactions left their marks: nothing here counts by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import Self
from uuid import UUID

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.checkpoint import Snapshot, checkpoint_place
from adapters.journal.kafka.claim import Book, read_books
from adapters.journal.kafka.client import BOOTSTRAP_MS
from adapters.journal.kafka.configuration import Configuration
from adapters.journal.kafka.lookup import Lookup, begin_ms, homes
from adapters.journal.kafka.message import note_of
from adapters.journal.kafka.partitions import Ends, Partitions, Raw, found_in
from adapters.journal.kafka.pool import Pool
from adapters.journal.kafka.tail import KafkaLog
from adapters.journal.kafka.topic import CONFIG, Place, every_place, place, place_named, places_of
from domain.ids import WHOLE, Part
from domain.ports import Batch, Cursor, JournalAway, JournalError, Noted, Notes, Stored, Unreadable

_PAGE = 2_000
_LOOKUP_MS = 10
_POLL_MS = 100
_LOOK_AGAIN_S = 0.005
_OPEN_S = 2.0
"""How long an open transaction before the end is waited for: one that is acknowledged is closed long before."""
_LOOK_S = 1.0
_SILENT_S = 15.0
"""After so long without a record that must be there the journal counts as away."""


class KafkaReader:
    """Sees what is committed and nothing else. Thread-safe: threads that read at once get a connection each.

    `clock` gives Unix seconds; the first answer of a broker is waited for `wait_ms`; what is followed, and its end, is
    that of the shards of `part`. Every method blocks and raises
    JournalError, also the constructor: JournalAway when no broker answers, or when the topics are not there (yet).
    """

    def __init__(
        self,
        address: Address,
        client_id: str = "switchlog-reader",
        clock: Callable[[], float] = time.time,
        wait_ms: int = BOOTSTRAP_MS,
        part: Part = WHOLE,
    ) -> None:
        self._address, self._client_id, self._clock = address, client_id, clock
        self._ends = Ends(address, f"{client_id}-ends", wait_ms)
        try:
            if missing := self._ends.missing():
                raise JournalAway(
                    f"journal {address}: has no topic {missing[0]} yet; a node that holds calls makes it as it starts"
                )
        except JournalError:
            self._ends.close()
            raise
        self._everything = tuple(its for its in every_place() if part.holds(its.shard))
        self._followers = Pool(lambda: Partitions(address, f"{client_id}-follow"))
        self._lookups = Pool(lambda: Partitions(address, f"{client_id}-lookup", wait_ms=_LOOKUP_MS))
        self._configurations = Pool(lambda: Partitions(address, f"{client_id}-config", wait_ms=_LOOKUP_MS))
        self._notes = Pool(lambda: Partitions(address, f"{client_id}-notes"))
        self._configuration = Configuration()
        self._configuring = Lock()
        self._looks_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, stream: UUID, after: int = 0, config_end: int | None = None) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`, in order; what was acknowledged is among them.

        Configuration is kept in memory once it was asked for; the brokers are asked what is new, unless somebody who
        knows says that there is nothing from the offset `config_end` on. Of a call or a registration its partition is
        read from its begin on, which takes the longer the more happened in it since.
        """
        places = homes(stream)
        if places[0].topic == CONFIG:
            with self._configuring:
                if config_end is None or self._configuration.next_offset < config_end:
                    self._learn()
                return self._configuration.read(stream, after)
        begin = begin_ms(stream, round(self._clock() * 1000))
        lookup = self._look(Lookup(stream, after), places, begin)
        if lookup.begins_late and begin is not None:  # an id of names that looks like one of a time
            lookup = self._look(Lookup(stream, after), places, None)
        return lookup.found

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        """The next records after `cursor`, oldest first in each partition, at most `limit` with the unreadable.

        None of either means that whatever was acknowledged before the call was read. A partition that `cursor` leaves
        out begins at its start; one that it has and we have not raises JournalError.

        With `wait_s` the first is waited for so long at the brokers, and none means no more than that none came: so
        they need not be asked where each partition ends. That is done once in `_LOOK_S` all the same, since who only
        waits does not notice that they are away.
        """
        offsets = dict.fromkeys(self._everything, 0)
        offsets |= {place_named(key): position for key, position in cursor.items()}
        with self._followers.lease(offsets) as partitions:
            partitions.stand(offsets)
            records, unreadable = _sorted_out(partitions.take(limit, round(wait_s * 1000)))
            if not records and not unreadable and (not wait_s or self._is_to_look()):
                for taken in self._rest(partitions, limit):
                    records, unreadable = _sorted_out(taken)
                    if records or unreadable:
                        break
            return Batch(tuple(records), _cursor(partitions.at), tuple(unreadable))

    def live(self, shard: int, now: float) -> Iterator[Sequence[Stored]]:
        """Each stream of the shard that an owner must hold at `now` (Unix seconds), whole, by id.

        Its checkpoint is read, and what was appended since.
        """
        snapshot = Snapshot(shard)
        with self._lookups.lease({}) as partitions:
            if (saved := checkpoint_place(shard)) is not None:
                partitions.stand({saved: 0})
                for taken in self._rest(partitions, _PAGE):
                    for record in (one for _, portion in taken for one in portion):
                        snapshot.saved(record.key, record.value)
            partitions.stand({its: snapshot.offsets.get(its.key, 0) for its in places_of(shard)})
            for taken in self._rest(partitions, _PAGE):
                for stored in _sorted_out(taken)[0]:
                    snapshot.stored(stored)
        yield from snapshot.live(now)

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        """`live` of many shards, read at once: each alone would cost the library two tenths of a second."""
        books = {shard: Book(shard) for shard in shards}
        log = KafkaLog(self._address, f"{self._client_id}-live")
        try:
            read_books(log, books.values())
        finally:
            log.close()
        for book in books.values():
            yield from book.snapshot.live(now)

    def end(self) -> Cursor:
        """Where a follower stands that has handled everything that was acknowledged before the call."""
        written = self._ends.written(self._everything)
        until = time.monotonic() + _OPEN_S
        committed = self._ends.committed(self._everything)
        while any(committed[its] < end for its, end in written.items()) and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)
            committed = self._ends.committed(self._everything)
        return _cursor(committed)

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        """See `domain.ports.Notebook`: every control record beside the configuration."""
        its = place(CONFIG, 0)
        pool = self._notes if wait_s else self._lookups  # what waits at the end is slow to stand elsewhere
        with pool.lease({its: after}) as partitions:
            partitions.stand({its: after})
            found = _noted(partitions.take(limit, round(wait_s * 1000)))
            if not found:
                for taken in self._rest(partitions, limit):
                    if found := _noted(taken):
                        break
            return Notes(tuple(found), partitions.at[its])

    def claims(self) -> dict[int, tuple[int, str]]:
        """Each claimed shard's epoch and node, as nodes announced them beside the configuration."""
        with self._configuring:
            self._learn()
            return self._configuration.claims()

    def close(self) -> None:
        """Release every connection; a read that runs at this moment finishes first."""
        self._followers.close()
        self._lookups.close()
        self._configurations.close()
        self._notes.close()
        self._ends.close()

    def _is_to_look(self) -> bool:
        now = time.monotonic()
        if now < self._looks_at:
            return False
        self._looks_at = now + _LOOK_S
        return True

    def _look(self, lookup: Lookup, places: Sequence[Place], begin: int | None) -> Lookup:
        """Show `lookup` what is in `places` from `begin` (Unix ms of the brokers) on, until it has what there is."""
        if begin is None:
            offsets, ends = dict.fromkeys(places, 0), self._ends.written(places)
        else:
            offsets, ends = self._ends.since(places, begin)
        offsets = {its: offset for its, offset in offsets.items() if offset < ends[its]}
        with self._lookups.lease(offsets) as partitions:
            while offsets:
                partitions.stand(offsets)
                for taken in self._rest(partitions, _PAGE):
                    if any(lookup.take(its, records) for its, records in taken):
                        return lookup
                    if lookup.place is not None and len(offsets) > 1:
                        break  # it is in one of them only
                else:
                    return lookup
                offsets = {its: at for its, at in partitions.at.items() if its == lookup.place}
        return lookup

    def _learn(self) -> None:
        """Bring the configuration up to what was acknowledged by now."""
        its = place(CONFIG, 0)
        with self._configurations.lease({its: self._configuration.next_offset}) as partitions:
            partitions.stand({its: self._configuration.next_offset})
            for taken in self._rest(partitions, _PAGE):
                for _, records in taken:
                    self._configuration.take(found_in(its, record) for record in records)
                self._configuration.next_offset = partitions.at[its]

    def _rest(self, partitions: Partitions, limit: int) -> Iterator[list[tuple[Place, Sequence[Raw]]]]:
        """What there is from where `partitions` stands to the ends of now, in portions of at most `limit` records.

        A transaction that stays open hides what comes after its begin: nothing there was acknowledged, and it is not
        waited for longer than `_OPEN_S`.
        """
        ends = self._ends.written(partitions.at)
        for its, end in ends.items():
            if partitions.at[its] > end:
                raise JournalError(
                    f"journal {self._address}: {its.key} was read up to {partitions.at[its]} before and ends at {end} "
                    "now: was its topic deleted? Restore it, or begin anew with another prefix"
                )
        heard_at, wait_ms = time.monotonic(), 1
        while not partitions.reached(ends):
            if taken := partitions.take(limit, wait_ms):
                yield taken
                heard_at, wait_ms = time.monotonic(), 1
                continue
            wait_ms = min(2 * wait_ms, _POLL_MS)  # the marks of a transaction arrive without a word
            silent_s = time.monotonic() - heard_at
            if silent_s >= _OPEN_S and partitions.reached(self._ends.committed(ends)):
                return
            if silent_s >= _SILENT_S:
                raise JournalAway(f"journal {self._address}: the brokers send no records; look at their logs")


def _sorted_out(taken: Sequence[tuple[Place, Sequence[Raw]]]) -> tuple[list[Stored], list[Unreadable]]:
    """The records of ours, and what is none; control records are neither."""
    records: list[Stored] = []
    unreadable: list[Unreadable] = []
    for its, portion in taken:
        for record in portion:
            found = found_in(its, record)
            if isinstance(found, Stored):
                records.append(found)
            elif isinstance(found, Unreadable):
                unreadable.append(found)
    return records, unreadable


def _noted(taken: Sequence[tuple[Place, Sequence[Raw]]]) -> list[Noted]:
    found = (note_of(its, one.offset, one.key, one.value, one.headers) for its, portion in taken for one in portion)
    return [one for one in found if one is not None]


def _cursor(offsets: Mapping[Place, int]) -> dict[str, int]:
    return {its.key: offset for its, offset in offsets.items() if offset}
