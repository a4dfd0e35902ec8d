"""Decisions on sessions that must be refreshed: when a party asks for it, when it is our turn, when nobody did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.decision import relay, way
from domain.call.decision.early import fail
from domain.call.decision.media import unanswered
from domain.call.input import DeadlineReached, Failed, Refreshed, ReofferAccepted, ReofferRefused, TooBrief
from domain.call.leg import CSEQ_JUMP, Leg
from domain.call.resume import EXPIRED, REFRESH, UNANSWERED
from domain.call.resume_relay import NO_RELAY, WAY
from domain.call.scene import Scene
from domain.call.state import Refresh
from domain.call.terms import LONGEST_S, REDIALS, Terms, granted, lost_at
from domain.values import GONE, SESSION_LOST, VANISHED, Cause

NOT_PLEASED = Cause(422, 31, "no session is long enough for the device")


def refreshed(scene: Scene, inp: Refreshed) -> tuple[Event, ...]:
    """A party lets its session go on; answered here, and nobody else is asked."""
    call = scene.call
    leg = call.legs.get(inp.leg)
    if leg is None or not (leg.id in call.talked or leg.waiting or leg.caller):
        return ()
    if inp.offers and call.crossing(inp.leg):
        return ()
    early = inp.early if leg.caller and leg.id not in call.talked and inp.early in call.legs else ""
    cseq = leg.dialog.remote_cseq if early else inp.transaction.cseq
    dialog = msgspec.structs.replace(leg.dialog, remote_cseq=cseq, remote_target=inp.remote_target)
    terms = granted(inp.wish, scene.world.session_s, leg.terms) if leg.id in call.talked else leg.terms
    named = {"leg": leg.id, "transaction": inp.transaction, "dialog": dialog, "terms": terms, "offers": inp.offers}
    return (scene.event(Call.SessionRefreshed, **named, early=early),)


def due(scene: Scene, inp: DeadlineReached) -> tuple[Event, ...]:
    """A session is to be refreshed by us, or was not by the peer."""
    kind, _, name = inp.kind.partition(" ")
    if (how := _OTHERS.get(kind)) is not None:
        return how(scene)
    call = scene.call
    leg = call.legs.get(name)
    if leg is None or leg.refreshed_at is None or name not in call.talked:
        return ()
    if kind == EXPIRED and scene.now >= lost_at(leg.terms, leg.refreshed_at):
        return (scene.ended("system", "lost", SESSION_LOST, leg=name, hang_up=call.talked),)
    if kind == REFRESH and leg.refresh_at is not None and scene.now >= leg.refresh_at and not call.crossing(name):
        dialog = leg.next_dialog(scene.world.epoch)
        return (scene.event(Call.RefreshRequested, leg=name, dialog=dialog, prompt=leg.ability.updates),)
    return ()


_OTHERS: Mapping[str, Callable[[Scene], tuple[Event, ...]]] = {
    UNANSWERED: unanswered,
    WAY: way.due,
    NO_RELAY: relay.not_opened,
}
"""Moments of a call that goes on which are of no leg."""


def _answers(pending: Refresh, inp: ReofferAccepted | ReofferRefused) -> bool:
    """Whether this is the answer to the refresh that is under way, and not to an older request of ours."""
    return not pending.done and (pending.leg, pending.dialog.local_cseq) == (inp.leg, inp.cseq)


def accepted(scene: Scene, inp: ReofferAccepted) -> tuple[Event, ...]:
    """A leg lets its session go on, as we asked."""
    pending = scene.call.refresh
    if pending is None or not _answers(pending, inp):
        return ()
    if pending.to_us is not None:
        return way.taken(scene, inp, pending)
    dialog = msgspec.structs.replace(scene.call.legs[inp.leg].dialog, remote_target=inp.remote_target)
    # Who does not say how long it lasts has nothing against it; we go on with it as it was.
    terms = inp.terms if inp.terms.interval_s else pending.terms
    return (
        scene.event(Call.SessionRefreshed, leg=inp.leg, transaction=None, dialog=dialog, terms=terms, offers=False),
    )


def refused(scene: Scene, inp: ReofferRefused) -> tuple[Event, ...]:
    """RFC 4028 section 10: what is refused is asked again; a dialog that is gone is over."""
    call = scene.call
    pending = call.refresh
    if pending is None or not _answers(pending, inp):
        return ()
    if pending.to_us is not None:
        return way.refused(scene, inp, pending)
    if inp.why.sip_status in GONE:
        return (scene.ended("system", "lost", VANISHED, leg=inp.leg, hang_up=call.talked),)
    leg = call.legs[inp.leg]
    wait_s, terms = _again(scene, leg, inp)
    retry_at = scene.now + timedelta(seconds=wait_s)
    return (scene.event(Call.RefreshDeferred, leg=inp.leg, retry_at=retry_at, terms=terms),)


def _again(scene: Scene, leg: Leg, inp: ReofferRefused) -> tuple[float, Terms]:
    """How long to wait before the next attempt, and under which terms it is made."""
    if inp.why.sip_status == way.CROSSED or inp.minimum_s:
        found = way.again(leg, inp)
        if found is not None:
            return found
    assert leg.refreshed_at is not None
    return max((lost_at(leg.terms, leg.refreshed_at) - scene.now).total_seconds() / 2, 5.0), leg.terms


def redial(scene: Scene, inp: TooBrief) -> tuple[Event, ...]:
    """RFC 4028 section 7.3: the same offer once more, with a session that is long enough; a device that cannot be
    pleased so has failed."""
    leg = scene.call.legs.get(inp.leg)
    if leg is None or not leg.waiting or leg.dialed is None:
        return ()
    if not leg.terms.interval_s < inp.minimum_s <= LONGEST_S or leg.dialed.local_cseq % CSEQ_JUMP > REDIALS:
        return fail(scene, Failed(inp.cause, inp.actor, inp.leg, NOT_PLEASED))
    cseq = leg.next_dialog(scene.world.epoch).local_cseq
    dialog = msgspec.structs.replace(leg.dialed, local_cseq=cseq)
    terms = Terms(inp.minimum_s, minimum_s=inp.minimum_s)
    return (scene.event(Call.LegRedialed, leg=inp.leg, dialog=dialog, terms=terms, afresh=True),)
