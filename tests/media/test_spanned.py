"""One room at several workers: each leg hears all others, and what belongs to the room is there once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media import tone
from media.pcm import Samples
from media.span import Partial
from media.wav import parse, wave
from media.wire import Drop, Inventory, Leg, Play, PlayDone, Ready, Record, RecordClosed, Span, Talking
from tests.media.party import G722, LEVEL_DBFS, PCMU, Phone, stage

TONES_HZ = (400.0, 700.0, 1100.0, 1700.0)
RATE_HZ = 8000
WORKERS = ("one", "two")
TIMEOUT_S = 5.0


class Wires:
    """Ties in memory."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[tuple[str, Partial]]] = {name: [] for name in WORKERS}

    def tie(self, name: str) -> Tie:
        return Tie(self, name)


class Tie:
    """A worker's; it may be cut."""

    def __init__(self, wires: Wires, name: str) -> None:
        self._wires, self._name = wires, name
        self.cut = False

    def send(self, peer: str, partials: Iterable[Partial]) -> None:
        if not self.cut:
            self._wires.waiting[peer] += [(self._name, one) for one in partials]

    def receive(self) -> Iterator[tuple[str, Partial]]:
        waiting, self._wires.waiting[self._name] = self._wires.waiting[self._name], []
        return iter(waiting)

    def close(self) -> None:
        return


