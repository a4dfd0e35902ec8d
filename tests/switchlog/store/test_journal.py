"""A journal that is not there yet: who asks is told why, the log says it once, and then it heals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters.journal.memory import MemoryJournal
from domain.ports import JournalAway, JournalError
from switchlog.store.journal import Awaited, JournalReader, Pulse, Vigil
from tests.conformance.record import append, records, stream

AWAY = JournalAway("kafka 192.0.2.1:9092 does not answer")


def opening(*answers: Exception | JournalReader) -> Callable[[], JournalReader]:
    left = list(answers)

    def open_() -> JournalReader:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return open_


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Vigil, "FIRST_S", 0.0)
    monkeypatch.setattr(Vigil, "MOST_S", 0.0)


async def test_a_reader_is_waited_for_and_then_answers() -> None:
    journal = MemoryJournal()
    append(journal, 1, journal.claim((1,), "a")[1], records(stream("a"), 1, 2))
    reader = Awaited(opening(AWAY, AWAY, journal), "projections")
    with pytest.raises(JournalAway, match="not open yet"):
        reader.end()
    assert await reader.opened(asyncio.Event())
    assert reader.end() == {"journal": 2}
    assert len(reader.read(stream("a"))) == len(reader.follow({}).records) == 2
    assert len(list(reader.live_of((1,), 0.0))) == 1


async def test_while_it_waits_every_question_is_told_why() -> None:
    stop, told = asyncio.Event(), list[str]()
    reader = Awaited(opening(AWAY, AWAY, AWAY, MemoryJournal()), "projections")
    waiting = asyncio.create_task(reader.opened(stop))
    while not told:
        await asyncio.sleep(0)
        try:
            reader.read(UUID(int=1))
        except JournalAway as error:
            if "not open yet" not in str(error):
                told.append(str(error))
    assert told == [str(AWAY)]
    assert await waiting


async def test_a_journal_that_cannot_be_used_is_not_waited_for() -> None:
    with pytest.raises(JournalError, match="belongs to another program"):
        await Awaited(opening(JournalError("belongs to another program")), "projections").opened(asyncio.Event())


async def test_who_is_told_to_stop_waits_no_longer() -> None:
    stop = asyncio.Event()
    stop.set()
    assert not await Awaited(opening(AWAY), "projections").opened(stop)


async def test_the_log_tells_once_that_it_is_away_and_once_that_it_is_back() -> None:
    vigil, stop = Vigil("sessions", patience_s=0.0), asyncio.Event()
    with capture_logs() as lines:
        for _ in range(2):
            for _ in range(5):
                await vigil.away(AWAY, stop)
            assert vigil.reason == str(AWAY)
            vigil.there()
            assert vigil.reason == ""
    words = [line["event"] for line in lines]
    assert words == ["the sessions wait for the journal", "the sessions have the journal again"] * 2
    assert lines[0]["reason"] == str(AWAY)


def test_a_pulse_is_good_as_long_as_answers_come() -> None:
    now = [100.0]
    pulse = Pulse(lambda: now[0], silent_s=5.0)
    assert pulse.words() == "it is not open yet"
    pulse.answered()
    now[0] += 4.9
    assert pulse.words() == "ok"
    now[0] += 3.1
    assert pulse.words() == "it has not answered for 8 s"
    pulse.failed("no broker answers")
    assert pulse.words() == "no broker answers"
    pulse.answered()
    assert pulse.words() == "ok"


async def test_what_is_waited_for_shows_in_the_pulse() -> None:
    pulse = Pulse()
    await Awaited(opening(AWAY, MemoryJournal()), "projections", pulse).opened(asyncio.Event())
    assert pulse.words() == str(AWAY), "until something was read"


async def test_a_journal_that_is_only_being_made_is_not_worth_a_line() -> None:
    vigil = Vigil("sessions", patience_s=60.0)
    with capture_logs() as lines:
        await vigil.away(AWAY, asyncio.Event())
        vigil.there()
    assert lines == []
