"""What every node is told by the log: the configuration, whose the shards are, and all bindings.

What may live here: where that stands and in which order it is read. What it means to a node is for others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.claim import Book, read_books
from adapters.journal.kafka.message import CLAIMED, RELEASED, Control
from adapters.journal.kafka.partitions import Ends, Partitions, Raw, found_in
from adapters.journal.kafka.tail import KafkaLog
from adapters.journal.kafka.topic import CONFIG, REGISTRATIONS, Place, place
from domain.ids import SHARDS
from domain.ports import Stored

_LIMIT = 2_000
_POLL_MS = 20
_CONFIG = place(CONFIG, 0)


class Word(NamedTuple):
    """The log says that `node` has claimed or released a shard in its term `epoch`."""

    shard: int
    epoch: int
    node: str
    released: bool


class News(NamedTuple):
    """What came: records in the order of each partition, and words about shards."""

    records: tuple[Stored, ...] = ()
    words: tuple[Word, ...] = ()


class Announcements:
    """Not thread-safe. Every method blocks and raises JournalError.

    `begin` first, or go on `after` where another one stood. An error leaves it where it stands: `close` it, and go on
    with `another`.
    """

    def __init__(self, address: Address, client_id: str, after: Mapping[Place, int] | None = None) -> None:
        self._address, self._client_id = address, client_id
        self._partitions = Partitions(address, client_id)
        self.stands = dict(after or {})
        """where to go on"""
        self._taken: set[Place] = set(self.stands)
        """what was taken there last is followed by the mark of its transaction, which is no record"""
        if after:
            self._partitions.stand(self.stands)

    def begin(self, now: float) -> Iterator[News]:
        """The bindings that are live at `now` (Unix seconds) and whose the shards are, by checkpoints and tails; then
        all that was committed by now of configuration, from its start."""
        books = {shard: Book(shard) for shard in range(SHARDS)}
        log = KafkaLog(self._address, f"{self._client_id}-begin")
        try:
            read_books(log, books.values())
        finally:
            log.close()
        yield News(words=tuple(_standings(books)))
        for book in books.values():
            yield News(tuple(one for stream in book.snapshot.live(now) for one in _bindings(stream)))
        self.stands = {_CONFIG: 0}
        for shard, book in books.items():
            its = place(REGISTRATIONS, shard)
            self.stands[its] = book.stands[its]
        self._partitions.stand(self.stands)
        self._taken = set(self.stands)
        ends = self._ends()
        while not self._partitions.reached(ends):
            yield self.next(_POLL_MS)

    def next(self, wait_ms: int) -> News:
        """What comes next; the first of it is waited for up to `wait_ms`."""
        taken = self._partitions.take(_LIMIT, wait_ms)
        if not taken:  # else what is read already would count as not read
            self._partitions.pass_marks(self._taken)
            self._taken.clear()
        self._taken.update(its for its, _ in taken)
        self.stands = dict(self._partitions.at)
        return _sorted_out(taken)

    def behind(self) -> int:
        """How many positions are committed and were not read yet; some of them may hold no record."""
        return sum(max(0, end - self.stands.get(its, 0)) for its, end in self._ends().items())

    def another(self) -> Announcements:
        """With connections of its own, where this one stands."""
        return Announcements(self._address, self._client_id, self.stands)

    def close(self) -> None:
        """Release the connections."""
        self._partitions.close()

    def _ends(self) -> dict[Place, int]:
        ends = Ends(self._address, f"{self._client_id}-ends")
        try:
            return ends.committed(self.stands)
        finally:
            ends.close()


def _standings(books: Mapping[int, Book]) -> Iterator[Word]:
    for shard, book in books.items():
        standing = book.standing
        if standing.epoch:
            yield Word(shard, standing.epoch, standing.node, standing.released)


def _bindings(stream: Sequence[Stored]) -> Sequence[Stored]:
    return stream if stream[0].record.category == REGISTRATIONS else ()


def _sorted_out(taken: Sequence[tuple[Place, Sequence[Raw]]]) -> News:
    """What nobody can read is for those who follow the whole journal."""
    records: list[Stored] = []
    words: list[Word] = []
    for its, portion in taken:
        for record in portion:
            found = found_in(its, record)
            if isinstance(found, Stored):
                records.append(found)
            elif isinstance(found, Control) and found.type in (CLAIMED, RELEASED):
                tenure = found.tenure
                words.append(Word(found.shard, tenure.epoch, tenure.node, found.type == RELEASED))
    return News(tuple(records), tuple(words))
