"""Decisions on redirects: whom else a call may reach because a device says so, inside the tenant and without loops."""

from __future__ import annotations

from collections.abc import Iterator

from domain.base import Event
from domain.call.call import Call, DialedLeg
from domain.call.decision import relay
from domain.call.decision.dialing import dialed_leg
from domain.call.input import Redirected
from domain.call.presentation import MAX_REDIRECTS
from domain.call.scene import Scene
from domain.routing.target import targets
from domain.values import Cause

NOT_FOLLOWED = "redirected to somebody who is not called from here"


def follow(scene: Scene, inp: Redirected) -> tuple[Event, ...] | Cause:
    """The events of a redirect that is followed, or the cause of one that is not."""
    call = scene.call
    numbers = tuple(_allowed(scene, inp)) if call.redirects < MAX_REDIRECTS else ()
    legs = _legs_of_first(scene, numbers, call.legs[inp.leg].number)
    if not legs:
        return Cause(inp.why.sip_status, inp.why.q850, NOT_FOLLOWED)
    return (scene.event(Call.Redirected, inp.leg, inp.why, numbers), _dial(scene, legs))


def dial_next(scene: Scene) -> tuple[Event, ...]:
    """The next of those that a redirect named, once all that were dialled have failed; none if none is left."""
    diverted = next((leg.number for leg in scene.call.legs.values() if leg.why is not None), "")
    legs = _legs_of_first(scene, scene.call.alternatives, diverted)
    return (_dial(scene, legs),) if legs else ()


def _allowed(scene: Scene, inp: Redirected) -> Iterator[str]:
    """Extensions of the call's own tenant that it has not reached for yet, each once."""
    call, directory = scene.call, scene.world.directory
    known = {*(leg.number for leg in call.legs.values()), *call.alternatives}
    for domain, number in inp.targets:
        extension = directory.extension(call.tenant, number)
        if directory.tenant_of(domain) == call.tenant and extension is not None and number not in known:
            known.add(number)
            yield number


def _dial(scene: Scene, legs: tuple[DialedLeg, ...]) -> Event:
    """They ring until the call's ring time ends, as it would have anyway."""
    return scene.event(Call.LegsDialed, origin="redirect", ring_until=scene.call.ring_until, legs=legs)


def _legs_of_first(scene: Scene, numbers: tuple[str, ...], diverted: str) -> tuple[DialedLeg, ...]:
    """The devices of the first number that has some, and may have them called with the call's media as they are."""
    call, world = scene.call, scene.world
    known = next(leg.dialed for leg in call.legs.values() if leg.dialed is not None)
    domain, first = known.remote_uri.rpartition("@")[2], len(call.legs)
    for number in numbers:
        if not relay.suits(scene, number):
            continue
        contacts = targets(world.contacts(call.tenant, number), secure=call.secure)
        legs = tuple(
            dialed_leg(call.id, index, known.local_uri, (number, domain), contact, world, diverted)
            for index, contact in enumerate(contacts, first)
        )
        if legs:
            return legs
    return ()
