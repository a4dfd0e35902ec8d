"""Disks that are full and storages that cannot be written, while calls and messages are recorded."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from adapters.sip.message.message import Request
from adapters.storage.folder import FolderStorage
from media.container import contain
from media.record import Recorder
from media.track import Track
from media.wire import RecordClosed
from switchlog.studio.clerk import Clerk
from tests.fixtures.disk import full_disk
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.logged import lines
from tests.switchlog.phone import ALICE, BOB, methods, talk
from tests.switchlog.studio.test_sweeper import recording
from tests.switchlog.test_exchange_recorded import SECOND, Recorders, kept_files, stopped
from tests.switchlog.voice import SAID, Worker, boxed, dialled, leave, types


@pytest.fixture
def rooms() -> Recorders:
    return Recorders()


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def exchange(worker: Worker, tmp_path: Path) -> Exchange:
    """With mailboxes."""
    clerk = Clerk(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool")
    return Exchange(media=worker, directory=boxed, clerk=clerk)


def test_a_full_disk_ends_the_recording_and_not_the_call(rooms: Recorders, stream: io.StringIO, tmp_path: Path) -> None:
    rooms.writes = False
    exchange = recording(tmp_path, HeldJournal(), rooms)
    alice, _, answered, _ = talk(exchange)
    ((name, put),) = rooms.has.items()
    (record,) = put.desired.records
    recorder, sound = Recorder(), np.ones(160, np.int16)
    with full_disk(70_000):
        file = recorder.open(name, record, 8000)
        for _ in range(5 * 50):
            file.write(sound, sound)
        recorder.close()
    (closed,) = recorder.closed()
    rooms.say(closed)
    (line,) = (one for one in lines(stream) if one["level"] == "error")
    assert "the disk of the data folder has room" in line["event"]
    assert (line["recording"], line["reason"]) == (record.id, "the storage failed: File too large")
    exchange.wait(60)
    assert exchange.board.open_calls == 1, "the parties go on talking"
    assert rooms.has[name].desired.legs == put.desired.legs
    alice.within(answered, "BYE")
    (event,) = stopped(exchange)
    assert (event.kept.duration_ms, event.kept.reason) == (2000, "the storage failed: File too large")
    exchange.wait(40)
    assert exchange.board.live_calls == ()


def test_a_storage_that_is_full_is_waited_for_and_calls_go_on(
    rooms: Recorders, stream: io.StringIO, tmp_path: Path
) -> None:
    exchange = recording(tmp_path, HeldJournal(), rooms)
    alice, _, answered, _ = talk(exchange)
    (record,) = rooms.records.values()
    rooms.writes = False
    file = contain(Path(record.path), Track(8000, 2), record.key)
    file.append(SECOND)
    while file.finish() is None:
        pass
    with full_disk(20_000):
        alice.within(answered, "BYE")
        exchange.wait(200)
        alice.invite("1002", call_id="while it is full")
        assert isinstance(exchange.last(BOB), Request), "the next call comes through"
    assert stopped(exchange) == []
    assert kept_files(tmp_path) == [], "not half a file"
    assert Path(record.path).exists()
    last = [one for one in lines(stream) if one["level"] == "error"][-1]
    assert "see that SWITCHLOG_STORAGE can be written and has room" in last["event"]
    assert last["reason"].endswith("File too large")
    exchange.wait(400)
    (event,) = stopped(exchange)
    assert (event.kept.duration_ms, event.kept.reason) == (1000, "")
    assert not Path(record.path).exists()


def test_a_full_disk_ends_the_message_and_the_caller_is_told(
    exchange: Exchange, worker: Worker, stream: io.StringIO
) -> None:
    dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    (name,) = worker.has
    record = worker.write(SAID)
    worker.say(RecordClosed(name, record.id, record.path, "", 0, "the storage failed: No space left on device"))
    assert worker.playing() == "prompt:voicemail-saved:en"
    assert types(exchange)[2:] == ["message_left"], "what there was"
    (line,) = (one for one in lines(stream) if one["level"] == "error")
    assert "the disk of the data folder has room" in line["event"]
    assert line["reason"] == "the storage failed: No space left on device"
    worker.end_sound()
    assert methods(exchange.take(ALICE))[-1:] == ["BYE"]


def test_a_storage_that_cannot_be_written_is_waited_for(
    exchange: Exchange, worker: Worker, stream: io.StringIO, tmp_path: Path
) -> None:
    (tmp_path / "storage").write_text("no folder")
    leave(exchange, worker)
    assert methods(exchange.take(ALICE))[-1:] == ["200 BYE"]
    exchange.wait(200)
    assert types(exchange)[2:] == [], "it is owed"
    last = [one for one in lines(stream) if one["level"] == "error"][-1]
    assert "SWITCHLOG_STORAGE can be read and written" in last["event"]
    assert last["reason"].endswith("File exists")
    (tmp_path / "storage").unlink()
    exchange.wait(400)
    assert types(exchange)[2:] == ["message_left"]
