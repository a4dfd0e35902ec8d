"""Decisions on calls that nobody answers: the caller may leave a message, if the plan names a mailbox."""

from __future__ import annotations

from datetime import timedelta

from domain.base import Event
from domain.call.call import Call
from domain.call.decision.dialing import media_leg
from domain.call.outcome import mendable, outcome_of
from domain.call.scene import Scene, dialed
from domain.routing.route import MEDIA_S
from domain.values import MAILBOX, Cause, Venue

_BUSY = frozenset({"busy", "rejected"})


def turn_to_mailbox(scene: Scene, why: Cause, but: str = "") -> tuple[Event, ...]:
    """The events by which a call goes to the mailbox of who was called; none if it has none, was there already, or
    could be mended by the caller. `but` is a leg that has just failed."""
    call = scene.call
    if not call.voicemail.number or call.voicemail.state or mendable(why):
        return ()
    state = "busy" if outcome_of(why) in _BUSY else "away"
    turned = scene.event(Call.TurnedToMailbox, call.voicemail.number, state, dialed(call, but))
    uri = call.shown.uri(call.caller.number, call.domain)
    venue = Venue(MAILBOX, call.voicemail.number)
    leg = media_leg(call.id, len(call.legs), uri, venue, call.domain, scene.world)
    until = scene.now + timedelta(seconds=MEDIA_S)
    return (turned, scene.event(Call.LegsDialed, origin="voicemail", ring_until=until, legs=(leg,)))
