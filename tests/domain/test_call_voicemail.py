"""Calls that nobody answers, and whose caller may leave a message."""

from __future__ import annotations

import msgspec
import pytest

from domain.call.call import CallState
from domain.call.effect import Cancel, Dial, Mix, Refuse
from domain.call.input import Answered, DeadlineReached, Failed, Released
from domain.call.resume import NO_ANSWER_DEADLINE, outstanding
from domain.call.turn import take_turn
from domain.routing.directory import Box
from domain.values import MAILBOX, MESSAGES, NORMAL, Ability, Cause, Venue
from projections.cdr import fold_cdr
from tests.domain.test_call_turn import BUSY, Table
from tests.domain.world import new_call, offer, world

AT_1002 = Venue(MAILBOX, "1002")


class Voiced(Table):
    """1002 has a mailbox; *97 is dialled to hear one's messages, 8000 is a mailbox of nobody."""

    def __init__(self, bindings: int = 1, dialled: str = "1002") -> None:
        super().__init__(bindings)
        known = self.world.directory
        boxes = {("acme", number): Box("acme", number) for number in ("1002", "8000")}
        tenant = msgspec.structs.replace(known.tenants["acme"], voicemail="*97")
        directory = msgspec.structs.replace(known, boxes=boxes, tenants={**known.tenants, "acme": tenant})
        self.world = world(bindings)._replace(directory=directory)
        turn = take_turn(None, offer(new_call(), dialled), self.world, self.now)
        assert turn.call is not None
        self.call, self.events, self.effects = turn.call, turn.events, turn.effects

    def take(self, index: int) -> None:
        """Our media answer."""
        leg = self.leg(index)
        dialog = msgspec.structs.replace(self.call.legs[leg].dialog, remote_tag="media")
        self.play(Answered("a", "media", leg, dialog, "v=0 ours", "", Ability(updates=True)))


@pytest.mark.parametrize(
    ("why", "state"),
    [
        (BUSY, "busy"),
        (Cause(603, 21, "Decline"), "busy"),
        (Cause(480, 19, "no answer"), "away"),
        (Cause(503, 27, "unreachable"), "away"),
    ],
)
def test_who_does_not_take_the_call_gets_a_message(why: Cause, state: str) -> None:
    table = Voiced()
    table.play(Failed("f", "x", table.leg(1), why))
    assert table.types() == ["LegsFailed", "TurnedToMailbox", "LegsDialed"]
    assert (table.call.voicemail.state, table.call.venue) == (state, AT_1002)
    assert [effect.leg for effect in table.effects if isinstance(effect, Dial)] == [table.leg(2)]
    assert table.call.state is CallState.RINGING
    table.take(2)
    assert Mix(table.leg(2), AT_1002, "v=0 alice", "v=0 ours") in table.effects


def test_phones_that_ring_too_long_are_taken_back() -> None:
    table = Voiced(2)
    table.ring(1)
    table.play(DeadlineReached("d", "system", NO_ANSWER_DEADLINE), 20)
    assert table.types() == ["TurnedToMailbox", "LegsDialed"]
    assert sorted(effect.leg for effect in table.effects if isinstance(effect, Cancel)) == [table.leg(1), table.leg(2)]
    table.play(Failed("f", "x", table.leg(1), Cause(487, 16, "cancelled")))
    assert table.types() == []
    table.take(3)
    assert table.call.callee_leg == table.leg(3)
    owed = outstanding(table.call, table.now)
    assert [effect.why.q850 for effect in owed if isinstance(effect, Cancel)] == [19, 19], "nobody took it elsewhere"


def test_who_has_no_phone_gets_a_message() -> None:
    table = Voiced(0)
    assert table.types() == ["Offered", "Routed", "TurnedToMailbox", "LegsDialed"]
    assert (table.call.voicemail.state, table.call.venue) == ("away", AT_1002)


def test_a_caller_that_can_mend_its_call_is_told_so() -> None:
    table = Voiced()
    table.play(Failed("f", "x", table.leg(1), Cause(488, 65, "Not Acceptable Here")))
    assert table.types() == ["LegsFailed", "Ended"]


def test_without_a_mailbox_all_is_as_ever() -> None:
    table = Table()
    table.play(Failed("f", "x", table.leg(1), BUSY))
    assert table.types() == ["LegsFailed", "Ended"]


def test_media_that_do_not_answer_end_the_call_with_what_was_wrong_before() -> None:
    table = Voiced()
    table.play(Failed("f", "x", table.leg(1), BUSY))
    table.play(Failed("f", "media", table.leg(2), Cause(503, 44, "no port is free")))
    assert table.types() == ["LegsFailed", "Ended"]
    (refusal,) = [effect for effect in table.effects if isinstance(effect, Refuse)]
    assert refusal.why == BUSY


@pytest.mark.parametrize(("dialled", "venue"), [("*97", Venue(MESSAGES, "*97")), ("8000", Venue(MAILBOX, "8000"))])
def test_a_number_of_voicemail_is_dialled(dialled: str, venue: Venue) -> None:
    table = Voiced(0, dialled)
    assert table.types() == ["Offered", "Routed", "LegsDialed"]
    assert (table.call.venue, table.call.voicemail.state) == (venue, "")


def test_the_record_says_that_a_mailbox_took_it() -> None:
    table = Voiced()
    events = [*table.events]
    table.play(Failed("f", "x", table.leg(1), BUSY))
    events += table.events
    table.take(2)
    events += table.events
    table.play(Released("r", "system", table.call.callee_leg, NORMAL))
    events += table.events
    record = fold_cdr(events)
    assert record is not None
    assert (record.cdr.disposition, record.cdr.answered_by, record.cdr.to_number) == ("voicemail", "1002", "1002")
