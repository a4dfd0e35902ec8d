"""Decisions on the way of a call's media that changes while it goes on: through us, or from phone to phone.

Each phone is offered the same media at another place (RFC 3261 14, RFC 3264 8), first the one that was called. If one
refuses for good, the other one is offered the former way again: the call goes on as it was.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.decision.media import NO_MEDIA
from domain.call.input import ReofferAccepted, ReofferRefused
from domain.call.leg import Leg
from domain.call.recording import recording_id
from domain.call.relay import DEMAND
from domain.call.scene import Scene
from domain.call.state import Refresh
from domain.call.terms import LONGEST_S, Terms
from domain.values import DIRECT, GONE, VANISHED, Cause, MediaPolicy

MOVED = Cause(488, 65, "the phones answer with another place or other keys each time")
UNWANTED = Cause(487, 31, "nobody wants the recording any more")
CROSSED = 491
_BUSY = frozenset({CROSSED, 500})
"""Statuses of a phone that has an offer of its own under way (RFC 3261 14.2)."""
_TRIES, _ROUNDS = 6, 3
_BACKOFF_S, _LONGEST_BACKOFF_S = 2.0, 32.0


def through_us(scene: Scene, by: str) -> tuple[Event, ...]:
    """The media of a call that goes on are to go through us, so that `by` can record it."""
    return (scene.event(Call.RelayRequested, DEMAND, None, by),)


def back(scene: Scene) -> tuple[Event, ...]:
    """The phones are to hear each other directly again."""
    return (scene.event(Call.RelayReleased), *first_offer(scene, to_us=False))


def first_offer(scene: Scene, to_us: bool) -> tuple[Event, ...]:
    """The way is offered to the phone that was called; none if something else is under way with it: it will be due."""
    leg = scene.call.callee_leg
    return () if scene.call.crossing(leg) else (_offer(scene, leg, to_us),)


def abandon(scene: Scene, why: Cause) -> tuple[Event, ...]:
    """A change that is under way is undone; none if it undoes one already."""
    detour = scene.call.detour
    return () if detour is None or detour.undoes else (scene.event(Call.WayAbandoned, why),)


def due(scene: Scene) -> tuple[Event, ...]:
    """The next phone's turn has come."""
    detour = scene.call.detour
    if detour is None or scene.now < detour.due_at or scene.call.crossing(detour.legs[0]):
        return ()
    return (_offer(scene, detour.legs[0], detour.to_us),)


def _offer(scene: Scene, leg: str, to_us: bool) -> Event:
    return scene.event(Call.WayOffered, leg, scene.call.legs[leg].next_dialog(scene.world.epoch), to_us)


def taken(scene: Scene, inp: ReofferAccepted, pending: Refresh) -> tuple[Event, ...]:
    """A phone took the way. Once both have, what was waited for begins."""
    leg, detour = scene.call.legs[inp.leg], scene.call.detour
    assert detour is not None
    if pending.to_us is not detour.to_us:  # and will be asked back
        return (_took(scene, inp, pending),)
    if not _usable(inp):
        return (*abandon(scene, NO_MEDIA), _took(scene, inp, pending))
    rest = [one for one in detour.legs if one != leg.id]
    if rest:
        return (_took(scene, inp, pending), _offer(scene, rest[0], detour.to_us))
    if not detour.to_us and not inp.kept:  # what the other phone was told of it is no more
        return _once_more(scene, inp, pending)
    took = _took(scene, inp, pending)
    return (took, started(scene, detour.by)) if detour.by else (took,)


def _once_more(scene: Scene, inp: ReofferAccepted, pending: Refresh) -> tuple[Event, ...]:
    """The other phone is offered what this one says now, unless they never come to an end with that."""
    detour, other = scene.call.detour, scene.call.other(inp.leg).id
    assert detour is not None
    if detour.rounds >= _ROUNDS:
        return (*abandon(scene, MOVED), _took(scene, inp, pending))
    return (_took(scene, inp, pending, again=other), _offer(scene, other, detour.to_us))


def _took(scene: Scene, inp: ReofferAccepted, pending: Refresh, again: str = "") -> Event:
    """Of who has no audio any more its word is kept as it was before: that is offered the other phone then."""
    leg = scene.call.legs[inp.leg]
    dialog = msgspec.structs.replace(leg.dialog, remote_target=inp.remote_target)
    terms = inp.terms if inp.terms.interval_s else pending.terms
    return scene.event(Call.WayTaken, leg.id, dialog, inp.sdp if _usable(inp) else leg.sdp, terms, again)


def _usable(inp: ReofferAccepted) -> bool:
    return bool(inp.sdp) and inp.hears


def refused(scene: Scene, inp: ReofferRefused, pending: Refresh) -> tuple[Event, ...]:
    """A phone did not take the way: it is asked again if it may take it later."""
    call = scene.call
    leg, detour = call.legs[inp.leg], call.detour
    assert detour is not None
    if inp.why.sip_status in GONE:
        return (scene.ended("system", "lost", VANISHED, leg=inp.leg, hang_up=call.talked),)
    later = again(leg, inp)
    wait_s, terms = later or (min(_BACKOFF_S * 2**detour.tries, _LONGEST_BACKOFF_S), leg.terms)
    retry_at = scene.now + timedelta(seconds=wait_s)
    events = (scene.event(Call.WayRefused, leg.id, inp.why, retry_at, terms),)
    if pending.to_us is detour.to_us and (later is None or detour.tries >= _TRIES):
        return (*events, *abandon(scene, inp.why))
    return events


def again(leg: Leg, inp: ReofferRefused) -> tuple[float, Terms] | None:
    """After how many seconds an offer that was refused may be made again, and under which terms; None: not at all."""
    terms = leg.terms
    if terms.interval_s < inp.minimum_s <= LONGEST_S:  # RFC 4028 section 7.3
        return 0.0, Terms(inp.minimum_s, terms.ours, inp.minimum_s)
    if inp.why.sip_status in _BUSY:  # RFC 3261 14.1: the owner of the Call-ID waits longer
        return (inp.chance * 2 if leg.caller else 2.1 + inp.chance * 1.9), terms
    return None


def started(scene: Scene, by: str, policy: MediaPolicy | None = None) -> Event:
    """A recording of the call begins, as `policy` says, or else as one of the two extensions does."""
    call = scene.call
    if policy is None:
        found = [one for one in policies(scene, call.callee.number) if one.recording != "off"]
        policy = found[0] if found else DIRECT
    name = recording_id(call.id, call.recorded + 1)
    notice = scene.world.directory.language(call.tenant) if policy.announce else ""
    return scene.event(Call.RecordingStarted, name, policy.layout, by, policy.keep_days, notice)


def policies(scene: Scene, callee: str) -> list[MediaPolicy]:
    """Of the caller's extension and of the one that answers, as far as they are extensions."""
    call, directory = scene.call, scene.world.directory
    found = (directory.extension(call.tenant, number) for number in (call.caller.number, callee))
    return [one.media for one in found if one is not None]
