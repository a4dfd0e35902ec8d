"""What all nodes follow is told from its start, through outages, once."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event
from typing import Self

import pytest
from structlog.testing import capture_logs

from adapters.journal.kafka.announce import News, Word
from domain.ports import JournalAway, JournalError, Stored
from switchlog.node.reporter import Readers, Reporter
from tests.projections.histories import bindings, stored

FIRST, SECOND, THIRD = (News((one,)) for one in stored(bindings("1001", [(0, "desk", 60), (10, "desk", 60)])))
CLAIM = News(words=(Word(1, 1, "a", False),))
WAIT_S = 10.0


class Scripted:
    """Gives what is in `coming`, or raises it; at the end it has nothing."""

    def __init__(self, begin: list[News | JournalError], coming: SimpleQueue[News | Exception]) -> None:
        self._begin, self._coming = begin, coming
        self.closed = 0

    def begin(self, now: float) -> Iterator[News]:
        for one in self._begin:
            yield _given(one)

    def next(self, wait_ms: int) -> News:
        return _given(self._coming.get())

    def behind(self) -> int:
        return 3

    def another(self) -> Self:
        return self

    def close(self) -> None:
        self.closed += 1


def _given(one: News | Exception) -> News:
    if isinstance(one, Exception):
        raise one
    return one


class Desk:
    """Who is told; `told` is set when something has come."""

    def __init__(self) -> None:
        self.records: list[Stored] = []
        self.words: list[Word] = []
        self.failures: SimpleQueue[JournalError] = SimpleQueue()
        self.third = Event()

    def readers(self) -> Readers:
        return Readers(self._take, self.words.extend, self.failures.put)

    def _take(self, records: tuple[Stored, ...]) -> None:
        self.records += records
        if records == THIRD.records:
            self.third.set()


def test_everything_is_told_at_once_and_what_comes_then_through_outages() -> None:
    desk, coming = Desk(), SimpleQueue[News | Exception]()
    announced = Scripted([CLAIM, FIRST], coming)
    with capture_logs() as lines:
        reporter = Reporter(announced, desk.readers())
        assert desk.words == list(CLAIM.words) and desk.records == list(FIRST.records)
        for one in (News(), SECOND, JournalAway("no broker"), JournalAway("no broker"), THIRD):
            coming.put(one)
        assert desk.third.wait(WAIT_S)
        coming.put(News())
        reporter.close()
    assert desk.records == [*FIRST.records, *SECOND.records, *THIRD.records]
    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_a_journal_that_cannot_be_used_ends_it_and_is_told_of() -> None:
    desk, coming = Desk(), SimpleQueue[News | Exception]()
    reporter = Reporter(Scripted([], coming), desk.readers())
    coming.put(JournalError("a topic was deleted"))
    assert "deleted" in str(desk.failures.get(timeout=WAIT_S))
    reporter.close()


def test_a_fault_of_the_client_library_does_not_end_it() -> None:
    desk, coming = Desk(), SimpleQueue[News | Exception]()
    announced = Scripted([], coming)
    with capture_logs() as lines:
        reporter = Reporter(announced, desk.readers())
        for one in (KeyError("no leader"), KeyError("no leader"), THIRD):
            coming.put(one)
        assert desk.third.wait(WAIT_S)
        coming.put(News())
        reporter.close()
    assert [line["log_level"] for line in lines] == ["error", "info"]
    assert announced.closed == 3  # each fault costs the connections, then it ends


def test_one_that_cannot_begin_holds_nothing() -> None:
    announced = Scripted([CLAIM, JournalAway("no broker")], SimpleQueue())
    with pytest.raises(JournalAway):
        Reporter(announced, Desk().readers())
    assert announced.closed == 1