class Site:
    """Two workers, the first of which is the room's home, and two phones at each."""

    def __init__(self, opened: ExitStack, codecs: tuple[object, ...] = (PCMU,) * 4, rate_hz: int = RATE_HZ) -> None:
        wires = Wires()
        self.ties = [wires.tie(name) for name in WORKERS]
        self.stages = [opened.enter_context(stage(seed=n, ties=tie)) for n, tie in enumerate(self.ties)]
        self.phones = [
            self.stages[n // 2].phone(codec, hz)  # type: ignore[arg-type]
            for n, (hz, codec) in enumerate(zip(TONES_HZ, codecs, strict=True))
        ]
        self._rate_hz = rate_hz
        self._revs = [0, 0]
        for worker in (0, 1):
            self.put(worker)

    def legs(self, worker: int) -> list[Leg]:
        return [self.phones[n].leg("abcd"[n]) for n in (2 * worker, 2 * worker + 1)]

    def put(self, worker: int, legs: list[Leg] | None = None, **more: Any) -> None:
        self._revs[worker] += 1
        span = Span(worker == 0, (WORKERS[1 - worker],))
        legs, rev = legs if legs is not None else self.legs(worker), self._revs[worker]
        said = self.stages[worker].put(legs, rev=rev, span=span, clock_rate_hz=self._rate_hz, **more)
        assert said == Ready("room", rev)

    def run(self, seconds: float, *workers: int) -> None:
        for _ in range(round(seconds * 50)):
            for worker in workers or (0, 1):
                self.stages[worker].run(0.02)

    def until(self, kind: type[PlayDone] | type[RecordClosed]) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not self.stages[0].words(kind):
            assert time.monotonic() < end
            self.run(0.02)

    def heard(self, *phones: Phone) -> list[tuple[float, ...]]:
        return [phone.tones() for phone in phones or self.phones]


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def site(opened: ExitStack) -> Site:
    return Site(opened)


def others(number: int, of: tuple[float, ...] = TONES_HZ) -> tuple[float, ...]:
    return tuple(hz for hz in of if hz != TONES_HZ[number])


def test_each_hears_exactly_the_others_at_their_level_wherever_they_are(site: Site) -> None:
    site.run(1.0)
    assert site.heard() == [others(number) for number in range(4)]
    for number, phone in enumerate(site.phones):
        assert phone.levels(*others(number)) == pytest.approx([LEVEL_DBFS] * 3, abs=0.4)


def test_legs_of_several_codecs_hear_each_other_over_workers_at_the_room_s_rate(opened: ExitStack) -> None:
    site = Site(opened, (PCMU, G722, G722, PCMU), 16000)
    site.run(1.0)
    assert site.heard() == [others(number) for number in range(4)]


def test_who_is_muted_or_deaf_is_so_for_all_workers(site: Site) -> None:
    site.put(1, [site.phones[2].leg("c", muted=True), site.phones[3].leg("d", deaf=True)])
    site.run(1.0)
    spoken = tuple(hz for hz in TONES_HZ if hz != TONES_HZ[2])
    assert site.heard() == [others(0, spoken), others(1, spoken), spoken, ()]


def test_what_is_played_to_all_is_heard_once_everywhere(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(wave(tone.tone(2500.0, 2.0), RATE_HZ))
    site.put(0, plays=(Play("p", str(path)),))
    site.run(1.5)
    for phone in site.phones:
        assert phone.levels(2500.0) == pytest.approx([-13], abs=0.5)
    site.until(PlayDone)
    assert site.stages[0].words(PlayDone) == [PlayDone("room", "", "p")]
    assert site.stages[1].words(PlayDone) == []


def test_its_home_records_all(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "room.wav"
    site.put(0, records=(Record("r", str(path)),))
    site.run(1.5)
    site.stages[0].engine.drop(Drop("room", 1), site.stages[0].now_s)
    site.until(RecordClosed)
    samples: Samples = parse(path.read_bytes()).samples
    found = tone.levels(samples[-RATE_HZ:], RATE_HZ, TONES_HZ)
    assert found == pytest.approx([LEVEL_DBFS] * 4, abs=0.4)


def test_its_home_tells_who_talks_at_any_worker_the_loudest_first(site: Site) -> None:
    for phone, level_dbfs in zip(site.phones, (-14.0, -26.0, -8.0, -20.0), strict=True):
        phone.level_dbfs = level_dbfs
        phone.speak_as(PCMU)
    site.run(1.5)
    assert site.stages[0].words(Talking)[-1] == Talking("room", tuple("cadb"))
    assert site.stages[1].words(Talking) == []


def test_a_worker_that_says_nothing_any_more_is_silence_and_the_others_go_on(site: Site) -> None:
    site.run(0.5)
    site.ties[1].cut = True
    site.run(0.6)
    assert site.heard(*site.phones[:2]) == [(TONES_HZ[1],), (TONES_HZ[0],)]
    assert site.heard(*site.phones[2:]) == [others(2), others(3)], "it still hears"
    site.ties[1].cut = False
    site.run(0.6)
    assert site.heard() == [others(number) for number in range(4)]


def test_what_is_late_by_a_tick_makes_no_click(site: Site) -> None:
    """Where a tone stops for a tick and comes again no sample is further from the one before than the tone's are."""
    for phone in site.phones[:2] + site.phones[3:]:
        phone.frequency_hz = 0
        phone.speak_as(PCMU)
    site.phones[2].frequency_hz = 230.0
    site.phones[2].speak_as(PCMU)
    site.run(0.5)
    steady = site.phones[0].heard()[-4000:].astype(int)
    site.run(0.1, 0)
    site.run(0.5)
    heard = site.phones[0].heard()[-8000:].astype(int)
    assert np.abs(np.diff(heard)).max() <= 1.1 * np.abs(np.diff(steady)).max()


def test_what_there_is_says_which_legs_are_here(site: Site) -> None:
    found = [one.engine.inventory() for one in site.stages]
    assert [one.spans for one in found] == [{"room": (True, ("a", "b"))}, {"room": (False, ("c", "d"))}]
    assert found[0] == Inventory((("room", 1, 1),), 16, spans={"room": (True, ("a", "b"))})


def test_a_room_that_is_at_one_worker_again_is_as_any_other(site: Site) -> None:
    site.run(0.5)
    site.stages[1].engine.drop(Drop("room", 1), site.stages[1].now_s)
    assert site.stages[0].put(site.legs(0), rev=9) == Ready("room", 9)
    site.run(0.6)
    assert site.heard(*site.phones[:2]) == [(TONES_HZ[1],), (TONES_HZ[0],)]
    assert site.stages[0].engine.inventory().spans == {}
