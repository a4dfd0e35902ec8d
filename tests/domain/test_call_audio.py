"""What is written down of a call's audio: its figures when a stream ends, and when it is missing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.call.call import Call, CallState
from domain.call.decision.quality import MOST_LOSSES
from domain.call.input import AudioLost, AudioRestored, DeadlineReached, HungUp, Measured, ReofferAccepted, Reoffered
from domain.call.measure import Way
from domain.call.resume import CLOSE_DEADLINE, CLOSE_S, FORGET_DEADLINE, REPEAT_S, deadlines
from tests.domain.history import figures
from tests.domain.test_call_room import talking
from tests.domain.test_call_turn import Table
from tests.domain.world import request, seconds

CLOSE = DeadlineReached("d", "system", CLOSE_DEADLINE)


def measured(table: Table, leg: int = 1, **named: Any) -> Measured:
    return Measured("m", "media", table.leg(leg), figures(**named))


def lost(table: Table, leg: int = 1, missing_ms: int = 2500) -> AudioLost:
    return AudioLost("m", "media", table.leg(leg), Way.FROM_PHONE, missing_ms)


def restored(table: Table, leg: int = 1) -> AudioRestored:
    return AudioRestored("m", "media", table.leg(leg), Way.FROM_PHONE)


def ended() -> Table:
    table = talking()
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye")))
    return table


@pytest.mark.parametrize("named", [0, 1])
def test_after_the_end_it_is_waited_for_the_phone_s_figures(named: int) -> None:
    """Media may name the leg of the phone, or their own end of it: the figures are the phone's."""
    table = ended()
    (end,) = (event for event in table.events if isinstance(event, Call.Ended))
    assert end.expected == table.call.expected == (table.leg(0),)
    assert table.play(measured(table, named), 0.1) == ()
    (event,) = table.events
    assert isinstance(event, Call.LegMeasured)
    assert (event.leg, event.figures) == (table.leg(0), figures())
    assert not table.call.expected
    assert [due.kind for due in deadlines(table.call)] == [FORGET_DEADLINE]


def test_what_is_not_waited_for_is_not_written_down_after_the_end() -> None:
    table = ended()
    table.play(measured(table))
    table.play(measured(table))
    assert table.types() == []
    plain = Table()
    plain.answer()
    plain.play(HungUp("b", "x", plain.leg(0), request("BYE", "bye")))
    assert plain.call.expected == ()
    plain.play(measured(plain, 0))
    assert plain.types() == []


def test_what_never_comes_is_closed() -> None:
    table = ended()
    forget, close = deadlines(table.call)
    assert table.call.ended_at is not None
    assert (forget.kind, forget.at) == (FORGET_DEADLINE, table.call.ended_at + seconds(REPEAT_S))
    assert (close.kind, close.at) == (CLOSE_DEADLINE, table.call.ended_at + seconds(CLOSE_S))
    table.play(CLOSE, CLOSE_S - 0.1)
    assert table.types() == []
    table.play(CLOSE, 0.1)
    (event,) = table.events
    assert isinstance(event, Call.Closed)
    assert event.missing == (table.leg(0),)
    for inp in (CLOSE, measured(table)):
        table.play(inp)
        assert table.types() == []


def test_a_stream_that_ends_before_the_call_is_an_event_and_the_last_is_still_waited_for() -> None:
    table = talking()
    table.play(measured(table, received=100, whole=False))
    assert table.types() == ["LegMeasured"]
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye")))
    assert table.call.expected == (table.leg(0),)


def test_a_stream_in_which_nothing_went_counts_only_if_it_is_waited_for() -> None:
    table = talking()
    nothing = {"received": 0, "sent": 0}
    table.play(measured(table, **nothing))
    assert table.types() == []
    table.play(HungUp("b", "x", table.leg(0), request("BYE", "bye")))
    table.play(measured(table, **nothing))
    assert table.types() == ["LegMeasured"]


def test_audio_that_is_lost_is_told_once_and_so_is_its_return() -> None:
    table = talking()
    table.play(lost(table), 5)
    (event,) = table.events
    assert isinstance(event, Call.AudioLost)
    assert (event.leg, event.direction, event.missing_ms) == (table.leg(0), Way.FROM_PHONE, 2500)
    for _ in range(3):
        table.play(lost(table))
        assert table.types() == []
    table.play(restored(table))
    assert table.types() == ["AudioRestored"]
    table.play(restored(table))
    assert table.types() == []


def test_nothing_is_missed_before_and_just_after_the_answer_and_after_the_end() -> None:
    table = Table(dialled="7000")
    table.play(lost(table), 20)
    assert table.types() == []
    table = talking()
    table.play(lost(table), 1.9)
    assert table.types() == []
    table.play(lost(table), 0.1)
    assert table.types() == ["AudioLost"]
    over = ended()
    over.play(lost(over), 5)
    assert over.types() == []


def test_who_holds_is_not_missed() -> None:
    table = talking()
    caller, callee = table.leg(0), table.leg(1)
    table.play(Reoffered("h", "x", caller, request("INVITE", "hold", 9), "sip:t@h", "v=0 hold", "sendonly"))
    cseq = table.call.legs[callee].dialog.local_cseq
    table.play(ReofferAccepted("h", "media", callee, cseq, "", "v=0 held", "recvonly"))
    assert table.call.held_by == {caller}
    table.play(lost(table), 5)
    assert table.types() == []


def test_the_other_party_of_a_call_of_phones_is_missed_for_itself() -> None:
    table = Table()
    table.answer()
    for leg in (0, 1):
        table.play(lost(table, leg), 5)
        assert [(one.leg, type(one)) for one in table.events] == [(table.leg(leg), Call.AudioLost)]  # type: ignore[attr-defined]
    assert table.call.state is CallState.TALKING


def test_audio_that_comes_and_goes_does_not_fill_the_journal() -> None:
    table, count = talking(), 0
    for _ in range(3 * MOST_LOSSES):
        for inp in (lost(table), restored(table)):
            table.play(inp, 5)
            count += len(table.events)
    assert count == 2 * MOST_LOSSES


def test_figures_are_what_they_were_when_they_are_read_again() -> None:
    known = figures(remote_lost=3, round_trip_ms=20)
    assert msgspec.json.decode(msgspec.json.encode(known), type=type(known)) == known
