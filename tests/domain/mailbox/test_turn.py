"""Mailboxes: what becomes of messages, and the laws of any history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode, encode
from domain.catalog import CATEGORIES, topic
from domain.ids import shard_of, shard_of_registration
from domain.mailbox.input import Begin, Delete, Drop, Erase, Expire, GiveUpMail, Greet, Hear, Keep, Mail, Renew
from domain.mailbox.mailbox import live_until
from domain.mailbox.turn import expired, fold, is_full
from tests.domain.mailbox.letters import BOX, LEFT, STREAM, Letters
from tests.domain.world import START, seconds


def test_the_first_message_opens_and_the_last_erasure_closes() -> None:
    letters = Letters()
    assert letters.play(Begin, "a", "1001", "Alice", "sealed") == ["Opened", "RecordingBegun"]
    assert letters.play(Begin, "a", "1001", "Alice", "sealed") == [], "said again after a restart"
    assert letters.play(Keep, "a", *LEFT) == ["MessageLeft"]
    assert letters.play(Keep, "a", *LEFT) == []
    assert letters.play(Delete, "a") == ["MessageDeleted"]
    assert letters.play(Delete, "a") == []
    assert letters.play(Hear, "a") == [], "nobody hears what is deleted"
    assert letters.mailbox is not None
    assert live_until(letters.mailbox) is None, "its file is still to be erased"
    assert letters.play(Erase, "a") == ["MessageErased", "Closed"]
    assert live_until(letters.mailbox) == START.timestamp()


def test_a_greeting_is_no_message_and_replaces_the_one_before() -> None:
    letters = Letters()
    assert letters.play(Begin, "g", "1002", "Bob", "sealed", "busy") == ["Opened", "RecordingBegun"]
    assert letters.play(Keep, "g", *LEFT) == ["GreetingKept"]
    assert letters.mailbox is not None
    assert letters.mailbox.counts == (0, 0)
    assert letters.mailbox.greetings["busy"].id == "g"
    uploaded = ("busy", "sealed", "acme/voicemail/h", "11" * 32, 4000)
    assert letters.play(Greet, "h", *uploaded) == ["RecordingBegun", "GreetingKept", "GreetingRemoved"]
    assert letters.play(Greet, "h", *uploaded) == [], "said again after a restart"
    assert letters.mailbox.greetings["busy"].id == "h"
    assert letters.play(Erase, "g") == ["MessageErased"]
    for wish in (Hear, Renew, Mail):
        assert letters.play(wish, "h") == []
    letters.now += timedelta(days=400)
    assert expired(letters.mailbox, BOX, letters.now) == (), "it is kept for ever"
    assert letters.play(Begin, "i", "1002", "Bob", "sealed", "away") == ["RecordingBegun"]
    assert letters.play(Drop, "i", "nothing was said") == ["RecordingDropped"]
    assert letters.play(Delete, "h") == ["GreetingRemoved"]
    assert letters.play(Delete, "h") == []
    assert letters.play(Erase, "h") == ["MessageErased", "Closed"]


def test_a_recording_of_the_first_version_is_of_a_message() -> None:
    letters = Letters()
    letters.play(Begin, "a", "1001", "Alice", "sealed")
    stored = encode(letters.events[-1]).replace(b',"greeting":""', b"")
    assert b"greeting" not in stored
    assert decode("mailbox.recording_begun.1", stored) == letters.events[-1]


def test_greetings_take_no_room() -> None:
    letters = Letters()
    for name in "gh":
        letters.play(Begin, name, "1002", "Bob", "sealed", "busy" if name == "g" else "away")
        letters.play(Keep, name, *LEFT)
    assert letters.leave("a")
    assert letters.leave("b")
    assert is_full(letters.mailbox, BOX)
    assert letters.play(Begin, "i", "1002", "Bob", "sealed", "none") == ["RecordingBegun"], "also into a full one"


def test_new_messages_come_first_and_are_counted() -> None:
    letters = Letters()
    letters.leave("a")
    letters.leave("b")
    assert letters.mailbox is not None
    assert letters.mailbox.counts == (2, 0)
    assert letters.play(Hear, "a") == ["MessageHeard"]
    assert (letters.mailbox.counts, [one.id for one in letters.mailbox.there]) == ((1, 1), ["b", "a"])
    assert letters.play(Renew, "a") == ["MessageRenewed"]
    assert letters.mailbox.counts == (2, 0)


def test_a_full_mailbox_takes_no_more() -> None:
    letters = Letters()
    letters.leave("a")
    letters.play(Begin, "b", "1001", "Alice", "sealed")
    assert is_full(letters.mailbox, BOX), "one that is being left counts"
    assert letters.play(Begin, "c", "1003", "Carol", "sealed") == []
    letters.play(Delete, "a")
    assert letters.play(Begin, "c", "1003", "Carol", "sealed") == ["RecordingBegun"]


def test_what_is_nothing_is_dropped() -> None:
    letters = Letters()
    letters.play(Begin, "a", "1001", "Alice", "sealed")
    assert letters.play(Drop, "a", "nothing was said") == ["RecordingDropped", "Closed"]


def test_a_mail_is_owed_once() -> None:
    letters = Letters()
    letters.leave("a")
    assert letters.mailbox is not None
    assert letters.mailbox.messages["a"].mail
    assert letters.play(Mail, "a") == ["MessageMailed"]
    assert letters.play(Mail, "a") == []
    assert letters.play(GiveUpMail, "a", "x") == []
    quiet = Letters(msgspec.structs.replace(BOX, email=""))
    quiet.leave("a")
    assert quiet.play(Mail, "a") == [], "nobody is to be told"


def test_messages_are_kept_for_so_many_days() -> None:
    letters = Letters()
    letters.leave("a")
    letters.now += timedelta(hours=1)
    letters.leave("b")
    assert letters.mailbox is not None
    over = START + timedelta(days=7)
    assert expired(letters.mailbox, BOX, over - timedelta(seconds=1)) == ()
    assert expired(letters.mailbox, BOX, over) == ("a",)
    assert expired(letters.mailbox, BOX, over + timedelta(hours=1)) == ("a", "b")
    assert expired(letters.mailbox, msgspec.structs.replace(BOX, keep_days=0), over + timedelta(hours=1)) == ()
    assert letters.play(Expire, "a") == ["MessageDeleted"]
    assert expired(letters.mailbox, BOX, over) == ()


def test_a_mailbox_is_where_its_phones_are_bound() -> None:
    assert shard_of(STREAM) == shard_of_registration("acme", "1002")


_NAMES = st.sampled_from("abc")
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(Begin), _NAMES, st.just("1001"), st.just("Alice"), st.just("sealed")),
        st.tuples(st.just(Keep), _NAMES, *map(st.just, LEFT)),
        st.tuples(st.sampled_from([Drop, GiveUpMail]), _NAMES, st.just("why")),
        st.tuples(st.sampled_from([Hear, Renew, Delete, Expire, Erase, Mail]), _NAMES),
    ),
    max_size=40,
)


@given(_STEPS)
def test_the_laws_of_every_history(steps: list[tuple[Any, ...]]) -> None:
    letters = Letters()
    for kind, *fields in steps:
        if letters.mailbox is not None and letters.mailbox.closed_at is not None:
            break
        letters.now += seconds(1)
        letters.play(kind, *fields)
    assert [event.originator_version for event in letters.events] == list(range(1, len(letters.events) + 1))
    mailbox = letters.mailbox
    if mailbox is None:
        return
    assert (mailbox.closed_at is not None) == (not mailbox.messages)
    assert sum(not one.deleted for one in mailbox.messages.values()) <= BOX.messages
    assert all(one.file for one in mailbox.messages.values() if one.deleted or one.heard or one.mail)
    again = fold(None, tuple(decode(topic(type(event)), encode(event)) for event in letters.events))
    assert again is not None
    assert again.messages == mailbox.messages
    assert {CATEGORIES[topic(type(event))] for event in letters.events} == {"mailboxes"}
