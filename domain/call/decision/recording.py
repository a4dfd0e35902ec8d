"""Decisions on recordings of a call: when they begin and end by themselves, and what others may make of them."""

from __future__ import annotations

from domain.base import Event
from domain.call.call import Call
from domain.call.decision import way
from domain.call.input import RecordingAnnounced, RecordingAsked, RecordingErased, RecordingKept
from domain.call.relay import DEMAND
from domain.call.scene import Scene

LIMIT = 100
"""Recordings of one call; whoever begins more wants something else."""
_MARKS = {
    "mask": ("masked", True),
    "unmask": ("masked", False),
    "pause": ("paused", True),
    "resume": ("paused", False),
}
WISHES = ("start", "stop", "toggle", "toggle_mask", *_MARKS)


def on_answer(scene: Scene, callee: str) -> tuple[Event, ...]:
    """A call to which the number `callee` answers is recorded at once, if either extension says so of all its calls."""
    always = [one for one in way.policies(scene, callee) if one.recording == "always"]
    return (way.started(scene, "policy", always[0]),) if always else ()


def asked(scene: Scene, inp: RecordingAsked) -> tuple[Event, ...]:
    """Somebody wants a recording to begin, to end or to be otherwise; nothing if it is so already, or cannot be."""
    call = scene.call
    current, demanded = call.recorded_now, call.detour is not None and bool(call.detour.by)
    wish = inp.wish
    if wish == "toggle":
        wish = "stop" if current is not None or demanded else "start"
    elif wish == "toggle_mask":
        wish = "unmask" if current is not None and current.masked else "mask"
    if wish == "start":
        return _begun(scene, inp.actor) if current is None else ()
    if wish == "stop" and demanded:
        return way.abandon(scene, way.UNWANTED)
    if current is None:
        return ()
    if wish == "stop":
        ended = scene.event(Call.RecordingEnded, current.id, inp.actor)
        wanted = call.relay is None or call.relay.why != DEMAND or call.detour is not None
        return (ended,) if wanted else (ended, *way.back(scene))
    field, value = _MARKS[wish]
    if getattr(current, field) == value:
        return ()
    kind = Call.RecordingMasked if field == "masked" else Call.RecordingPaused
    return (scene.event(kind, current.id, value, inp.actor),)


def _begun(scene: Scene, by: str) -> tuple[Event, ...]:
    """At once where the media go through us, otherwise once they do."""
    call = scene.call
    if call.callee.media or call.detour is not None or call.recorded >= LIMIT:
        return ()
    if not call.is_relayed:
        return way.through_us(scene, by)
    return (way.started(scene, by),)


def announced(scene: Scene, inp: RecordingAnnounced) -> tuple[Event, ...]:
    """The parties know, as a fact."""
    found = next((one for one in scene.call.recordings if one.id == inp.recording and one.notice), None)
    return (scene.event(Call.RecordingAnnounced, inp.recording, found.notice, inp.why),) if found is not None else ()


def kept(scene: Scene, inp: RecordingKept) -> tuple[Event, ...]:
    """A recording is over, and its file is where it is to stay."""
    if not any(one.id == inp.recording for one in scene.call.recordings):
        return ()
    return (scene.event(Call.RecordingStopped, inp.recording, inp.kept),)


def erased(scene: Scene, inp: RecordingErased) -> tuple[Event, ...]:
    """Who erased it had made sure that it was over."""
    return (scene.event(Call.RecordingErased, inp.recording, inp.why),)
