"""Decisions on media that go through us: whether they do, and what becomes of a call whose media cannot."""

from __future__ import annotations

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.call.decision import way
from domain.call.input import Failed, Offer, RelayFailed, RelayOpened
from domain.call.scene import Scene
from domain.routing.directory import Extension
from domain.routing.plan import RoutePlan
from domain.values import DIRECT, NO_MEDIA_WORKER

_UNACCEPTABLE = frozenset({488, 606})
"""Statuses of a device that can make nothing of the media that it was offered (RFC 3261 21.4.26, 21.6.4)."""


def requested(scene: Scene, inp: Offer, plan: RoutePlan) -> tuple[Event, ...]:
    """The event of a call between phones whose media are to go through us; nearly always none."""
    if not plan.extension:
        return ()
    known, tenant = scene.world.directory.extensions, inp.tenant
    caller, callee = known.get((tenant, inp.extension)), known.get((tenant, plan.extension))
    if (caller is None or caller.media is DIRECT) and (callee is None or callee.media is DIRECT):
        return ()
    encrypted = callee.media.srtp if callee is not None else None
    why = _why(inp, caller, callee)
    return (scene.event(Call.RelayRequested, why, encrypted),) if why else ()


def _why(inp: Offer, caller: Extension | None, callee: Extension | None) -> str:
    """The first reason there is; empty if the phones may hear each other directly."""
    policies = [one.media for one in (caller, callee) if one is not None]
    if any(policy.heard for policy in policies):
        return "recording"
    if callee is not None and callee.media.srtp is not None and inp.sdp and callee.media.srtp != inp.encrypted:
        return "encryption"
    return "asked" if any(policy.relayed for policy in policies) else ""


def suits(scene: Scene, number: str) -> bool:
    """Whether the extension `number` may be called late, when the way of the call's media is settled.

    Phones that were dialled before it have been told of that way, and may be ringing.
    """
    call, directory = scene.call, scene.world.directory
    extension = directory.extension(call.tenant, number)
    if extension is None:
        return False
    media = extension.media
    if call.relay is None and (media.heard or media.relayed):
        return False
    if media.srtp is None or call.late_offer:  # its phones are offered what the others were, or make the offer
        return True
    if call.relay is not None:
        return media.srtp == call.relay.encrypted
    # Whoever was dialled first has a policy that the caller's own offer was found to meet.
    dialed = next(leg.number for leg in call.legs.values() if leg.dialed is not None)
    first = directory.extension(call.tenant, dialed)
    return first is not None and media.srtp == first.media.srtp


def widened(scene: Scene, inp: Failed) -> tuple[Event, ...]:
    """Devices that had no codec in common with the caller are offered the call once more, with all that our media can
    make of what it speaks; none if there are no such devices, or that was done before, or is not wanted."""
    call = scene.call
    phones = (leg for leg in call.legs.values() if leg.dialed is not None and not leg.media)
    whys = [(leg, inp.why if leg.id == inp.leg else leg.why) for leg in phones]
    refused = [leg for leg, why in whys if why is not None and why.sip_status in _UNACCEPTABLE]
    if not refused or not _may_transcode(scene, {leg.number for leg in refused}):
        return ()
    events = []
    if call.relay is None:
        callee = scene.world.directory.extension(call.tenant, refused[0].number)
        encrypted = callee.media.srtp if callee is not None else None
        events.append(scene.event(Call.RelayRequested, "codecs", encrypted))
    events.append(scene.event(Call.RelayWidened))
    for leg in refused:
        assert leg.dialed is not None
        cseq = leg.next_dialog(scene.world.epoch).local_cseq
        dialog = msgspec.structs.replace(leg.dialed, local_cseq=cseq)
        events.append(scene.event(Call.LegRedialed, leg.id, dialog, leg.terms, afresh=True))
    return tuple(events)


def _may_transcode(scene: Scene, numbers: set[str]) -> bool:
    """Whether there are media for it, the caller made an offer, and neither side's extension is against it."""
    call, directory = scene.call, scene.world.directory
    if not scene.world.media or call.late_offer or (call.relay is not None and call.relay.wide):
        return False
    found = (directory.extension(call.tenant, number) for number in {call.caller.number, *numbers})
    return all(one.media.transcode for one in found if one is not None)


def opened(scene: Scene, inp: RelayOpened) -> tuple[Event, ...]:
    """Our ends are open: the phones can be called, or offered that way."""
    call = scene.call
    relay = call.relay
    if relay is None or relay.over or (relay.place is not None) is not inp.again or relay.place == inp.place:
        return ()
    relayed = scene.event(Call.MediaRelayed, inp.place)
    leaving = relay.detour is not None and not relay.detour.to_us
    return (relayed, *way.first_offer(scene, to_us=True)) if call.talked and not leaving else (relayed,)


def failed(scene: Scene, inp: RelayFailed) -> tuple[Event, ...]:
    """Media that cannot go through us end the call: it was asked that they do. But not one that went on without."""
    call = scene.call
    if call.relay is None or call.relay.over:
        return ()
    if call.detour is not None:
        return way.abandon(scene, inp.why) if call.detour.to_us else ()
    return (scene.ended("system", "lost" if call.talked else "failed", inp.why, hang_up=call.talked),)


def not_opened(scene: Scene) -> tuple[Event, ...]:
    """Nobody opened our ends in time."""
    relay = scene.call.relay
    if relay is None or relay.place is not None or relay.over:
        return ()
    if scene.call.talked:
        return way.abandon(scene, NO_MEDIA_WORKER)
    return (scene.ended("system", "failed", NO_MEDIA_WORKER),)
