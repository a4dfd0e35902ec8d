"""A call to a room: its callee leg ends at our own media, and all else is as in any other call."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from domain.call.call import Call, CallState
from domain.call.effect import Accept, Acknowledge, Conclude, Dial, HangUp, Mix, Proceed, Reoffer
from domain.call.input import (
    Answered,
    AnswerGiven,
    DeadlineReached,
    Failed,
    HungUp,
    Released,
    ReofferAccepted,
    Reoffered,
)
from domain.call.resume import outstanding
from domain.call.turn import take_turn
from domain.values import MEDIA, NO_MEDIA_WORKER, ROOM, Ability, Cause, Venue
from tests.domain.test_call_turn import Table
from tests.domain.world import new_call, offer, request, seconds, world

VENUE = Venue(ROOM, "7000")
EXPELLED = Cause(403, 21, "expelled")


def answered(table: Table, sdp: str = "v=0 ours") -> Answered:
    leg = table.leg(1)
    dialog = msgspec.structs.replace(table.call.legs[leg].dialog, remote_tag="media")
    return Answered("a", "media", leg, dialog, sdp, "", Ability(updates=True))


def talking() -> Table:
    table = Table(dialled="7000")
    table.play(answered(table))
    return table


def test_the_room_is_dialled_as_a_device_is_and_nobody_refreshes_it() -> None:
    table = Table(bindings=0, dialled="7000")
    dial = next(effect for effect in table.effects if isinstance(effect, Dial))
    leg = table.call.legs[table.leg(1)]
    assert table.kinds() == [Proceed, Dial]
    assert (dial.dialog.flow, dial.sdp, leg.media, leg.number) == (MEDIA, "v=0 alice", True, "7000")
    assert (table.call.venue, table.call.caller.media) == (VENUE, False)
    assert leg.terms.interval_s == 0


def test_its_answer_joins_the_caller_with_the_others() -> None:
    table = talking()
    mix = Mix(table.leg(1), VENUE, "v=0 alice", "v=0 ours")
    assert table.kinds() == [Accept, Acknowledge, Mix]
    assert table.effects[-1] == mix
    connected = next(event for event in table.events if isinstance(event, Call.Connected))
    assert connected.media == "mixed"
    assert outstanding(table.call, table.now + seconds(5000)) == (mix,), "for as long as the call goes on"


def test_a_call_of_phones_is_joined_by_nobody() -> None:
    table = Table()
    table.answer()
    assert Mix not in table.kinds()


def test_without_an_offer_it_is_joined_once_the_caller_has_answered_ours() -> None:
    table = Table(dialled="7000")
    turn = take_turn(None, offer(new_call(), "7000", sdp=""), world(), table.now)
    assert turn.call is not None
    table.call = turn.call
    assert Mix not in [type(effect) for effect in table.play(answered(table, "v=0 our offer"))]
    assert table.play(AnswerGiven("k", "x", table.leg(0), "v=0 their answer", "sendrecv")) == (
        Acknowledge(table.leg(1), table.call.callee.invited, "v=0 their answer"),
        Mix(table.leg(1), VENUE, "v=0 their answer", "v=0 our offer"),
    )


def test_a_change_of_media_is_passed_on_and_changes_what_is_mixed() -> None:
    table = talking()
    caller, leg = table.leg(0), table.leg(1)
    offered = Reoffered("o", "x", caller, request("INVITE", "re", 2), "sip:t@h", "v=0 held", "sendonly")
    reoffer = next(effect for effect in table.play(offered) if isinstance(effect, Reoffer))
    assert (reoffer.leg, reoffer.sdp) == (leg, "v=0 held")
    table.play(ReofferAccepted("r", "media", leg, reoffer.dialog.local_cseq, "", "v=0 ours held", "recvonly"))
    assert Mix(leg, VENUE, "v=0 held", "v=0 ours held") in table.effects
    assert table.call.held_by == {caller}


def test_a_prompt_change_is_passed_on_promptly() -> None:
    table = talking()
    update = Reoffered(
        "o", "x", table.leg(0), request("UPDATE", "up", 2), "sip:t@h", "v=0 new", "sendrecv", prompt=True
    )
    (reoffer,) = (effect for effect in table.play(update) if isinstance(effect, Reoffer))
    assert reoffer.prompt


def test_who_hangs_up_leaves_the_room() -> None:
    table = talking()
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye", 2)))
    hang_up = table.effects[-1]
    assert isinstance(hang_up, HangUp)
    assert (table.kinds(), hang_up.leg) == ([Conclude, HangUp], table.leg(1))
    assert Mix not in [type(effect) for effect in outstanding(table.call, table.now)]


def test_our_media_end_a_call_and_the_caller_is_told_why() -> None:
    table = talking()
    table.play(Released("k", "media", table.leg(1), EXPELLED))
    assert [(type(effect), effect.leg) for effect in table.effects][-2:] == [
        (HangUp, table.leg(0)),
        (HangUp, table.leg(1)),
    ]
    ended = next(event for event in table.events if isinstance(event, Call.Ended))
    assert (ended.by, ended.outcome, ended.why) == ("system", "answered", EXPELLED)


@pytest.mark.parametrize("index", [0, 1])
def test_a_phone_is_not_released_by_media(index: int) -> None:
    table = Table()
    table.answer()
    table.play(Released("k", "media", table.leg(index), EXPELLED))
    assert table.events == ()
    assert table.call.state is CallState.TALKING


def test_a_room_that_refuses_is_no_callee() -> None:
    table = Table(dialled="7000")
    table.play(Failed("f", "media", table.leg(1), Cause(403, 21, "locked")))
    ended = next(event for event in table.events if isinstance(event, Call.Ended))
    assert (ended.by, ended.outcome, ended.why.sip_status) == ("system", "rejected", 403)


def test_a_room_without_a_media_worker_is_no_person_who_did_not_answer() -> None:
    table = Table(dialled="7000")
    table.play(DeadlineReached("d", "system", "no_answer"), wait_s=5)
    ended = next(event for event in table.events if isinstance(event, Call.Ended))
    assert (ended.outcome, ended.why) == ("failed", NO_MEDIA_WORKER)


def test_media_of_former_events_are_rooms() -> None:
    table = Table(dialled="7000")
    (event,) = (event for event in table.events if isinstance(event, Call.LegsDialed))
    former = replace(event, legs=tuple(msgspec.structs.replace(leg, kind="") for leg in event.legs))
    call = None
    for each in table.events:
        call = (former if each is event else each).mutate(call)
    assert isinstance(call, Call)
    assert call.venue == VENUE
