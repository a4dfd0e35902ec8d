"""One transactional producer, and the rule by which a commit counts.

What may live here: what is asked of `kafka-python`'s producer, and the check of what it says. A commit of that client
can return for a transaction that the broker has aborted, and can wait for ever: so a transaction counts only if every
record was acknowledged, the producer is the same as before, and the commit answered in time. Anything else is a doubt:
the producer is thrown away, and only the log can tell what came of it (decision 49).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from kafka import KafkaProducer, TopicPartition  # type: ignore[import-untyped]
from kafka.errors import KafkaTimeoutError  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.client import CLIENT_ERRORS, close_at_once, open_client
from adapters.journal.kafka.message import Message
from adapters.journal.kafka.topic import TOPICS, Place

_log = logging.getLogger(__name__)

MESSAGE_BYTES = 900_000
"""No key and value may be larger together: brokers take a million bytes, and headers and framing come on top."""


class Doubt(Exception):
    """What came of a transaction is not known, or there is no producer; the text says why."""


class Limits(NamedTuple):
    """How long things may take. `transaction_s`: after so long the broker aborts what nobody ends. `init_s` is longer
    because the first transaction ever waits until the brokers have made a topic for such things; once there was a
    session the next one has `again_s`, and then is tried anew: the library may wait for a broker that is frozen."""

    request_s: float = 4.0
    delivery_s: float = 8.0
    commit_s: float = 8.0
    transaction_s: float = 10.0
    connect_s: float = 5.0
    init_s: float = 15.0
    again_s: float = 5.0


class Receipt(Protocol):
    """What a producer says of one record after `flush`."""

    def offset(self) -> int:
        """Where the broker has it. Raises KafkaError or Doubt."""


class Session(Protocol):
    """A producer from `init_transactions` on: whoever had its id before is fenced, its transaction is at an end.

    Every method may raise KafkaError, ValueError, TypeError or RuntimeError: the client's.
    """

    @property
    def identity(self) -> tuple[int, int]:
        """The producer's id and epoch at the brokers."""

    def begin(self, places: Sequence[Place]) -> None:
        """Begin a transaction that will touch `places`."""

    def send(self, message: Message) -> Receipt: ...

    def flush(self) -> None:
        """Wait until each record is acknowledged or given up."""

    def commit(self) -> bool:
        """Whether the broker answered in time."""

    def abort(self) -> bool:
        """As `commit`."""

    def close(self) -> None:
        """At once: what is on its way is given up."""


Opening = Callable[[str], Session]
"""Opens the session of a `transactional.id`. Raises KafkaError, ValueError or RuntimeError."""

_LINGER_MS = 1_000
"""Records are sent when they are flushed and not before: one batch for each partition of a group."""


class Transactor:
    """One thread uses it. It has no session until `open`, and none any more after a Doubt."""

    def __init__(self, opening: Opening, txn_id: str) -> None:
        self.txn_id = txn_id
        self._opening = opening
        self._session: Session | None = None
        self.identity = ""
        """of the session that is open or was last: `ID:EPOCH` of its producer"""
        self.identities: set[str] = set()
        """of all sessions that this process has had"""

    @property
    def is_open(self) -> bool:
        return self._session is not None

    def open(self) -> None:
        """A new session: it ends what an older one of this id left open. Raises Doubt."""
        self.drop()
        try:
            self._session = self._opening(self.txn_id)
            self.identity = "{}:{}".format(*self._session.identity)
            self.identities.add(self.identity)
        except CLIENT_ERRORS as error:
            raise Doubt(f"the brokers let nobody write as {self.txn_id}: {explain(error)}") from error

    def append(self, messages: Sequence[Message]) -> list[int]:
        """All of them in one transaction; their offsets, durable and in order. Raises Doubt."""
        session = self._session
        if session is None:
            raise Doubt("there is no producer")
        try:
            return _transact(session, messages)
        except Doubt:
            self.drop()
            raise
        except CLIENT_ERRORS as error:
            self.drop()
            raise Doubt(explain(error)) from error

    def mend(self, messages: Sequence[Message]) -> None:
        """Begin a transaction with `messages` and abort it: ends what a broker's restart left open. Raises Doubt."""
        if self._session is None:
            raise Doubt("there is no producer")
        try:
            mend(self._session, messages)
        except CLIENT_ERRORS as error:
            self.drop()
            raise Doubt(explain(error)) from error

    def drop(self) -> None:
        """Close the session, if there is one, whatever is on its way."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _transact(session: Session, messages: Sequence[Message]) -> list[int]:
    identity = session.identity
    session.begin(list(dict.fromkeys(message.place for message in messages)))
    receipts = [session.send(message) for message in messages]
    session.flush()
    offsets = [receipt.offset() for receipt in receipts]
    if session.identity != identity:
        raise Doubt("the producer was given another epoch in mid-transaction")
    if not session.commit():
        raise Doubt("the broker did not answer a commit in time")
    if session.identity != identity:
        raise Doubt("the producer was given another epoch during its commit")
    return offsets


def mend(session: Session, messages: Sequence[Message]) -> None:
    """A transaction that touches the places of `messages` and is aborted. Raises what the client raises."""
    session.begin(list(dict.fromkeys(message.place for message in messages)))
    for message in messages:
        session.send(message)
    session.flush()
    if not session.abort():
        raise KafkaTimeoutError("the broker did not answer an abort in time")


def explain(error: BaseException) -> str:
    """One line."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# --- kafka-python


