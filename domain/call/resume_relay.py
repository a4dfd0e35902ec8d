"""What a call owes media of ours that are on its way, and when it must act because of them. Pure, as `resume`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.call.call import Call
from domain.call.effect import CloseRelay, KeepRecording, MediaEffect, OpenRelay, Relay
from domain.call.relay import WAIT_S

NO_RELAY = "no_relay"
WAY = "way"
"""A phone is to be offered another way of the media."""


class Due(NamedTuple):
    """As `resume.Deadline`."""

    kind: str
    at: datetime


def relayed(call: Call) -> Iterator[MediaEffect]:
    """Media that go through us, as far as the parties have described theirs."""
    relay = call.relay
    if call.voicemail.unrelayed:
        yield CloseRelay(call.caller_leg)
    if relay is None:
        return
    if not call.is_relayed:
        yield CloseRelay(call.caller_leg)
    elif relay.place is None:
        yield OpenRelay(call.caller_leg, call.caller.sdp, call.callee.sdp if call.talked else "")
    else:
        yield _passed_on(call)
    for one in call.recordings:
        if one.over:
            yield KeepRecording(call.caller_leg, one.id)


def _passed_on(call: Call) -> Relay:
    relay = call.relay
    assert relay is not None
    assert relay.place is not None
    phones = (one for one in call.legs.values() if one.waiting and one.sdp and not one.media)
    leg = call.callee if call.talked else next(phones, None)
    if leg is None:
        return Relay(call.caller_leg, relay.place, "", call.caller.sdp, "", None)
    caller = call.caller.sdp if call.talked else leg.agreed or leg.answer or call.caller.sdp
    if call.talked and relay.direct.issuperset(call.talked):  # neither phone knows our ends yet
        return Relay(call.caller_leg, relay.place, leg.id, "", "", None)
    return Relay(call.caller_leg, relay.place, leg.id, caller, leg.sdp, call.recorded_now)


def relay_deadlines(call: Call) -> Iterator[Due]:
    """Our ends are not waited for any more; a phone is offered another way."""
    relay, detour = call.relay, call.detour
    if relay is None:
        return
    if relay.place is None and not relay.over:
        yield Due(NO_RELAY, relay.since + timedelta(seconds=WAIT_S))
    elif detour is not None and not call.crossing(detour.legs[0]):
        yield Due(WAY, detour.due_at)
