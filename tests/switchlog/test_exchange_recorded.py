"""Calls that are recorded: what the worker is told, what the journal and the storage have, over deaths of everybody."""

from __future__ import annotations

import hashlib
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

from adapters.journal.codec import decode
from adapters.sip.message.message import Request
from adapters.storage.folder import FolderStorage
from domain.call.call import Call
from domain.call.input import RecordingAsked
from domain.call.recording import call_of_recording
from domain.ids import shard_of
from domain.refusal import Refusal
from domain.routing.directory import Directory
from domain.values import MediaPolicy
from media.container import contain
from media.part import part_of
from media.track import Track
from media.wire import Dtmf, PlayDone, Record, RecordClosed, Retire, ToWorker
from switchlog.studio.reel import ReelStore
from switchlog.studio.sealed_wave import open_wave
from tests.domain.world import directory, new_call, with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import BOB, SDP, talk

ALWAYS, ON_DEMAND = MediaPolicy(recording="always"), MediaPolicy(recording="on_demand", layout="mixed")
SECOND = b"\x01\x02\x03\x04" * 8000


class Recorders(RememberedRooms):
    """A worker that writes a second of stereo into each recording, and closes it when it is no longer wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = True

    def told(self, worker: str, message: ToWorker) -> None:
        before = self.records
        super().told(worker, message)
        assert not isinstance(message, Retire)
        for gone in before.keys() - self.records.keys():
            self._close(message.context, before[gone])

    @property
    def records(self) -> dict[str, Record]:
        return {record.id: record for put in self.has.values() for record in put.desired.records}

    def _close(self, context: str, record: Record) -> None:
        if not self.writes:
            return
        file = contain(Path(record.path), Track(8000, 2), record.key)
        file.append(SECOND)
        while (sha256 := file.finish()) is None:
            pass
        self._answers.append(RecordClosed(context, record.id, record.path, sha256, 1000))


@pytest.fixture
def rooms() -> Recorders:
    return Recorders()


Make = Callable[..., Exchange]


@pytest.fixture
def make(rooms: Recorders, tmp_path: Path) -> Make:
    def made(
        policy: MediaPolicy = ALWAYS, journal: HeldJournal | None = None, epoch: int = 1, at_s: float = 0
    ) -> Exchange:
        def known() -> Directory:
            return with_media(directory(), "1002", policy)

        return Exchange(journal, epoch, at_s, known, media=rooms, storage=tmp_path)

    return made


def stopped(exchange: Exchange) -> list[Call.RecordingStopped]:
    events = (decode(one.record.type, one.record.data) for one in exchange.journal.stored)
    return [event for event in events if isinstance(event, Call.RecordingStopped)]


def ask(exchange: Exchange, wish: str) -> None:
    (call,) = exchange.board.live_calls
    exchange.board.handle(call.id, RecordingAsked("api", "api:1", wish), lambda accepted: None)
    exchange.deliver()


def test_a_call_that_is_always_recorded(make: Make, rooms: Recorders, tmp_path: Path) -> None:
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (record,) = rooms.records.values()
    assert (record.layout, record.masked, record.paused, len(record.key)) == ("stereo", False, False, 32)
    (put,) = rooms.has.values()
    assert record.sides == tuple(leg.id for leg in put.desired.legs)
    alice.within(answered, "BYE")
    (event,) = stopped(exchange)
    assert exchange.types.index("ended") < exchange.types.index("recording_stopped")
    kept = event.kept
    assert (kept.duration_ms, kept.reason) == (1000, "")
    served = open_wave(FolderStorage(tmp_path / "kept"), kept.name, record.key)
    audio = served.read(0, len(served))
    assert hashlib.sha256(audio).hexdigest() == kept.sha256
    with wave.open(BytesIO(audio)) as wav:
        assert (wav.getnchannels(), wav.getframerate(), wav.getnframes()) == (2, 8000, 8000)
    assert SECOND[:64] not in (tmp_path / "kept" / kept.name).read_bytes(), "it is sealed at rest"
    assert not Path(record.path).exists()
    exchange.wait(40)
    assert exchange.board.live_calls == ()


def test_a_recording_that_no_worker_closed_is_finished_without_it(make: Make, rooms: Recorders) -> None:
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (record,) = rooms.records.values()
    Path(record.path).parent.mkdir()
    file = contain(Path(record.path), Track(8000, 2), record.key)
    file.append(SECOND)
    file.abandon()
    assert part_of(Path(record.path)).exists()
    rooms.die()
    alice.within(answered, "BYE")
    assert stopped(exchange) == []
    exchange.wait(6)
    (event,) = stopped(exchange)
    assert (event.kept.duration_ms, event.kept.reason) == (1000, "")


def test_of_files_that_nobody_asks_for_any_more_nothing_is_remembered(make: Make, rooms: Recorders) -> None:
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (record,) = rooms.records.values()
    (context,) = rooms.has
    closed = RecordClosed(context, record.id, record.path, "", 0, "the disk is full")
    assert exchange.studio is not None
    reels = exchange.studio.reels
    rooms.say(closed)
    assert list(reels._closed) == [record.id], "its call will ask"
    alice.within(answered, "BYE")
    (event,) = stopped(exchange)
    assert event.kept.reason == "the disk is full"
    rooms.say(closed)
    assert (len(reels), reels._closed) == (0, {}), "said again"
    exchange.wait(40)
    rooms.say(closed)
    assert (len(reels), reels._closed) == (0, {}), "said late"


def test_a_file_is_forgotten_with_the_shard_of_its_call(make: Make, rooms: Recorders) -> None:
    exchange = make()
    talk(exchange)
    (record,) = rooms.records.values()
    (context,) = rooms.has
    rooms.say(RecordClosed(context, record.id, record.path, "", 0, "the disk is full"))
    exchange.board.drop(shard_of(call_of_recording(record.id)), 1)
    assert exchange.studio is not None
    assert exchange.studio.reels._closed == {}


def test_what_was_never_recorded_is_said_to_be_so(make: Make, rooms: Recorders) -> None:
    rooms.writes = False
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    exchange.wait(600)
    (event,) = stopped(exchange)
    assert event.kept.name == ""
    assert event.kept.reason == "nothing was recorded"
    assert exchange.board.live_calls == ()


def test_a_storage_that_is_away_is_waited_for(make: Make, tmp_path: Path) -> None:
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (tmp_path / "kept").write_text("no folder")
    alice.within(answered, "BYE")
    exchange.wait(100)
    assert stopped(exchange) == []
    assert len(exchange.board.live_calls) == 1, "it is owed"
    (tmp_path / "kept").unlink()
    exchange.wait(400)
    (event,) = stopped(exchange)
    assert event.kept.duration_ms == 1000


def test_after_a_restart_a_recording_goes_on_in_the_same_file(make: Make, rooms: Recorders) -> None:
    journal = HeldJournal()
    alice, _, answered, _ = talk(make(journal=journal))
    before = rooms.records
    again = make(journal=journal, epoch=2, at_s=60)
    assert rooms.records == before
    alice.exchange = again
    alice.within(answered, "BYE")
    assert len(stopped(again)) == 1


def test_what_was_owed_at_a_death_is_done_afterwards(make: Make, rooms: Recorders, tmp_path: Path) -> None:
    """The call ended, and the process died before the file was in the storage: however long it is away."""
    journal = HeldJournal()
    first = make(journal=journal)
    alice, _, answered, _ = talk(first)
    (tmp_path / "kept").write_text("no folder")
    alice.within(answered, "BYE")
    assert stopped(first) == []
    (tmp_path / "kept").unlink()
    again = make(journal=journal, epoch=2, at_s=100_000)
    again.wait(10)
    (event,) = stopped(again)
    assert event.kept.duration_ms == 1000
    assert again.board.live_calls == ()


def test_on_demand(make: Make, rooms: Recorders) -> None:
    exchange = make(ON_DEMAND)
    alice, _, answered, _ = talk(exchange)
    assert rooms.records == {}
    ask(exchange, "stop")
    ask(exchange, "start")
    (record,) = rooms.records.values()
    assert record.layout == "mixed"
    ask(exchange, "start")
    assert exchange.types.count("recording_started") == 1
    ask(exchange, "mask")
    assert [one.masked for one in rooms.records.values()] == [True]
    ask(exchange, "unmask")
    ask(exchange, "pause")
    assert [(one.masked, one.paused) for one in rooms.records.values()] == [(False, True)]
    ask(exchange, "resume")
    ask(exchange, "stop")
    assert rooms.records == {}
    assert len(stopped(exchange)) == 1
    ask(exchange, "start")
    alice.within(answered, "BYE")
    first, second = stopped(exchange)
    assert first.recording.rpartition("-")[::2][1] + second.recording.rpartition("-")[2] == "12"
    assert [kind for kind in exchange.types[6:] if kind != "leg_measured"] == [
        "connected",
        "recording_started",
        "recording_masked",
        "recording_masked",
        "recording_paused",
        "recording_paused",
        "recording_ended",
        "recording_stopped",
        "recording_started",
        "ended",
        "recording_stopped",
    ]


def test_a_party_steers_the_recording_by_its_keys(make: Make, rooms: Recorders) -> None:
    exchange = make(ON_DEMAND)
    talk(exchange)
    (name,) = rooms.has
    caller, callee = (leg.id for leg in rooms.has[name].desired.legs)

    def press(leg: str, keys: str) -> None:
        for key in keys:
            rooms.say(Dtmf(name, leg, key, 100))

    press(caller, "*1")
    press(callee, "1")
    assert rooms.records == {}, "1001 may not, and a single key means nothing"
    press(callee, "*")
    press(caller, "1")
    assert rooms.records == {}, "each presses for itself"
    press(callee, "1")
    assert len(rooms.records) == 1
    press(callee, "*2")
    assert [one.masked for one in rooms.records.values()] == [True]
    press(callee, "*1")
    assert rooms.records == {}


def test_both_parties_are_told_and_that_is_a_fact(make: Make, rooms: Recorders) -> None:
    exchange = make(msgspec.structs.replace(ALWAYS, announce=True))
    talk(exchange)
    ((name, put),) = rooms.has.items()
    (play,) = put.desired.plays
    assert play.source == "prompt:recorded:en"
    rooms.say(PlayDone(name, "", play.id))
    assert rooms.has[name].desired.plays == ()
    assert exchange.types[-1] == "recording_announced"
    rooms.say(PlayDone(name, "", play.id))
    assert exchange.types.count("recording_announced") == 1


def test_of_keys_of_a_call_that_is_over_nothing_is_remembered(make: Make, rooms: Recorders) -> None:
    exchange = make(ON_DEMAND)
    alice, _, answered, _ = talk(exchange)
    (name,) = rooms.has
    half = Dtmf(name, rooms.has[name].desired.legs[1].id, "*", 100)
    rooms.say(half)
    assert exchange.studio is not None
    assert len(exchange.studio.keys) == 1
    alice.within(answered, "BYE")
    rooms.say(half)
    assert len(exchange.studio.keys) == 0


def test_a_recording_goes_on_while_the_parties_agree_on_no_audio(make: Make, rooms: Recorders) -> None:
    exchange = make()
    alice, bob, answered, _ = talk(exchange)
    before = rooms.records
    alice.within(answered, "INVITE", SDP.replace("m=audio 4000", "m=audio 0"))
    reoffer = exchange.last(BOB)
    assert isinstance(reoffer, Request)
    bob.reply(reoffer, 200, SDP.replace("m=audio 4000", "m=audio 0"))
    assert rooms.records == before


def erase(exchange: Exchange, recording: str, tenant: str | None = None) -> Refusal | None:
    told: list[Refusal | None] = []
    assert exchange.studio is not None
    exchange.studio.eraser.erase(recording, tenant, "api:1", "asked for", told.append)
    (refusal,) = told
    return refusal


def kept_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "kept").rglob("*") if path.is_file()]


@pytest.mark.parametrize("wait_s", [1, 100])
def test_erasing(make: Make, tmp_path: Path, wait_s: float) -> None:
    """Of a call that is in memory, and of one that is there no longer."""
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (recording,) = exchange.board.live_calls[0].recordings
    assert (refusal := erase(exchange, recording.id)) is not None
    assert refusal.kind == "conflict", "it goes on"
    alice.within(answered, "BYE")
    exchange.wait(wait_s)
    assert bool(exchange.board.live_calls) == (wait_s < 32)
    assert len(kept_files(tmp_path)) == 1
    assert (refusal := erase(exchange, recording.id, "globex")) is not None
    assert refusal.kind == "missing", "another tenant's"
    assert erase(exchange, recording.id, "acme") is None
    assert kept_files(tmp_path) == []
    assert exchange.types[-1] == "recording_erased"
    assert (refusal := erase(exchange, recording.id)) is not None
    assert refusal.kind == "missing", "once only"
    for nothing in ("nonsense", f"{new_call()}-1"):
        assert (refusal := erase(exchange, nothing)) is not None
        assert refusal.kind in ("missing", "unavailable")


@pytest.mark.parametrize("wait_s", [1, 100])
def test_who_erases_is_told_when_the_shard_is_lost_meanwhile(make: Make, wait_s: float) -> None:
    exchange = make()
    alice, _, answered, _ = talk(exchange)
    (recording,) = exchange.board.live_calls[0].recordings
    alice.within(answered, "BYE")
    exchange.wait(wait_s)
    exchange.journal.held = True
    told: list[Refusal | None] = []
    assert exchange.studio is not None
    exchange.studio.eraser.erase(recording.id, None, "api:1", "asked for", told.append)
    assert told == []
    exchange.journal.lose()
    assert [refusal.kind for refusal in told if refusal is not None] == ["unavailable"]


def test_recordings_go_when_their_days_are_over(make: Make, tmp_path: Path) -> None:
    exchange = make(msgspec.structs.replace(ALWAYS, keep_days=2))
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    (file,) = kept_files(tmp_path)
    assert file.parent.name == "2026-03-03"
    exchange.wait(2.5 * 86_400)
    assert kept_files(tmp_path) == [file], "all of that day"
    exchange.wait(86_400)
    assert kept_files(tmp_path) == []
    (erased,) = (one for one in exchange.journal.stored if one.record.type.startswith("call.recording_erased"))
    assert b'"why":"retention"' in erased.record.data


def test_keys_and_names_are_of_one_recording_only(tmp_path: Path) -> None:
    store = ReelStore(
        lambda: FolderStorage(tmp_path), tmp_path, lambda purpose: hashlib.sha256(purpose.encode()).digest()
    )
    assert len({store.key("acme", "a-1"), store.key("acme", "a-2"), store.key("globex", "a-1")}) == 3
