"""Call records: one call in figures, and what holds for every history."""

from __future__ import annotations

from hypothesis import given

from domain.base import Event
from domain.call.call import Call
from domain.call.turn import fold
from projections.cdr import DISPOSITIONS, CallFold, fold_cdr
from tests.domain.history import History, histories
from tests.projections.histories import moved, plain_call, times


def test_a_plain_call_in_figures() -> None:
    events = plain_call()
    record = fold_cdr(events)
    assert record is not None
    cdr = record.cdr
    assert times((cdr.started_at, cdr.rung_at, cdr.answered_at, cdr.ended_at)) == [0, 0.5, 3, 10]
    assert (cdr.pdd_ms, cdr.ring_ms, cdr.talk_ms, cdr.hold_ms) == (500, 2500, 7000, 2000)
    assert (cdr.from_number, cdr.from_name, cdr.to_number, cdr.answered_by) == ("1001", "Alice", "1002", "1002")
    assert (cdr.tenant, cdr.direction, cdr.disposition, cdr.hangup_by) == ("acme", "internal", "answered", "callee")
    assert (cdr.sip_status, cdr.q850_cause, cdr.reason) == (200, 16, "normal clearing")
    assert (cdr.route_version, cdr.legs, cdr.takeovers, cdr.trunk) == (7, 3, 0, "")
    assert (cdr.call_id, cdr.version, cdr.final) == (events[0].originator_id, len(events), True)


def test_each_leg_says_how_it_ended() -> None:
    record = fold_cdr(plain_call())
    assert record is not None
    caller, answered, other = record.legs
    assert [leg.side for leg in record.legs] == ["caller", "callee", "callee"]
    assert times((caller.started_at, caller.rung_at, caller.answered_at, caller.ended_at)) == [0, None, 3, 10]
    assert times((answered.started_at, answered.rung_at, answered.answered_at, answered.ended_at)) == [0, 0.5, 3, 10]
    assert times((other.started_at, other.rung_at, other.answered_at, other.ended_at)) == [0, None, None, 3]
    assert (answered.user_agent, answered.device, answered.sip_status) == ("Phone/1", "1002", 200)
    assert (other.sip_status, other.q850_cause, other.reason) == (200, 26, "answered elsewhere")
    assert len({leg.sip_call_id for leg in record.legs}) == 3


def test_a_segment_lasts_from_the_answer_to_the_end() -> None:
    record = fold_cdr(plain_call())
    assert record is not None
    (segment,) = record.segments
    assert (segment.segment, segment.party_a, segment.party_b) == (1, "1001", "1002")
    assert times((segment.started_at, segment.ended_at)) == [3, 10]


def test_a_call_taken_over_says_so() -> None:
    record = fold_cdr(plain_call(takeover=True))
    assert record is not None
    assert record.cdr.takeovers == 1


def test_an_open_call_depends_on_no_clock() -> None:
    talking = fold_cdr(plain_call()[:5])
    assert talking is not None
    cdr = talking.cdr
    assert (cdr.disposition, cdr.hangup_by, cdr.ended_at, cdr.sip_status, cdr.final) == ("", "", None, None, False)
    assert (cdr.ring_ms, cdr.talk_ms, cdr.hold_ms) == (2500, 0, 0)
    assert talking.segments[0].ended_at is None


def test_a_call_that_is_held_when_it_ends_was_held_to_its_end() -> None:
    events = plain_call()
    held = [event for event in events if not isinstance(event, Call.Renegotiated) or event.held_by]
    record = fold_cdr(held)
    assert record is not None
    assert record.cdr.hold_ms == 5000


@given(histories)
def test_every_beginning_of_a_history_has_a_record_and_versions_rise(history: History) -> None:
    versions = []
    for length in range(len(history.events) + 1):
        record = fold_cdr(history.events[:length])
        assert (record is None) == (length == 0)
        if record is not None:
            versions.append(record.cdr.version)
            assert {leg.version for leg in record.legs} == {record.cdr.version}
            assert {segment.version for segment in record.segments} <= {record.cdr.version}
    assert versions == sorted(set(versions))


@given(histories)
def test_a_record_agrees_with_the_call_itself(history: History) -> None:
    record = fold_cdr(history.events)
    assert record is not None
    call, cdr = fold(None, history.events), record.cdr
    assert cdr.final == (call.ended_at is not None and not call.expected)
    assert (cdr.answered_at, cdr.ended_at) == (call.answered_at, call.ended_at)
    assert [leg.leg for leg in record.legs] == list(call.legs)
    assert cdr.disposition in (DISPOSITIONS if call.ended_at else {""})
    assert 0 <= cdr.hold_ms <= cdr.talk_ms or not cdr.final
    assert all((leg.ended_at is not None) or not cdr.final for leg in record.legs)


@given(histories)
def test_events_seen_again_change_nothing(history: History) -> None:
    once, again = CallFold(), CallFold()
    events: list[Event] = list(history.events)
    for event in events:
        once.apply(event)
    for event in [event for length in range(len(events) + 1) for event in events[:length]]:
        again.apply(event)
    assert once.record() == again.record()


@given(histories)
def test_what_is_missing_does_not_raise(history: History) -> None:
    events = moved(history.events, 3)
    for left_out in range(len(events)):
        fold_cdr(event for number, event in enumerate(events) if number != left_out)
