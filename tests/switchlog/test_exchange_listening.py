"""Who hears the messages of a mailbox and sees to its greetings, as ladders of real messages."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from adapters.sip.message.message import Response
from adapters.storage.folder import FolderStorage
from domain.routing.directory import Box, Directory
from switchlog.studio.clerk import Clerk
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import CAROL
from tests.switchlog.phone import ALICE, BOB, Phone, methods
from tests.switchlog.voice import BOX, NAME, SAID, Worker, boxed, dialled, leave, mailbox, types


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(lambda: FolderStorage(tmp_path / "storage"), tmp_path / "spool")


@pytest.fixture
def exchange(worker: Worker, clerk: Clerk) -> Exchange:
    return Exchange(media=worker, directory=boxed, clerk=clerk)


class Caller:
    """Who has dialled for messages: presses keys, and hears sounds to their ends."""

    def __init__(self, exchange: Exchange, worker: Worker, number: str, caller: str, address: str) -> None:
        self.exchange, self.worker = exchange, worker
        self.phone, self.answered = dialled(exchange, number, caller, address)

    def press(self, keys: str) -> str:
        """What is heard then."""
        (name,) = self.worker.has
        (leg,) = self.worker.context().legs
        self.worker.press(leg.id, keys, name)
        self.exchange.deliver()
        return self.worker.playing()

    def wait(self) -> str:
        """What is heard after what is heard now."""
        self.worker.end_sound()
        self.exchange.deliver()
        return self.worker.playing()

    def hang_up(self) -> None:
        self.phone.within(self.answered, "BYE")


def others() -> Directory:
    """1003 has a mailbox, too, with the PIN 999, and 1001 has none."""
    known = boxed()
    return msgspec.structs.replace(
        known, boxes={**known.boxes, ("acme", "1003"): Box("acme", "1003", pin="sealed.999")}
    )


def record(caller: Caller, said: bytes = SAID) -> str:
    """A greeting, from the menu of its state; what is heard once it is kept."""
    assert caller.press("2") == "prompt:greeting-record:en"
    assert caller.wait() == "tone:beep"
    assert caller.wait() == ""
    (name,) = caller.worker.has
    recording = caller.worker.write(said)
    assert caller.press("#") == ""
    assert caller.worker.context().records == ()
    caller.worker.close(recording, name)
    caller.exchange.deliver()
    return caller.worker.playing()


def greeting_of(exchange: Exchange, worker: Worker, busy: bool = False) -> str:
    """What somebody hears who calls 1002."""
    phone, answered = dialled(exchange, "1002")
    heard = worker.playing()
    phone.within(answered, "BYE")
    exchange.wait(60)
    return heard


def test_a_greeting_is_recorded_heard_by_callers_and_erased(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    assert bob.press("4321#") == "prompt:voicemail-empty:en"
    assert bob.wait() == "prompt:voicemail-main:en"
    assert bob.press("0") == "prompt:greeting-states:en"
    assert bob.press("2") == "prompt:greeting-menu:en"
    assert bob.press("1") == "prompt:voicemail-away:en", "that is what callers hear now"
    assert bob.wait() == "prompt:greeting-menu:en"
    assert record(bob) == "prompt:greeting-kept:en"
    assert types(exchange) == ["opened", "recording_begun", "greeting_kept"]
    assert bob.wait() == "prompt:greeting-menu:en"
    played = bob.press("1")
    assert Path(played).parent == tmp_path / "spool"
    bob.hang_up()
    bob.phone.register(expires_s=0)
    exchange.take(BOB)
    assert greeting_of(exchange, worker) == played
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    assert bob.press("4321#0") == "prompt:greeting-states:en"
    assert bob.press("23") == "prompt:greeting-erased:en"
    exchange.deliver()
    assert types(exchange)[3:] == ["greeting_removed", "message_erased", "closed"]
    assert not [one for one in tmp_path.rglob("*") if one.is_file()], "nothing is left of it"
    assert bob.press("*") == "prompt:greeting-states:en"
    assert bob.press("*") == "prompt:voicemail-empty:en"
    bob.hang_up()
    bob.phone.register(expires_s=0)
    exchange.take(BOB)
    assert greeting_of(exchange, worker) == "prompt:voicemail-away:en"


def test_another_greeting_takes_the_place_of_the_first(exchange: Exchange, worker: Worker) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    assert bob.press("4321#01") == "prompt:greeting-menu:en"
    record(bob)
    bob.wait()
    record(bob, SAID[:32_000])
    exchange.deliver()
    assert types(exchange)[3:] == ["recording_begun", "greeting_kept", "greeting_removed", "message_erased"]
    kept = mailbox(exchange)
    assert kept is not None
    assert (kept.greetings["busy"].duration_ms, len(kept.messages)) == (2000, 1)


def test_who_says_nothing_keeps_the_greeting_that_there_was(exchange: Exchange, worker: Worker) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    bob.press("4321#02")
    assert record(bob) == "prompt:greeting-kept:en"
    bob.wait()
    assert record(bob, SAID[:8000]) == "prompt:greeting-short:en"
    kept = mailbox(exchange)
    assert kept is not None
    assert kept.greetings["away"].duration_ms == 3000


def test_who_hangs_up_has_recorded_its_greeting(exchange: Exchange, worker: Worker) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    bob.press("4321#02")
    bob.press("2")
    bob.press("#")
    assert bob.wait() == ""
    (name,) = worker.has
    recording = worker.write(SAID)
    bob.hang_up()
    worker.close(recording, name)
    exchange.deliver()
    assert types(exchange)[2:] == ["greeting_kept"]


def test_a_greeting_that_is_ended_before_the_journal_has_its_beginning_is_not_recorded(
    exchange: Exchange, worker: Worker
) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    bob.press("4321#022#")
    exchange.journal.held = True
    bob.wait()
    assert bob.press("#") == ""
    exchange.journal.held = False
    exchange.journal.commit()
    exchange.deliver()
    assert worker.context().records == ()


def test_nobody_greets_for_ever(exchange: Exchange, worker: Worker) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    bob.press("4321#02")
    bob.press("2")
    bob.press("#")
    bob.wait()
    worker.write(SAID)
    exchange.wait(119)
    assert worker.context().records
    exchange.wait(2)
    assert worker.context().records == ()
    exchange.wait(6)
    assert worker.playing() == "prompt:greeting-kept:en", "also if no worker says that the file is closed"


def test_a_greeting_that_was_being_recorded_when_the_server_died_is_what_there_is_of_it(
    worker: Worker, clerk: Clerk
) -> None:
    journal = HeldJournal()
    before = Exchange(journal, media=worker, directory=boxed, clerk=clerk)
    bob = Caller(before, worker, "*97", "1002", BOB)
    bob.press("4321#02")
    bob.press("2")
    bob.press("#")
    bob.wait()
    worker.write(SAID)
    after = Exchange(journal, epoch=2, start_s=before.clock_s + 1, media=worker, directory=boxed, clerk=clerk)
    assert worker.playing() == "prompt:voicemail-pin:en", "the visit begins again"
    after.wait(6)
    after.deliver()
    assert types(after)[2:] == ["greeting_kept"]


def test_a_greeting_that_cannot_be_had_is_spoken(exchange: Exchange, worker: Worker, tmp_path: Path) -> None:
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    bob.press("4321#02")
    record(bob)
    bob.hang_up()
    bob.phone.register(expires_s=0)
    exchange.take(BOB)
    for one in [*(tmp_path / "storage").rglob("*"), *(tmp_path / "spool").rglob("*")]:
        if one.is_file():
            one.unlink()
    assert greeting_of(exchange, worker) == "prompt:voicemail-away:en"


def test_a_key_in_the_place_of_a_pin_asks_for_another_mailbox(worker: Worker, clerk: Clerk) -> None:
    exchange = Exchange(media=worker, directory=others, clerk=clerk)
    leave(exchange, worker)
    carol = Caller(exchange, worker, "*97", "1003", CAROL)
    assert worker.playing() == "prompt:voicemail-pin:en"
    assert carol.press("*") == "prompt:voicemail-number:en"
    assert carol.press("1002#") == "prompt:voicemail-pin:en"
    assert carol.press("999#") == "prompt:pin-wrong:en", "that is the PIN of her own one"
    assert carol.press("4321#") == "prompt:voicemail-new:en:1"


def test_who_has_no_mailbox_is_asked_for_one(worker: Worker, clerk: Clerk) -> None:
    exchange = Exchange(media=worker, directory=others, clerk=clerk)
    leave(exchange, worker)
    alice = Caller(exchange, worker, "*97", "1001", ALICE)
    assert worker.playing() == "prompt:voicemail-number:en"
    alice.press("1002#")
    assert alice.press("4321#") == "prompt:voicemail-new:en:1"


def test_a_mailbox_is_dialled_behind_the_number_for_messages(worker: Worker, clerk: Clerk) -> None:
    """It is somebody else's, so that the PIN is asked for even if its own phones are not."""
    known = others()
    pinless = {**known.boxes, NAME: msgspec.structs.replace(BOX, pinless=True)}
    exchange = Exchange(media=worker, directory=lambda: msgspec.structs.replace(known, boxes=pinless), clerk=clerk)
    leave(exchange, worker)
    own = Caller(exchange, worker, "*97", "1002", BOB)
    assert worker.playing() == "prompt:voicemail-new:en:1"
    own.hang_up()
    alice = Caller(exchange, worker, "*971002", "1001", ALICE)
    assert worker.playing() == "prompt:voicemail-pin:en"
    assert alice.press("4321#") == "prompt:voicemail-new:en:1"
    alice.hang_up()
    alice.phone.invite("*971777", call_id="nobody's")
    refused = exchange.last(ALICE)
    assert isinstance(refused, Response)
    assert refused.status == 404


