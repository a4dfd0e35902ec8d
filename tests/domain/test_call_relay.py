"""What passes through a call without changing it, and a party that is gone, one decision after the other."""

from __future__ import annotations

import pytest

from domain.call.call import Call, CallState
from domain.call.effect import HangUp
from domain.call.input import HungUp, PassedOn, Reoffered, Vanished
from domain.call.leg import CSEQ_JUMP
from domain.call.resume import outstanding
from domain.values import Cause
from tests.domain.test_call_turn import Table
from tests.domain.world import request, world

GONE = Cause(481, 41, "no such call")


def test_a_request_takes_the_next_number_and_owes_nothing() -> None:
    table = Table()
    table.answer()
    owed = outstanding(table.call, table.now)
    table.play(PassedOn("i", "x", table.leg(0), "INFO", 7), 0)
    table.play(PassedOn("j", "x", table.leg(0), "INFO", 8), 0)
    assert table.types() == ["RequestSent"]
    assert not table.effects
    assert outstanding(table.call, table.now) == owed, "the ACK that may be owed again keeps its number"
    assert table.call.legs[table.leg(0)].last_heard == 8
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye", 9)))
    (bye,) = [effect for effect in table.effects if isinstance(effect, HangUp)]
    assert bye.dialog.local_cseq == 4


def test_after_a_take_over_the_number_jumps_past_relays_too() -> None:
    table = Table()
    table.answer()
    table.play(PassedOn("i", "x", table.leg(0), "INFO", 7))
    table.world = world(epoch=2)
    for expected in (2 + CSEQ_JUMP, 3 + CSEQ_JUMP):
        table.play(PassedOn("j", "x", table.leg(0), "INFO", expected))
        (sent,) = table.events
        assert isinstance(sent, Call.RequestSent)
        assert sent.cseq == expected


@pytest.mark.parametrize("renegotiating", [False, True])
@pytest.mark.parametrize("index", [0, 1])
def test_who_is_gone_ends_the_call_as_lost_with_what_was_seen(index: int, renegotiating: bool) -> None:
    table = Table()
    table.answer()
    if renegotiating:
        table.play(Reoffered("h", "x", table.leg(0), request("INVITE", "h", 2), "sip:a@h", "v=0", "sendonly"))
    table.play(Vanished("v", "x", table.leg(index), GONE))
    ended = table.events[-1]
    assert isinstance(ended, Call.Ended)
    assert (ended.outcome, ended.by, ended.why, ended.leg) == ("lost", "system", GONE, table.leg(index))
    assert table.call.state is CallState.ENDED
    assert table.kinds().count(HangUp) == 2


def test_a_leg_that_does_not_talk_passes_nothing_on_and_cannot_vanish() -> None:
    table = Table(bindings=2)
    table.answer(1)
    assert table.play(PassedOn("i", "x", table.leg(2), "INFO", 7)) == ()
    assert table.play(Vanished("v", "x", table.leg(2), GONE)) == ()
    assert table.events == ()
