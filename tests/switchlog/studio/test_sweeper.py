"""What is left in the spool: what no event frees stays, whoever died; what is kept or erased goes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.storage.folder import FolderStorage
from domain.ids import leg_id
from domain.mailbox.input import Delete
from domain.ports import JournalAway, Stored
from domain.routing.directory import Directory
from domain.values import MediaPolicy
from media.part import part_of
from switchlog.studio.clerk import Clerk
from switchlog.studio.spool import DRAFT, MESSAGE, RECORDING, Spool, SpoolFile, read_name
from tests.domain.world import START, directory, new_call, with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import RememberedRooms
from tests.switchlog.phone import talk
from tests.switchlog.test_exchange_recorded import Recorders, erase, stopped
from tests.switchlog.voice import NAME, Worker, boxed, dialled, leave, mailbox

LEG = leg_id(new_call(), 1)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def recording(
    folder: Path, journal: HeldJournal, media: RememberedRooms, epoch: int | Mapping[int, int] = 1, at_s: float = 0
) -> Exchange:
    """A process in which all calls of 1002 are recorded."""

    def known() -> Directory:
        return with_media(directory(), "1002", MediaPolicy(recording="always"))

    return Exchange(journal, epoch, at_s, known, media=media, storage=folder)


@pytest.fixture
def left(spool: Path, tmp_path: Path) -> tuple[HeldJournal, Path]:
    """A call was recorded, and the process died before the file, which is in the storage, was removed."""
    journal = HeldJournal()
    exchange = recording(tmp_path, journal, Recorders())
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    (event,) = stopped(exchange)
    shutil.copy(tmp_path / "kept" / event.kept.name, spool / event.recording)
    return journal, spool / event.recording


def names(spool: Path) -> list[str]:
    return sorted(one.name for one in spool.iterdir())


def test_what_is_kept_goes_some_time_after_a_start(left: tuple[HeldJournal, Path], tmp_path: Path) -> None:
    journal, file = left
    again = recording(tmp_path, journal, Recorders(), epoch=2, at_s=1000)
    again.wait(50)
    assert file.exists(), "phones come first"
    again.wait(20)
    assert not file.exists()
    assert len(list((tmp_path / "kept").rglob(file.name))) == 1


def test_what_is_recorded_or_owed_stays(spool: Path, tmp_path: Path) -> None:
    """A call that goes on; then the same one, over, while the storage is away; over restarts of everybody."""
    journal, rooms = HeldJournal(), Recorders()
    first = recording(tmp_path, journal, rooms)
    alice, _, answered, _ = talk(first)
    (record,) = rooms.records.values()
    part_of(Path(record.path)).touch()
    second = recording(tmp_path, journal, rooms, epoch=2, at_s=100)
    second.wait(4000)
    assert names(spool) == [f"{record.id}.part"], "it goes on"
    part_of(Path(record.path)).unlink()
    (tmp_path / "kept").rename(tmp_path / "away")
    (tmp_path / "kept").write_text("no folder")
    alice.exchange = second
    alice.within(answered, "BYE")
    third = recording(tmp_path, journal, rooms, epoch=3, at_s=5000)
    third.wait(4000)
    assert stopped(third) == []
    assert names(spool) == [record.id], "it is owed"
    (tmp_path / "kept").unlink()
    third.wait(400)
    assert len(stopped(third)) == 1
    assert names(spool) == []


def test_what_another_node_has_to_see_to_stays(left: tuple[HeldJournal, Path], tmp_path: Path) -> None:
    journal, file = left
    shard = next(one.shard for one in journal.stored if one.record.category == "calls")
    recording(tmp_path, journal, Recorders(), {n: 2 for n in range(64) if n != shard}, 1000).wait(4000)
    assert file.exists()
    recording(tmp_path, journal, Recorders(), {shard: 3}, 5000).wait(70)
    assert not file.exists()


def test_what_is_not_the_file_that_was_kept_stays_until_that_is_erased(
    left: tuple[HeldJournal, Path], tmp_path: Path
) -> None:
    """As after a take-over, when the other node had only the rest of it."""
    journal, file = left
    shutil.copy(file, part_of(file))
    file.write_bytes(file.read_bytes()[:-1])
    again = recording(tmp_path, journal, Recorders(), epoch=2, at_s=1000)
    again.wait(4000)
    assert names(file.parent) == [file.name, f"{file.name}.part"]
    assert erase(again, file.name) is None
    assert names(file.parent) == [], "at once"
    file.touch()
    part_of(file).touch()
    again.wait(4000)
    assert names(file.parent) == [], "and whatever comes back"


def test_what_is_not_durable_frees_nothing(spool: Path, tmp_path: Path) -> None:
    """It is in the storage, and its call says so, but the journal has not answered yet."""
    journal = HeldJournal()
    exchange = recording(tmp_path, journal, Recorders())
    alice, _, answered, _ = talk(exchange)
    (tmp_path / "kept").write_text("no folder")
    alice.within(answered, "BYE")
    (tmp_path / "kept").unlink()
    journal.held = True
    exchange.wait(4000)
    assert stopped(exchange) == []
    (name,) = names(spool)
    assert len(list((tmp_path / "kept").rglob(name))) == 1
    journal.commit()
    assert names(spool) == []


def test_what_nobody_knows_stays(spool: Path, tmp_path: Path) -> None:
    unknown = ["notes.txt", f"{new_call()}-1", f"{new_call()}-1.part", "x.rec", ".hidden"]
    for name in unknown:
        (spool / name).touch()
    recording(tmp_path, HeldJournal(), Recorders()).wait(4000)
    assert names(spool) == sorted(unknown)


def test_a_journal_that_is_away_frees_nothing_and_is_asked_again(
    left: tuple[HeldJournal, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, file = left

    def away(stream: UUID) -> Sequence[Stored]:
        raise JournalAway("no broker answers")

    again = recording(tmp_path, journal, Recorders(), epoch=2, at_s=1000)
    assert again.studio is not None
    parts = again.studio.sweeper._parts
    monkeypatch.setattr(again.studio.sweeper, "_parts", parts._replace(read=away))
    again.wait(1000)
    assert file.exists()
    monkeypatch.setattr(again.studio.sweeper, "_parts", parts)
    again.wait(3600)
    assert not file.exists()


def test_the_loop_waits_for_no_disk_and_no_journal(
    left: tuple[HeldJournal, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, file = left
    again = recording(tmp_path, journal, Recorders(), epoch=2, at_s=1000)
    assert again.studio is not None
    sweeper, queue = again.studio.sweeper, list[tuple[Callable[[], Any], Callable[[Any], None]]]()
    monkeypatch.setattr(sweeper, "_parts", sweeper._parts._replace(work=lambda *job: queue.append(job)))
    again.wait(4000)
    ((look, suspect),) = queue
    assert sweeper.next_due() is None, "one at a time"
    found = look()
    file.rename(file.with_name("elsewhere"))
    monkeypatch.setattr(journal, "read", lambda *args: pytest.fail("the journal is read in a thread"))
    suspect(found)
    assert len(queue) == 2
    assert sweeper.next_due() is None


def test_there_may_be_very_many(left: tuple[HeldJournal, Path], tmp_path: Path) -> None:
    """Some at a time, and soon the next ones; those that stay are in nobody's way."""
    journal, file = left
    for number in range(1200):
        (file.parent / f"{'0' * 8}-0000-8000-8000-{number:012}-1").touch()
    recording(tmp_path, journal, Recorders(), epoch=2, at_s=1000).wait(70)
    assert not file.exists()
    assert len(names(file.parent)) == 1200


