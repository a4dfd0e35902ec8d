"""One consumer over some partitions of the journal: where it stands, what comes next, and where the ends are.

What may live here: what is asked of a consumer, and what it does not say by itself. A consumer sees committed records
only, belongs to no group, and is told every offset: nothing is chosen for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, NamedTuple, Protocol

from kafka import KafkaConsumer, TopicPartition, errors  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import BOOTSTRAP_MS, open_client
from adapters.journal.kafka.failure import named_errors
from adapters.journal.kafka.message import Found, Headers, read
from adapters.journal.kafka.topic import TOPICS, Place
from domain.ports import JournalError

OPTIONS = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",  # an offset that is not there is an error and not the end
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
    "retry_backoff_ms": 20,
    "fetch_max_bytes": 8 << 20,
    "max_partition_fetch_bytes": 256 << 10,  # so that a full partition does not keep the others waiting
}
_TRIAL_MS = 1_000
_ENDS_MS = 5_000
_LEADERLESS_S = 0.02
"""How soon partitions without a leader are asked about again."""


class Raw(Protocol):
    """A record as the client library gives it; `timestamp` is when the brokers got it (Unix milliseconds)."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Undecoded(NamedTuple):
    """In the place of a record that the client library cannot decode."""

    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = ()


def found_in(place: Place, record: Raw) -> Found:
    """What a record of `place` is."""
    return read(place, record.offset, record.key, record.value, record.headers, record.timestamp)


class Partitions:
    """Stands at one offset in each of its partitions. Not thread-safe. Every method blocks and raises JournalError."""

    def __init__(self, address: Address, client_id: str, wait_ms: int = 500) -> None:
        """`wait_ms` is how long the brokers may keep a question at the end of the log: it cannot be taken back, and
        those that come after it wait, also when this consumer stands elsewhere by then."""
        self._address, self._client_id, self._wait_ms = address, client_id, wait_ms
        with named_errors(address):
            self._consumer = self._open()
        self._places: dict[Any, Place] = {}
        self._partitions: dict[Place, Any] = {}
        self._at: dict[Place, int] = {}

    @property
    def at(self) -> Mapping[Place, int]:
        """The next offset of each partition."""
        return self._at

    def stand(self, offsets: Mapping[Place, int]) -> None:
        """Go on at `offsets`, in those partitions and no others."""
        with named_errors(self._address):
            if offsets.keys() != self._at.keys():
                self._partitions = {place: partition_of(self._address, place) for place in offsets}
                self._places = {partition: place for place, partition in self._partitions.items()}
                self._consumer.assign(list(self._places))
                self._at = {}
            for place, offset in offsets.items():
                if self._at.get(place) != offset:
                    self._consumer.seek(self._partitions[place], offset)
                    self._at[place] = offset

    def take(self, limit: int, timeout_ms: int = 0) -> list[tuple[Place, Sequence[Raw]]]:
        """At most `limit` committed records, in order in each partition; the first is waited for up to `timeout_ms`."""
        with named_errors(self._address):
            try:
                polled: Mapping[Any, Sequence[Raw]] = self._consumer.poll(timeout_ms, max_records=limit)
            except errors.CorruptRecordError as error:
                return self._step_over(error)
        taken = [(self._places[partition], records) for partition, records in polled.items() if records]
        for place, records in taken:
            self._at[place] = records[-1].offset + 1
        return taken

    def reached(self, ends: Mapping[Place, int]) -> bool:
        """Whether everything before `ends` was taken; the marks that transactions leave are passed over."""
        behind = [place for place, end in ends.items() if self._at[place] < end]
        self.pass_marks(behind)
        return all(self._at[place] >= ends[place] for place in behind)

    def pass_marks(self, places: Iterable[Place]) -> None:
        """Go past the marks that transactions leave in these partitions, as far as they came.

        The consumer's own `position` looks at all partitions for each that it is asked about: with a hundred of them
        it was most of what following costs. `poll` does the same once, so nothing is noticed later.
        """
        standing = self._consumer._subscription.assignment
        for place in places:
            position = standing[self._partitions[place]].position
            self._at[place] = max(self._at[place], position.offset if position is not None else 0)

    def close(self) -> None:
        """Release the connection."""
        close(self._consumer)

    def _step_over(self, error: Exception) -> list[tuple[Place, Sequence[Raw]]]:
        """Go past a record that has a header whose name is no text: the library stops at it, and does not say where.

        Nor can it go on: its `poll` would never return again. So each partition that has more is tried by a consumer
        that may fail. A batch is decoded as a whole, and counts as one such record, its last. A record that is damaged
        is another matter, and raises.
        """
        if not isinstance(error.__context__, UnicodeDecodeError):
            raise error
        suspects = [its for its, at in self._at.items() if (self._consumer.highwater(self._partitions[its]) or 0) > at]
        close(self._consumer)
        self._consumer = self._open()
        self._consumer.assign(list(self._places))
        for place, offset in self._at.items():
            self._consumer.seek(self._partitions[place], offset)
        for place in suspects:
            begin = self._at[place]
            while self._fails_at(place, self._at[place]):
                self._at[place] += 1
            if self._at[place] > begin:
                self._consumer.seek(self._partitions[place], self._at[place])
                return [(place, [Undecoded(self._at[place] - 1)])]
        raise error

    def _fails_at(self, place: Place, offset: int) -> bool:
        trial = self._open()
        try:
            trial.assign([self._partitions[place]])
            trial.seek(self._partitions[place], offset)
            trial.poll(_TRIAL_MS, max_records=1)
        except errors.CorruptRecordError as error:
            return isinstance(error.__context__, UnicodeDecodeError)
        finally:
            close(trial)
        return False

    def _open(self) -> Any:
        return open_client(
            KafkaConsumer,
            self._address,
            self._client_id,
            isolation_level="read_committed",
            fetch_max_wait_ms=self._wait_ms,
            **OPTIONS,
        )