def test_guessers_do_not_shut_out_whose_mailbox_it_is(worker: Worker, clerk: Clerk) -> None:
    exchange = Exchange(media=worker, directory=others, clerk=clerk)
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    assert bob.press("4321#") == "prompt:voicemail-empty:en"
    bob.hang_up()
    for wrong in (3, 3, 3, 1):
        carol = Caller(exchange, worker, "*971002", "1003", CAROL)
        carol.press("111#" * wrong)
        carol.hang_up()
    carol.phone.invite("*971002", call_id="once-more")
    refused = exchange.last(CAROL)
    assert isinstance(refused, Response)
    assert refused.status == 403
    bob = Caller(exchange, worker, "*97", "1002", BOB)
    assert bob.press("4321#") == "prompt:voicemail-empty:en"


def test_without_the_pin_nobody_hears_anything(exchange: Exchange, worker: Worker) -> None:
    leave(exchange, worker)
    dialled(exchange, "*97", "1002", BOB)
    (name,) = worker.has
    (leg,) = worker.context().legs
    worker.press(leg.id, "1#2#3#", name)
    assert worker.playing() == "prompt:goodbye:en"
    worker.end_sound()
    assert methods(exchange.take(BOB))[-1:] == ["BYE"]
    assert types(exchange) == ["opened", "recording_begun", "message_left"], "who is wrong writes nothing"