# --- messages


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(lambda: FolderStorage(tmp_path / "kept"), tmp_path / "spool")


def answering(
    folder: Path, journal: HeldJournal, clerk: Clerk, worker: Worker, epoch: int | Mapping[int, int] = 1
) -> Exchange:
    return Exchange(journal, epoch, 0, boxed, media=worker, storage=folder, clerk=clerk)


def touch(spool: Path, *found: str) -> None:
    for name in found:
        (spool / name).touch()


def test_of_messages_that_are_kept_or_gone_nothing_stays(clerk: Clerk, spool: Path, tmp_path: Path) -> None:
    journal, worker = HeldJournal(), Worker()
    exchange = answering(tmp_path, journal, clerk, worker)
    leave(exchange, worker)
    box = mailbox(exchange)
    assert box is not None
    (message,) = box.there
    touch(spool, f"{message.id}.rec", f"{message.id}.play")
    touch(spool, f"{LEG}.rec", f"{LEG}.rec.part", f"{LEG}.play")
    again = answering(tmp_path, journal, clerk, Worker(), 2)
    again.wait(70)
    assert names(spool) == [f"{message.id}.play"], "which may be heard again"
    assert again.studio is not None
    again.studio.mailroom.handle(NAME, Delete("c", "a", message.id))
    touch(spool, f"{message.id}.play")
    again.wait(3600)
    assert names(spool) == []