class Ends:
    """Where partitions end, with transactions that are open and without. Thread-safe; every method blocks.

    Every method raises JournalError, also the constructor.
    """

    def __init__(self, address: Address, client_id: str, wait_ms: int = BOOTSTRAP_MS) -> None:
        """`wait_ms` is how long the first answer of a broker is waited for."""
        self._address, self._client_id, self._wait_ms = address, client_id, wait_ms
        self._lock = Lock()
        self._clients: dict[str, Any] = {}
        with named_errors(address):
            self._client("read_uncommitted")

    def written(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record of each, be its transaction open still."""
        return self._ends(places, "read_uncommitted")

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset up to which a reader of committed records comes now."""
        return self._ends(places, "read_committed")

    def since(self, places: Iterable[Place], at_ms: int) -> tuple[dict[Place, int], dict[Place, int]]:
        """The first offset of each that the brokers got at `at_ms` or later (Unix ms), and the ends as in `written`.

        Where there is none, the first is the end.
        """
        partitions = {partition_of(self._address, place): place for place in places}
        with self._lock, self._named_errors():
            client = self._client("read_uncommitted")
            ends = ends_of(client, partitions)
            found = client.offsets_for_times(dict.fromkeys(partitions, max(0, at_ms)), timeout_ms=_ENDS_MS)
            if None in found.values():
                ends_of(client, partitions)  # it had a leader before and has one now, so it was asked: there is none
        starts = {place: found[one].offset if found[one] else ends[one] for one, place in partitions.items()}
        return starts, {place: ends[one] for one, place in partitions.items()}

    def missing(self) -> list[str]:
        """The topics that the brokers do not have."""
        with self._lock, named_errors(self._address):
            return self._missing()

    def close(self) -> None:
        """Release the connections."""
        with self._lock:
            for client in self._clients.values():
                close(client)
            self._clients = {}

    def _ends(self, places: Iterable[Place], isolation: str) -> dict[Place, int]:
        partitions = {partition_of(self._address, place): place for place in places}
        with self._lock, self._named_errors():
            ends = ends_of(self._client(isolation), partitions)
        return {place: ends[partition] for partition, place in partitions.items()}

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """A topic that is gone is no error to the client library, which waits for it to come."""
        with named_errors(self._address):
            try:
                yield
            except errors.KafkaTimeoutError:
                if missing := self._missing():
                    raise JournalError(f"journal {self._address}: {gone(missing)}") from None
                raise

    def _missing(self) -> list[str]:
        present = self._client("read_uncommitted").topics()
        return [name for topic in TOPICS.values() if (name := topic.full(self._address.prefix)) not in present]

    def _client(self, isolation: str) -> Any:
        client = self._clients.get(isolation)
        if client is None:
            client = open_client(
                KafkaConsumer,
                self._address,
                self._client_id,
                isolation_level=isolation,
                bootstrap_timeout_ms=self._wait_ms,
                **OPTIONS,
            )
            self._clients[isolation] = client
        return client


def gone(topics: Sequence[str]) -> str:
    """What is said of topics that were there and are not any more."""
    return f"{', '.join(topics)} was deleted, with its records: restore it, or begin anew with another prefix"


def ends_of(client: Any, partitions: Iterable[Any], wait_s: float = _ENDS_MS / 1000) -> dict[Any, int]:
    """The ends of all `partitions`: the library leaves out those whose leader it does not know just now, and stumbles.

    Raises KafkaTimeoutError.
    """
    until = time.monotonic() + wait_s
    while True:
        try:
            ends: dict[Any, int] = client.end_offsets(list(partitions), timeout_ms=_ENDS_MS)
        except KeyError as error:
            if time.monotonic() >= until:
                raise errors.KafkaTimeoutError(f"no broker leads {error.args[0]}") from error
            time.sleep(_LEADERLESS_S)
        else:
            return ends


def partition_of(address: Address, place: Place) -> Any:
    """`place` as the client library names it."""
    return TopicPartition(TOPICS[place.topic].full(address.prefix), place.partition)


def close(client: Any) -> None:
    """Release a consumer; what the brokers say to that does not matter."""
    with suppress(errors.KafkaError, OSError):
        client.close(autocommit=False, timeout_ms=1000)
