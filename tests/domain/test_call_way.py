"""Calls whose media change their way while they go on, one decision after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.base import Event
from domain.call.call import Call, CallState
from domain.call.effect import Acknowledge, CloseRelay, OpenRelay, Relay, Reoffer
from domain.call.input import (
    DeadlineReached,
    HungUp,
    RecordingAsked,
    RecordingKept,
    RelayFailed,
    RelayOpened,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
)
from domain.call.recording import Kept
from domain.call.relay import RelayPlace
from domain.call.resume import deadlines, outstanding
from domain.call.resume_relay import NO_RELAY, WAY
from domain.call.terms import Terms
from domain.values import NO_MEDIA_WORKER, Cause
from tests.domain.test_call_turn import Table
from tests.domain.world import request, seconds

PLACE = RelayPlace(20000, 20002, "sealed")
REFUSED, CROSSED, TOO_BRIEF = Cause(488, 65, "no"), Cause(491, 31, "crossed"), Cause(422, 31, "too brief")


class Demanded(Table):
    """A direct call that is to be recorded; all events are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.all: tuple[Event, ...] = self.events
        self.answer()
        self.ask("start")

    def play(self, *args: Any, **named: Any) -> Any:
        found = super().play(*args, **named)
        self.all += self.events
        return found

    def ask(self, wish: str) -> None:
        self.play(RecordingAsked("api", "api:1", wish))

    def open(self) -> None:
        self.play(RelayOpened("o", "media", PLACE))

    def number(self, leg: int) -> int:
        """That of our newest offer to a leg."""
        found = (one for one in outstanding(self.call, self.now) if isinstance(one, Reoffer))
        return next(one.dialog.local_cseq for one in found if one.leg == self.leg(leg))

    def take(self, leg: int, sdp: str = "v=0 new", **named: Any) -> None:
        self.play(ReofferAccepted("t", "x", self.leg(leg), self.number(leg), "sip:n@h", sdp, **named))

    def refuse(self, leg: int, why: Cause, **named: Any) -> None:
        self.play(ReofferRefused("r", "x", self.leg(leg), self.number(leg), why, **named))

    def due(self, kind: str = WAY) -> None:
        """Its moment comes."""
        (at,) = [one.at for one in deadlines(self.call) if one.kind == kind]
        self.play(DeadlineReached("d", "system", kind), wait_s=max((at - self.now).total_seconds(), 0))


def demanded() -> tuple[Event, ...]:
    """The events of such a call with all that may happen in it."""
    table = Demanded()
    table.open()
    table.refuse(1, CROSSED)
    table.due()
    table.take(1)
    table.take(0)
    table.ask("pause")
    table.ask("resume")
    table.ask("stop")
    table.take(1)
    table.take(0, kept=False)
    table.take(1)
    table.play(RecordingKept("k", "media", f"{table.call.id}-1", Kept("f", "00", 1)))
    table.ask("start")
    table.open()
    table.refuse(1, REFUSED)
    table.play(HungUp("b", "x", table.leg(1), request("BYE", "bye")))
    return table.all


def test_all_of_it_in_one_call() -> None:
    types = [type(event) for event in demanded()]
    of_ways: list[type[Any]] = [
        Call.RelayRequested,
        Call.MediaRelayed,
        Call.WayOffered,
        Call.WayTaken,
        Call.WayRefused,
        Call.WayAbandoned,
        Call.RelayReleased,
    ]
    assert [types.count(kind) for kind in of_ways] == [2, 2, 7, 5, 2, 1, 1]
    assert types[-1] is Call.Ended


def test_first_our_ends_then_one_phone_then_the_other_then_the_recording() -> None:
    table = Demanded()
    assert (table.types(), table.kinds()) == (["RelayRequested"], [OpenRelay])
    table.open()
    assert table.types() == ["MediaRelayed", "WayOffered"]
    assert table.kinds() == [Relay, Reoffer]
    assert table.call.hears_us(table.leg(1))
    assert not table.call.hears_us(table.leg(0))
    table.take(1, "v=0 bob again")
    assert table.types() == ["WayTaken", "WayOffered"]
    assert table.kinds() == [Relay, Acknowledge, Reoffer]
    reoffer = table.effects[-1]
    assert isinstance(reoffer, Reoffer)
    assert (reoffer.leg, reoffer.sdp) == (table.leg(0), "v=0 bob again")
    table.take(0)
    assert table.types() == ["WayTaken", "RecordingStarted"]
    relay = table.effects[0]
    assert isinstance(relay, Relay)
    assert relay.recording is not None


