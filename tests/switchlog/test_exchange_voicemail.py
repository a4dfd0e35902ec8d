"""Calls to mailboxes as ladders of real messages: what callers hear, what is recorded, journaled and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.journal.codec import decode
from adapters.sip.message.message import Request, Response
from adapters.storage.folder import FolderStorage
from domain.ids import shard_of
from domain.mailbox.input import Delete, Hear, Renew
from domain.mailbox.mailbox import Mailbox
from domain.values import MediaPolicy
from switchlog.studio.clerk import Clerk
from switchlog.studio.sealed_wave import open_wave
from tests.domain.world import with_media
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.phone import ALICE, BOB, SDP, Phone, methods
from tests.switchlog.test_exchange_relayed import ALICES_KEY, secure
from tests.switchlog.voice import NAME, SAID, Worker, boxed, dialled, leave, mailbox, types

SECURE = secure(ALICES_KEY)


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool")


@pytest.fixture
def exchange(worker: Worker, clerk: Clerk) -> Exchange:
    return Exchange(media=worker, directory=boxed, clerk=clerk)


def test_a_message_is_left_and_kept(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    phone, answered = dialled(exchange, "1002")
    assert worker.playing() == "prompt:voicemail-away:en"
    worker.end_sound()
    assert worker.playing() == "tone:beep"
    worker.end_sound()
    assert types(exchange) == ["opened", "recording_begun"]
    (name,) = worker.has
    record = worker.write(SAID)
    assert len(record.key) == 32
    phone.within(answered, "BYE")
    assert methods(exchange.take(ALICE))[-1:] == ["200 BYE"]
    assert worker.has == {}
    worker.close(record, name)
    exchange.deliver()
    assert types(exchange)[2:] == ["message_left"]
    kept = mailbox(exchange)
    assert kept is not None
    (message,) = kept.there
    assert (message.number, message.duration_ms) == ("1001", 3000)
    wave = open_wave(FolderStorage(tmp_path / "storage"), message.file, record.key)
    assert wave.read(44, len(SAID)) == SAID
    assert list((tmp_path / "spool").iterdir()) == [], "it is in one place only"
    assert record.key.hex() not in str(exchange.journal.stored), "the key is sealed"


def test_a_hash_ends_a_message(exchange: Exchange, worker: Worker) -> None:
    dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    (name,) = worker.has
    (leg,) = worker.context().legs
    record = worker.write(SAID)
    worker.press(leg.id, "5#", name)
    assert worker.context().records == ()
    assert worker.playing() == "prompt:voicemail-saved:en"
    worker.close(record, name)
    exchange.deliver()
    worker.end_sound()
    assert methods(exchange.take(ALICE))[-1:] == ["BYE"], "nothing more is to be said"
    assert types(exchange)[2:] == ["message_left"]


def test_nobody_speaks_for_ever(exchange: Exchange, worker: Worker) -> None:
    dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    worker.write(SAID)
    exchange.wait(29)
    assert worker.context().records
    exchange.wait(2)
    assert worker.playing() == "prompt:voicemail-saved:en"


def test_who_says_nothing_leaves_nothing(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    phone, answered = dialled(exchange, "1002")
    worker.end_sound()
    worker.end_sound()
    (name,) = worker.has
    record = worker.write(SAID[:8000])
    phone.within(answered, "BYE")
    worker.close(record, name)
    exchange.deliver()
    assert types(exchange)[2:] == ["recording_dropped", "closed"]
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_message_outlives_the_server(worker: Worker, clerk: Clerk) -> None:
    journal = HeldJournal()
    before = Exchange(journal, media=worker, directory=boxed, clerk=clerk)
    phone, answered = dialled(before, "1002")
    worker.end_sound()
    worker.end_sound()
    (record,) = worker.context().records
    worker.write(SAID)
    after = Exchange(journal, epoch=2, start_s=before.clock_s + 1, media=worker, directory=boxed, clerk=clerk)
    assert worker.context().records == (record,), "it goes on, in the same file with the same key"
    phone.exchange = after
    phone.within(answered, "BYE")
    worker.die()
    after.wait(6)
    after.deliver()
    assert types(after)[2:] == ["message_left"], "also if no worker says that the file is closed"


def test_messages_are_heard_and_deleted(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    leave(exchange, worker)
    dialled(exchange, "*97", "1002", BOB)
    (name,) = worker.has
    (leg,) = worker.context().legs
    assert worker.playing() == "prompt:voicemail-pin:en"
    worker.press(leg.id, "4321#", name)
    assert worker.playing() == "prompt:voicemail-new:en:1"
    worker.end_sound()
    exchange.deliver()
    (leg,) = worker.context().legs
    (play,) = leg.plays
    assert Path(play.source).parent == tmp_path / "spool"
    worker.end_sound()
    assert types(exchange)[3:] == ["message_heard"]
    assert worker.playing() == "prompt:voicemail-menu:en"
    worker.press(leg.id, "3", name)
    exchange.deliver()
    assert types(exchange)[4:] == ["message_deleted", "message_erased", "closed"]
    assert not [one for one in tmp_path.rglob("*") if one.is_file()], "nothing is left of it"
    assert worker.playing() == "prompt:voicemail-deleted:en"
    worker.end_sound()
    assert worker.playing() == "prompt:goodbye:en"
    worker.end_sound()
    assert methods(exchange.take(BOB))[-1:] == ["BYE"]


def summaries(exchange: Exchange, address: str) -> list[str]:
    """What a phone was told of its messages since it was asked last; it takes each."""
    told = [one for one in exchange.take(address) if isinstance(one, Request) and one.method == "NOTIFY"]
    for one in told:
        assert (one.get("Event"), one.get("Subscription-State")) == ("message-summary", "terminated")
        headers = "\n".join(f"{name}: {one.get(name)}" for name in ("Via", "From", "To", "Call-ID", "CSeq"))
        exchange.send(address, f"SIP/2.0 200 OK\n{headers}")
    return [one.body.decode().split("Voice-Message: ")[1].strip() for one in told]


def test_the_lamps_of_phones_follow(exchange: Exchange, worker: Worker) -> None:
    bob = Phone(exchange, "1002", BOB)
    bob.register()
    assert summaries(exchange, BOB) == ["0/0 (0/0)"], "a phone that begins is told"
    alice = Phone(exchange, "1001", ALICE)
    alice.register()
    assert summaries(exchange, ALICE) == [], "it has no mailbox"
    bob.register(expires_s=0)
    exchange.take(BOB)
    leave(exchange, worker)
    assert summaries(exchange, BOB) == [], "it is gone"
    bob.register()
    assert summaries(exchange, BOB) == ["1/0 (0/0)"]
    kept = mailbox(exchange)
    assert kept is not None
    (message,) = kept.there
    assert exchange.studio is not None
    for wish, told in ((Hear, "0/1 (0/0)"), (Renew, "1/0 (0/0)"), (Delete, "0/0 (0/0)")):
        exchange.studio.mailroom.handle(NAME, wish("c", "a", message.id))
        exchange.deliver()
        assert summaries(exchange, BOB)[:1] == [told]
    exchange.wait(40)
    assert summaries(exchange, BOB) == [], "what was taken is not said again"


def test_messages_expire(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    leave(exchange, worker)
    exchange.wait(7 * 86_400 - 60)
    assert types(exchange)[3:] == []
    exchange.wait(3_700)
    exchange.deliver()
    assert types(exchange)[3:] == ["message_deleted", "message_erased", "closed"]
    assert not [one for one in (tmp_path / "storage").rglob("*") if one.is_file()]


@pytest.mark.parametrize("srtp", [False, True])
def test_a_caller_whose_media_would_have_gone_through_us_is_at_the_mailbox_itself(
    worker: Worker, clerk: Clerk, tmp_path: Path, srtp: bool
) -> None:
    """There is nothing left to pass on: what was to do so is closed, and nothing is recorded but the message."""
    policy = MediaPolicy("always")
    exchange = Exchange(
        media=worker, directory=lambda: with_media(boxed(), "1002", policy), clerk=clerk, storage=tmp_path
    )
    bob = Phone(exchange, "1002", BOB)
    bob.register()
    exchange.take(BOB)  # how many messages there are
    alice = Phone(exchange, "1001", ALICE)
    alice.register()
    alice.invite("1002", SECURE if srtp else SDP)
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    bob.reply(invite, 486)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert (answered.status, b"RTP/SAVP " in answered.body) == (200, srtp)
    (leg,) = worker.context().legs
    assert f"m=audio {leg.port} ".encode() in answered.body
    assert leg.remote == ("127.0.0.1", 4000)
    alice.within(answered, "ACK")
    assert "recording_started" not in exchange.types
    alice.within(answered, "BYE")
    assert worker.has == {}
    exchange.wait(60)
    assert exchange.board.live_calls == ()


def test_who_called_is_greeted_again_when_a_lost_shard_is_back(exchange: Exchange, worker: Worker) -> None:
    dialled(exchange, "1002")
    (call,) = exchange.board.live_calls
    shard, (name,) = shard_of(call.id), worker.has
    greeting = [leg.plays for leg in worker.has[name].desired.legs]
    assert greeting != [()]
    exchange.board.drop(shard, 1)
    exchange.board.resume(exchange.board.load({shard: 2}, list(exchange.journal.live(shard, 0.0)), decode))
    exchange.deliver()
    assert [leg.plays for leg in worker.has[name].desired.legs] == greeting


def test_who_marks_a_message_is_told_when_the_shard_is_lost_meanwhile(exchange: Exchange, worker: Worker) -> None:
    leave(exchange, worker)
    box = mailbox(exchange)
    assert box is not None
    exchange.journal.held = True
    told: list[object] = []
    assert exchange.studio is not None
    heard = Hear("c", "api:1", next(iter(box.messages)))
    exchange.studio.mailroom.handle(NAME, heard, told.append, lambda: told.append("lost"))
    exchange.journal.lose()
    assert told == ["lost"]


def test_how_many_messages_there_are_costs_no_other_call_anything(
    exchange: Exchange, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When something is due is asked after every message of SIP."""
    leave(exchange, worker)
    assert exchange.studio is not None
    monkeypatch.setattr(Mailbox, "there", property(lambda mailbox: pytest.fail("all messages were looked at")))
    assert exchange.studio.mailroom.next_due() is not None
