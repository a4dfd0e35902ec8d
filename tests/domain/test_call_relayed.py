"""Calls of which the media go through us, one decision after the other."""

from __future__ import annotations

import msgspec
import pytest

from domain.call.call import Call, CallState
from domain.call.effect import Cancel, CloseRelay, Dial, OpenRelay, Relay
from domain.call.input import Abandoned, DeadlineReached, RelayFailed, RelayOpened
from domain.call.relay import RelayPlace
from domain.call.resume import deadlines, outstanding
from domain.call.resume_relay import NO_RELAY
from domain.call.turn import decide
from domain.values import DIRECT, NO_MEDIA_WORKER, Cause, MediaPolicy
from tests.domain.test_call_turn import Table
from tests.domain.world import contact, new_call, offer, seconds, world

PLACE = RelayPlace(20000, 20002, "sealed")
WHY = Cause(488, 65, "nothing fits")


ASKED = MediaPolicy(relayed=True)


def test_nobody_is_dialled_before_our_ends_are_open() -> None:
    table = Table(media=ASKED)
    assert table.kinds().count(Dial) == 0
    assert table.kinds().count(OpenRelay) == 1
    table.play(RelayOpened("o", "media", PLACE))
    assert table.types() == ["MediaRelayed"]
    assert table.kinds() == [Relay, Dial]
    assert table.play(RelayOpened("o", "media", RelayPlace(1, 2, "other"))) == ()


@pytest.mark.parametrize(
    ("media", "encrypted", "sdp", "why"),
    [
        (DIRECT, False, "v=0", ""),
        (MediaPolicy(relayed=True), False, "v=0", "asked"),
        (MediaPolicy(srtp=True), False, "v=0", "encryption"),
        (MediaPolicy(srtp=True), True, "v=0", ""),
        (MediaPolicy(srtp=False), True, "v=0", "encryption"),
        (MediaPolicy(srtp=False), False, "v=0", ""),
        (MediaPolicy(srtp=True), False, "", ""),
        (MediaPolicy(recording="always", srtp=True), False, "v=0", "recording"),
        (MediaPolicy(recording="on_demand"), False, "v=0", "recording"),
        (MediaPolicy(recording="on_demand", keys=False), False, "v=0", ""),
        (MediaPolicy(recording="on_demand", keys=False, relayed=True), False, "v=0", "asked"),
        (MediaPolicy(recording="always", keys=False), False, "v=0", "recording"),
    ],
)
def test_why_media_go_through_us(media: MediaPolicy, encrypted: bool, sdp: str, why: str) -> None:
    table = Table(media=media, encrypted=encrypted, sdp=sdp)
    found = [event for event in table.events if isinstance(event, Call.RelayRequested)]
    assert [event.why for event in found] == ([why] if why else [])


def test_the_callers_extension_may_ask_for_it_too() -> None:
    table = Table(dialled="1003")
    table.world = world(1, media=ASKED)._replace(contacts=lambda tenant, number: (contact(number, 7000),))
    inp = msgspec.structs.replace(offer(new_call(), "1003"), extension="1002")
    types = [type(event) for event in decide(None, inp, table.world, table.now)]
    assert Call.RelayRequested in types


def test_without_ends_in_time_the_call_fails_and_no_offer_is_taken_back() -> None:
    table = Table(media=ASKED)
    due = [one for one in deadlines(table.call) if one.kind == NO_RELAY]
    assert [one.at for one in due] == [table.now + seconds(5)]
    table.play(DeadlineReached("d", "system", NO_RELAY))
    (ended,) = table.events
    assert isinstance(ended, Call.Ended)
    assert ended.why == NO_MEDIA_WORKER
    assert Cancel not in table.kinds()
    assert CloseRelay in table.kinds()


def test_a_caller_that_gives_up_before_takes_no_offer_back() -> None:
    table = Table(media=ASKED)
    table.play(Abandoned("c", "x", table.leg(0)))
    assert table.call.state is CallState.ENDED
    assert Cancel not in table.kinds()


def test_once_they_are_open_the_deadline_is_over() -> None:
    table = Table(media=ASKED)
    table.play(RelayOpened("o", "media", PLACE))
    assert [one.kind for one in deadlines(table.call)] == ["no_answer"]
    assert table.play(DeadlineReached("d", "system", NO_RELAY)) == ()


def test_both_parties_words_go_to_the_media_and_come_to_an_end() -> None:
    table = Table(media=ASKED)
    table.play(RelayOpened("o", "media", PLACE))
    table.answer()
    (effect,) = [one for one in outstanding(table.call, table.now) if isinstance(one, Relay)]
    assert (effect.place, effect.caller, effect.callee) == (PLACE, "v=0 alice", table.call.callee.sdp)
    (connected,) = table.events
    assert isinstance(connected, Call.Connected)
    assert connected.media == "relayed"
    table.play(RelayFailed("f", "media", WHY))
    assert table.call.end_cause == WHY
    assert [kind for kind in table.kinds() if kind in (Relay, CloseRelay)] == [CloseRelay]


def test_a_call_that_is_not_relayed_takes_no_word_of_it() -> None:
    table = Table()
    assert table.play(RelayOpened("o", "media", PLACE)) == ()
    assert table.play(RelayFailed("f", "media", WHY)) == ()
