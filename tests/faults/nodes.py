"""Journals of several nodes at the same brokers, and commits that wait until the test lets them go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from adapters.journal.kafka.address import Address, parse
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.producer import Limits, Session
from tests.faults.scribe import WAIT_S

Open = Callable[..., KafkaJournal]


@contextmanager
def nodes(bootstrap: str, prefix: str) -> Iterator[Open]:
    """Opens the journal of the node that is named first, with the options of `KafkaJournal`; closes all at the end."""
    opened: list[KafkaJournal] = []

    def open_node(name: str = "a", **options: Any) -> KafkaJournal:
        journal = KafkaJournal(address_of(bootstrap, prefix), name, **options)
        opened.append(journal)
        return journal

    try:
        yield open_node
    finally:
        for journal in opened:
            journal.close()


def address_of(bootstrap: str, prefix: str) -> Address:
    return parse(f"kafka://{bootstrap}?prefix={prefix}")


class Stall:
    """Holds the next commit of a journal, once it is armed: the writer is as one that sleeps in mid-transaction."""

    def __init__(self, journal: KafkaJournal) -> None:
        transactions: Any = journal._committer._transactions
        self._opening = transactions._transactor._opening
        transactions._transactor._opening = self._open
        self.writer: str = transactions._transactor.txn_id
        self.armed = False
        self.reached, self.go = Event(), Event()

    def wait_reached(self) -> None:
        assert self.reached.wait(WAIT_S), "no commit came"

    def hold(self) -> None:
        if self.armed:
            self.armed = False
            self.reached.set()
            assert self.go.wait(WAIT_S), "nobody let the commit go"

    def _open(self, txn_id: str) -> Session:
        return _Stalling(self._opening(txn_id), self)


class _Stalling:
    def __init__(self, inner: Session, stall: Stall) -> None:
        self._inner, self._stall = inner, stall

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def commit(self) -> bool:
        self._stall.hold()
        return self._inner.commit()


def patient(transaction_s: float) -> Limits:
    """As usual, but brokers abort a transaction after `transaction_s`."""
    return Limits()._replace(transaction_s=transaction_s)