def again(phone: Phone) -> Response:
    """How another call for messages is answered."""
    phone.invite("*97", call_id=f"call-{phone.cseq}")
    answered = next(one for one in reversed(phone.exchange.take(BOB)) if isinstance(one, Response))
    phone.within(answered, "ACK")
    return answered


def test_the_pin_of_a_mailbox_is_not_guessed_over_many_calls(exchange: Exchange, worker: Worker) -> None:
    leave(exchange, worker)
    phone = Phone(exchange, "1002", BOB)
    phone.register()
    exchange.take(BOB)
    for wrong in (3, 3, 3, 1):
        answered = again(phone)
        (name,) = worker.has
        (leg,) = worker.context().legs
        worker.press(leg.id, "111#" * wrong, name)
        if wrong == 3:
            worker.end_sound()
        else:
            worker.press(leg.id, "4321#", name)
            assert worker.playing() == "prompt:goodbye:en", "right or wrong"
            phone.within(answered, "BYE")
    exchange.take(BOB)
    assert again(phone).status == 403, "it is not even answered"
    exchange.wait(3_600)
    phone.register()
    again(phone)
    (name,) = worker.has
    (leg,) = worker.context().legs
    worker.press(leg.id, "4321#", name)
    assert worker.playing() == "prompt:voicemail-new:en:1"
