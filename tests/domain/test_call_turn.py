"""The flows of a call, one decision after the other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.call.call import Call, CallState
from domain.call.effect import (
    Accept,
    Acknowledge,
    Cancel,
    Conclude,
    Dial,
    Effect,
    HangUp,
    Proceed,
    Refuse,
    Reoffer,
    Ring,
)
from domain.call.input import (
    Abandoned,
    Answered,
    DeadlineReached,
    Failed,
    HungUp,
    Input,
    Progressed,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    Unacknowledged,
)
from domain.call.leg import CSEQ_JUMP
from domain.call.resume import Deadline, deadlines, outstanding
from domain.call.turn import World, take_turn
from domain.ids import leg_id
from domain.values import ANSWERED_ELSEWHERE, DIRECT, Cause, MediaPolicy
from tests.domain.world import START, new_call, offer, remote, request, seconds, world

BUSY = Cause(486, 17, "Busy Here")


class Table:
    """Plays one call and remembers what was said last."""

    def __init__(self, bindings: int = 1, dialled: str = "1002", media: MediaPolicy = DIRECT, **asked: Any) -> None:
        """`media` is what 1002 has; `asked` are other fields of the offer."""
        self.world: World = world(bindings, media=media)
        self.now = START
        first = msgspec.structs.replace(offer(new_call(), dialled), **asked)
        turn = take_turn(None, first, self.world, self.now)
        assert turn.call is not None
        self.call: Call = turn.call
        self.events, self.effects = turn.events, turn.effects

    def leg(self, index: int) -> str:
        return leg_id(self.call.id, index)

    def play(self, inp: Input, wait_s: float = 1.0) -> tuple[Effect, ...]:
        self.now += seconds(wait_s)
        turn = take_turn(self.call, inp, self.world, self.now)
        self.events, self.effects = turn.events, turn.effects
        return turn.effects

    def ring(self, index: int = 1, sdp: str = "") -> tuple[Effect, ...]:
        leg = self.leg(index)
        return self.play(Progressed("r", "x", leg, remote(self.call.legs[leg].dialog), sdp, "ua"))

    def answer(self, index: int = 1) -> tuple[Effect, ...]:
        leg = self.leg(index)
        return self.play(Answered("a", "x", leg, remote(self.call.legs[leg].dialog), "v=0 bob", "ua"))

    def kinds(self) -> list[type[Effect]]:
        return [type(effect) for effect in self.effects]

    def types(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def test_a_plain_call_is_six_events_in_four_turns() -> None:
    table = Table()
    types = table.types()
    assert table.kinds() == [Proceed, Dial]
    table.ring()
    types += table.types()
    assert table.kinds() == [Ring]
    table.answer()
    types += table.types()
    assert table.kinds() == [Accept, Acknowledge]
    table.play(HungUp("b", "x", table.leg(1), request("BYE", "bye")))
    types += table.types()
    assert table.kinds() == [Conclude, HangUp]
    assert types == ["Offered", "Routed", "LegsDialed", "LegRinging", "Connected", "Ended"]
    ended = table.events[-1]
    assert isinstance(ended, Call.Ended)
    assert (ended.by, ended.outcome, ended.why.q850) == ("callee", "answered", 16)


def test_the_answer_goes_to_the_early_dialog_of_the_leg_that_took_the_call() -> None:
    table = Table(bindings=2)
    table.ring(2, "early")
    (ring,) = table.effects
    assert isinstance(ring, Ring)
    assert (ring.tag, ring.sdp) == (table.call.legs[table.leg(2)].dialog.local_tag, "early")
    table.answer(2)
    accept = table.effects[0]
    assert isinstance(accept, Accept)
    assert accept.tag == ring.tag


def test_the_first_answer_takes_the_call_and_the_others_are_cancelled() -> None:
    table = Table(bindings=3)
    table.ring(1)
    table.answer(2)
    cancels = [effect for effect in table.effects if isinstance(effect, Cancel)]
    assert [cancel.leg for cancel in cancels] == [table.leg(1), table.leg(3)]
    assert all(cancel.why == ANSWERED_ELSEWHERE for cancel in cancels)


def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    table = Table(bindings=2)
    table.answer(1)
    table.answer(2)
    assert table.types() == ["LegHungUp"]
    assert table.kinds() == [Acknowledge, HangUp]
    assert table.call.state is CallState.TALKING
    assert table.answer(2) == ()


def test_an_answer_after_the_caller_gave_up_is_acknowledged_and_ended() -> None:
    table = Table()
    table.play(Abandoned("c", "x", table.leg(0)))
    assert table.kinds() == [Refuse, Cancel]
    table.answer(1)
    assert table.kinds() == [Acknowledge, HangUp]


@pytest.mark.parametrize(
    ("why", "outcome", "by"),
    [
        (BUSY, "busy", "callee"),
        (Cause(603, 21, "Decline"), "rejected", "callee"),
        (Cause(404, 1, ""), "failed", "system"),
    ],
)
def test_when_the_last_leg_fails_the_caller_hears_why(why: Cause, outcome: str, by: str) -> None:
    table = Table()
    table.play(Failed("f", "x", table.leg(1), why))
    ended = table.events[-1]
    assert isinstance(ended, Call.Ended)
    assert (ended.outcome, ended.by, ended.why) == (outcome, by, why)
    assert table.kinds() == [Refuse]


def test_one_busy_device_of_two_does_not_end_the_call_but_a_6xx_does() -> None:
    table = Table(bindings=2)
    table.play(Failed("f", "x", table.leg(1), BUSY))
    assert table.types() == ["LegsFailed"]
    assert table.effects == ()
    table = Table(bindings=2)
    table.play(Failed("f", "x", table.leg(1), Cause(603, 21, "Decline")))
    assert table.kinds() == [Refuse, Cancel]


@pytest.mark.parametrize(("dialled", "status"), [("4711", 404), ("1003", 480)])
def test_an_unknown_number_and_an_unregistered_one_are_refused(dialled: str, status: int) -> None:
    table = Table(dialled=dialled)
    assert table.types() == ["Offered", "Routed", "Ended"]
    (refuse,) = table.effects
    assert isinstance(refuse, Refuse)
    assert refuse.why.sip_status == status


def test_nobody_answers() -> None:
    table = Table()
    table.ring()
    assert deadlines(table.call) == (Deadline("no_answer", START + seconds(20)),)
    table.play(DeadlineReached("d", "system", "no_answer"), 19)
    ended = table.events[-1]
    assert isinstance(ended, Call.Ended)
    assert ended.outcome == "no_answer"
    assert table.kinds() == [Refuse, Cancel]


def test_hold_and_resume_travel_to_the_other_side_and_back() -> None:
    table = Table()
    table.answer()
    hold = request("INVITE", "hold", 2)
    table.play(Reoffered("h", "x", table.leg(0), hold, "sip:new@h", "v=0 hold", "sendonly"))
    assert table.kinds() == [Proceed, Reoffer]
    reoffer = table.effects[1]
    assert isinstance(reoffer, Reoffer)
    assert (reoffer.sdp, reoffer.dialog.local_cseq) == ("v=0 hold", 2)
    table.play(ReofferAccepted("h", "x", table.leg(1), 2, "sip:b@h", "v=0 held"))
    assert table.kinds() == [Accept, Acknowledge]
    assert table.call.held_by == {table.leg(0)}
    assert table.call.legs[table.leg(0)].dialog.remote_target == "sip:new@h"
    table.play(Reoffered("h", "x", table.leg(0), request("INVITE", "r", 3), "sip:new@h", "v=0", "sendrecv"))
    table.play(ReofferAccepted("h", "x", table.leg(1), 3, "sip:b@h", "v=0"))
    assert table.call.held_by == frozenset()


def test_a_refused_offer_leaves_the_call_as_it_was_unless_the_other_side_lost_it() -> None:
    table = Table()
    table.answer()
    table.play(Reoffered("h", "x", table.leg(1), request("INVITE", "h", 2), "sip:b@h", "v=0", "sendonly"))
    number = table.call.caller.dialog.local_cseq
    table.play(ReofferRefused("h", "x", table.leg(0), number, Cause(488, 65, "")))
    assert (table.kinds(), table.call.state) == ([Refuse], CallState.TALKING)
    table.play(Reoffered("h", "x", table.leg(1), request("INVITE", "i", 3), "sip:b@h", "v=0", "sendonly"))
    table.play(ReofferRefused("h", "x", table.leg(0), number, Cause(481, 41, "")))
    assert table.types() == [], "that was the refusal of the former offer, once more"
    table.play(ReofferRefused("h", "x", table.leg(0), number + 1, Cause(481, 41, "")))
    assert table.call.state is CallState.ENDED
    assert table.kinds() == [Refuse, HangUp, HangUp]


def test_a_hang_up_during_a_change_of_media_answers_that_too() -> None:
    table = Table()
    table.answer()
    table.play(Reoffered("h", "x", table.leg(0), request("INVITE", "h", 2), "sip:a@h", "v=0", "sendonly"))
    table.play(HungUp("b", "x", table.leg(1), request("BYE", "bye")))
    assert table.kinds() == [Conclude, Refuse, HangUp]


def test_glare_makes_no_event() -> None:
    table = Table()
    table.answer()
    table.play(Reoffered("h", "x", table.leg(0), request("INVITE", "h", 2), "sip:a@h", "v=0", "sendonly"))
    table.play(Reoffered("h", "x", table.leg(1), request("INVITE", "g", 2), "sip:b@h", "v=0", "sendonly"))
    assert table.events == ()


def test_an_answer_that_is_never_acknowledged_ends_the_call_as_lost() -> None:
    table = Table()
    table.answer()
    table.play(Unacknowledged("u", "x", table.leg(0)))
    ended = table.events[-1]
    assert isinstance(ended, Call.Ended)
    assert ended.outcome == "lost"
    assert table.kinds() == [HangUp, HangUp]


def test_after_a_take_over_the_cseq_jumps() -> None:
    table = Table()
    table.answer()
    table.world = world(epoch=2)
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye")))
    bye = table.effects[1]
    assert isinstance(bye, HangUp)
    assert bye.dialog.local_cseq == 1 + CSEQ_JUMP


def test_what_is_owed_ends_64_t1_after_the_answer_and_after_the_end() -> None:
    table = Table()
    table.answer()
    assert outstanding(table.call, table.now + seconds(31)) != ()
    assert outstanding(table.call, table.now + seconds(32)) == ()
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye")), 100)
    assert len(outstanding(table.call, table.now + seconds(31))) == 2
    assert outstanding(table.call, table.now + seconds(32)) == ()