def test_until_a_phone_knows_our_ends_nothing_is_passed_on() -> None:
    table = Demanded()
    hold = request("INVITE", "hold", 2)
    table.play(Reoffered("h", "x", table.leg(0), hold, "sip:a@h", "v=0 hold", "sendonly"))
    table.open()
    assert table.types() == ["MediaRelayed"]
    (relay,) = table.effects
    assert isinstance(relay, Relay)
    assert (relay.caller, relay.callee, relay.recording) == ("", "", None)
    assert [one.kind for one in deadlines(table.call)] == [], "the change of the phone's comes first"
    table.play(ReofferAccepted("h", "x", table.leg(1), 2, "sip:b@h", "v=0 held"))
    table.due()
    assert table.types() == ["WayOffered"]


@pytest.mark.parametrize(
    "fails",
    [
        lambda table: table.play(RelayFailed("f", "media", REFUSED)),
        lambda table: table.due(NO_RELAY),
        lambda table: table.ask("stop"),
    ],
)
def test_before_any_phone_was_asked_it_is_given_up_at_once(fails: Callable[[Demanded], object]) -> None:
    table = Demanded()
    fails(table)
    assert table.types() == ["WayAbandoned"]
    assert table.kinds() == [CloseRelay]
    assert table.call.relay is not None
    assert (table.call.relay.over, table.call.detour, table.call.state) == (True, None, CallState.TALKING)
    assert [one.kind for one in deadlines(table.call)] == []
    assert table.play(RelayOpened("o", "media", PLACE)) == ()
    assert table.play(RelayFailed("f", "media", REFUSED)) == ()


def test_our_ends_are_waited_for_five_seconds() -> None:
    table = Demanded()
    (due,) = deadlines(table.call)
    assert (due.kind, due.at) == (NO_RELAY, table.now + seconds(5))
    table.due(NO_RELAY)
    (abandoned,) = table.events
    assert isinstance(abandoned, Call.WayAbandoned)
    assert abandoned.why == NO_MEDIA_WORKER


def test_a_session_that_is_to_last_longer_is_offered_so_at_once() -> None:
    table = Demanded()
    table.call.legs[table.leg(1)].terms = Terms(90)
    table.open()
    table.refuse(1, TOO_BRIEF, minimum_s=1000)
    assert table.types() == ["WayRefused"]
    table.due()
    (reoffer,) = [one for one in table.effects if isinstance(one, Reoffer)]
    assert reoffer.terms == Terms(1000, minimum_s=1000)


def test_who_crosses_each_time_has_refused() -> None:
    table = Demanded()
    table.open()
    for _ in range(6):
        table.refuse(1, CROSSED)
        table.due()
    table.refuse(1, CROSSED)
    assert table.types() == ["WayRefused", "WayAbandoned"]


def test_who_does_not_want_to_go_back_is_asked_less_and_less_often() -> None:
    table = Demanded()
    table.open()
    table.take(1)
    table.refuse(0, REFUSED)
    assert table.call.detour is not None
    assert (table.call.detour.undoes, table.call.detour.legs) == (True, (table.leg(1),))
    table.due()
    waits = []
    for _ in range(6):
        table.refuse(1, REFUSED)
        waits.append((deadlines(table.call)[0].at - table.now).total_seconds())
        table.due()
    assert waits == [2, 4, 8, 16, 32, 32]
    table.take(1)
    assert table.call.relay is not None
    assert (table.call.relay.detour, table.call.hears_us(table.leg(1))) == (None, False)


def test_what_was_called_off_while_a_phone_thought_about_it_is_undone_only_if_it_takes_it() -> None:
    table = Demanded()
    table.open()
    table.ask("stop")
    table.refuse(1, REFUSED)
    assert (table.types(), table.kinds(), table.call.detour) == (["WayRefused"], [CloseRelay], None)
    assert [one.kind for one in deadlines(table.call)] == []


def test_no_recording_is_promised_while_the_way_changes() -> None:
    table = Demanded()
    table.open()
    table.take(1)
    table.take(0)
    table.ask("stop")
    assert table.types() == ["RecordingEnded", "RelayReleased", "WayOffered"]
    table.ask("start")
    assert table.events == ()