def settings(txn_id: str, limits: Limits) -> dict[str, Any]:
    """How the client's producer is set, beside `Address.options`.

    Small times between attempts: at the library's own 100 ms every transaction would wait for the marks of the last.
    """
    return {
        "transactional_id": txn_id,
        "transaction_timeout_ms": _ms(limits.transaction_s),
        "acks": "all",
        "linger_ms": 0,
        "batch_size": 262_144,
        "retry_backoff_ms": 5,
        "request_timeout_ms": _ms(limits.request_s),
        "delivery_timeout_ms": _ms(limits.delivery_s),
        "max_block_ms": _ms(limits.init_s),
        "bootstrap_timeout_ms": _ms(limits.connect_s),
        "allow_auto_create_topics": False,
        "metrics_enabled": False,
    }


class _Receipt:
    __slots__ = ("_future",)

    def __init__(self, future: Any) -> None:
        self._future = future

    def offset(self) -> int:
        future = self._future
        if not future.is_done:
            raise Doubt("a record was not acknowledged in time")
        if future.exception is not None:
            raise future.exception
        return int(future.value.offset)


class KafkaSession:
    """`Session` over `KafkaProducer`.

    It reaches below the client's surface, for what that does not offer: the producer's epoch, a commit that waits no
    longer than it is told, all partitions of a transaction named in one request, and records that are put down without
    waking the sending thread for each partition.
    """

    def __init__(self, address: Address, txn_id: str, limits: Limits) -> None:
        self._limits = limits
        self._names = {name: topic.full(address.prefix) for name, topic in TOPICS.items()}
        self._known: dict[Place, TopicPartition] = {}
        self._producer: Any = open_client(
            KafkaProducer, address, txn_id, **settings(txn_id, limits) | {"linger_ms": _LINGER_MS}
        )
        self._sender, self._accumulator = self._producer._sender, self._producer._accumulator
        try:
            for name in self._names.values():  # all in one question, before the first record waits for its answer
                self._sender.add_topic(name)
            self._producer.init_transactions()
            self._manager = self._producer._transaction_manager
        except BaseException:
            self.close()
            raise

    @property
    def identity(self) -> tuple[int, int]:
        """See `Session`."""
        now = self._manager.producer_id_and_epoch
        return now.producer_id, now.epoch

    def begin(self, places: Sequence[Place]) -> None:
        """See `Session`. The broker is asked for all partitions at once, and while the records are put down."""
        self._producer.begin_transaction()
        for place in places:
            partition = self._known.get(place) or self._learn(place)
            self._manager.maybe_add_partition_to_transaction(partition)
        self._sender.wakeup()

    def send(self, message: Message) -> _Receipt:
        """See `Session`."""
        place, key, value, headers = message
        return _Receipt(self._accumulator.append(self._known[place], None, key, value, headers)[0])

    def flush(self) -> None:
        """See `Session`."""
        self._producer.flush(timeout=self._limits.delivery_s + self._limits.request_s)

    def commit(self) -> bool:
        """See `Session`."""
        return self._end(self._manager.begin_commit)

    def abort(self) -> bool:
        """See `Session`."""
        return self._end(self._manager.begin_abort)

    def close(self) -> None:
        """See `Session`."""
        close_at_once(self._producer)

    def _learn(self, place: Place) -> TopicPartition:
        """Waits until the client knows the topic."""
        name = self._names[place.topic]
        if place.partition not in self._producer.partitions_for(name):
            raise ValueError(f"{name} has no partition {place.partition}")
        partition = self._known[place] = TopicPartition(name, place.partition)
        return partition

    def _end(self, begin: Callable[[], Any]) -> bool:
        """What `commit_transaction` does, without waiting for ever."""
        result = begin()
        self._sender.wakeup()
        return bool(result.wait(timeout_ms=_ms(self._limits.commit_s)))


def sessions(address: Address, limits: Limits | None = None) -> Opening:
    """Sessions at the brokers of `address`."""
    now = limits or Limits()

    def open_session(txn_id: str) -> KafkaSession:
        nonlocal now
        session = KafkaSession(address, txn_id, now)
        now = now._replace(init_s=now.again_s)
        return session

    return open_session


def _ms(duration_s: float) -> int:
    return round(duration_s * 1000)
