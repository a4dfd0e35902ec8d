"""One recording and its sound, as the API reads them: from the journal and the storage."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adapters.storage.folder import FolderStorage
from api.ports import Scope
from domain.call.call import Call
from domain.call.input import Answered, HungUp, RecordingKept, RelayOpened
from domain.call.recording import Kept
from domain.call.relay import RelayPlace
from domain.call.turn import take_turn
from domain.refusal import Refusal
from domain.values import MediaPolicy
from media.container import contain
from media.track import Track
from switchlog.query.recording import RecordingQueries
from switchlog.studio.reel import ReelStore
from tests.domain.world import START, new_call, offer, remote, request, seconds, world
from tests.projections.histories import journal_of

SECOND = b"\x01\x02" * 8000


def secret(purpose: str) -> bytes:
    return hashlib.sha256(purpose.encode()).digest()


class Site:
    """A call that was recorded, as far as it went, and what reads it."""

    def __init__(self, folder: Path) -> None:
        self.store = ReelStore(lambda: FolderStorage(folder / "kept"), folder / "spool", secret)
        scene, call_id = world(media=MediaPolicy("always")), new_call()
        self.events = list((turn := take_turn(None, offer(call_id), scene, START)).events)
        assert turn.call is not None
        self.call = turn.call
        leg = next(one.id for one in self.call.legs.values() if not one.caller)
        self.play(RelayOpened("o", "media", RelayPlace(20000, 20002, "sealed")))
        self.play(Answered("a", "x", leg, remote(self.call.legs[leg].dialog), "v=0 bob", "ua"))
        (self.recording,) = (one.id for one in self.call.recordings)

    def play(self, *inputs: RelayOpened | Answered | HungUp | RecordingKept) -> None:
        for inp in inputs:
            turn = take_turn(self.call, inp, world(media=MediaPolicy("always")), START + seconds(len(self.events)))
            self.events += turn.events

    def keep(self) -> Kept:
        path = self.store.path(self.recording)
        file = contain(path, Track(8000, 1), self.store.key("acme", self.recording))
        file.append(SECOND)
        file.abandon()
        kept = self.store.keep("acme", self.call.recordings[0], "", 0)
        self.play(HungUp("b", "x", self.call.caller_leg, request("BYE", "bye", 9)))
        self.play(RecordingKept("k", "media", self.recording, kept))
        return kept

    @property
    def queries(self) -> RecordingQueries:
        return RecordingQueries(lambda sql, values: [], journal_of(self.events).read, self.store)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_what_the_events_say_and_how_it_sounds(site: Site) -> None:
    kept = site.keep()
    assert any(isinstance(event, Call.RecordingStopped) for event in site.events)
    found = await site.queries.recording(Scope.of("acme"), site.recording)
    assert (found["layout"], found["by"], found["duration_ms"]) == ("stereo", "policy", 1000)
    sound = site.queries.audio(Scope.all(), site.recording)
    assert hashlib.sha256(sound.read(0, len(sound))).hexdigest() == found["sha256"] == kept.sha256


@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-0000-0000-000000000001-1", "-", "a-9999999"])
async def test_what_is_none(site: Site, name: str) -> None:
    with pytest.raises(Refusal) as caught:
        await site.queries.recording(Scope.all(), name)
    assert caught.value.kind == "missing"


async def test_of_another_tenant_there_is_none(site: Site) -> None:
    site.keep()
    with pytest.raises(Refusal) as caught:
        site.queries.audio(Scope.of("globex"), site.recording)
    assert caught.value.kind == "missing"


async def test_one_that_goes_on_has_no_sound_yet(site: Site) -> None:
    with pytest.raises(Refusal) as caught:
        site.queries.audio(Scope.all(), site.recording)
    assert caught.value.kind == "conflict"


async def test_a_file_that_was_altered_or_is_gone(site: Site, tmp_path: Path) -> None:
    kept = site.keep()
    path = tmp_path / "kept" / kept.name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Refusal) as caught:
        site.queries.audio(Scope.all(), site.recording)
    assert caught.value.kind == "unavailable"
    path.unlink()
    with pytest.raises(Refusal) as caught:
        site.queries.audio(Scope.all(), site.recording)
    assert caught.value.kind == "missing"