def test_a_message_that_is_recorded_or_owed_stays(clerk: Clerk, spool: Path, tmp_path: Path) -> None:
    journal, worker = HeldJournal(), Worker()
    exchange = answering(tmp_path, journal, clerk, worker)
    phone, answered = dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    record = worker.write(bytes(48000))
    exchange.wait(20)
    again = answering(tmp_path, journal, clerk, worker, 2)
    (tmp_path / "kept").write_text("no folder")
    phone.exchange = again
    phone.within(answered, "BYE")
    again.wait(4000)
    assert names(spool) == [Path(record.path).name]


@pytest.mark.parametrize(("shards", "parked"), [(63, 0), (64, 1)])
def test_while_there_may_be_a_mailbox_that_is_not_held_its_messages_stay(
    clerk: Clerk, spool: Path, tmp_path: Path, shards: int, parked: int
) -> None:
    touch(spool, f"{LEG}.rec")
    exchange = answering(tmp_path, HeldJournal(), clerk, Worker(), dict.fromkeys(range(shards), 2))
    exchange.board.parked = parked
    exchange.wait(4000)
    assert names(spool) == [f"{LEG}.rec"]


def test_a_copy_that_was_being_fetched_goes_when_nobody_writes_it(clerk: Clerk, spool: Path, tmp_path: Path) -> None:
    exchange = answering(tmp_path, HeldJournal(), clerk, Worker())
    now = START.timestamp()
    for name, at in ((f"{LEG}.draft", now - 3700), (f"{LEG}.ab.draft", now - 3000)):
        touch(spool, name)
        os.utime(spool / name, (at, at))
    exchange.wait(70)
    assert names(spool) == [f"{LEG}.ab.draft"]


# --- names


def test_names_say_what_a_file_is() -> None:
    call = f"{new_call()}-2"
    known = [
        SpoolFile(call, RECORDING, call, sound=True),
        SpoolFile(f"{call}.part", RECORDING, call),
        SpoolFile(f"{LEG}.rec", MESSAGE, LEG, sound=True),
        SpoolFile(f"{LEG}.rec.part", MESSAGE, LEG),
        SpoolFile(f"{LEG}.play", MESSAGE, LEG, copy=True),
        SpoolFile(f"{LEG}.0a1b.draft", DRAFT, LEG),
    ]
    assert [read_name(file.name) for file in known] == known
    assert [read_name(name) for name in (LEG, f"{call}.rec", str(new_call()))] == [None] * 3


def test_a_spool_that_was_never_made_is_empty(tmp_path: Path) -> None:
    assert Spool(tmp_path / "spool").files("", 10) == []
