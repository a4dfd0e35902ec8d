"""Decisions on recordings of a call: when they begin and end by themselves, and what others may make of them."""

from __future__ import annotations

from domain.base import Event
from domain.call.call import Call
from domain.call.input import RecordingAnnounced, RecordingAsked, RecordingErased, RecordingKept
from domain.call.recording import recording_id
from domain.call.scene import Scene
from domain.values import DIRECT, MediaPolicy

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
    policies = [one for one in _policies(scene, callee) if one.recording == "always"]
    return (_started(scene, policies[0], "policy"),) if policies else ()


def asked(scene: Scene, inp: RecordingAsked) -> tuple[Event, ...]:
    """Somebody wants a recording to begin, to end or to be otherwise; nothing if it is so already, or cannot be."""
    call = scene.call
    current = next((one for one in call.recordings if not one.over), None)
    wish = inp.wish
    if wish == "toggle":
        wish = "start" if current is None else "stop"
    elif wish == "toggle_mask":
        wish = "unmask" if current is not None and current.masked else "mask"
    if wish == "start":
        relayed = call.is_relayed and call.relay is not None and call.relay.place is not None
        if current is not None or not relayed or call.recorded >= LIMIT:
            return ()
        policies = [one for one in _policies(scene, call.callee.number) if one.recording != "off"]
        return (_started(scene, policies[0] if policies else DIRECT, inp.actor),)
    if current is None:
        return ()
    if wish == "stop":
        return (scene.event(Call.RecordingEnded, current.id, inp.actor),)
    field, value = _MARKS[wish]
    if getattr(current, field) == value:
        return ()
    kind = Call.RecordingMasked if field == "masked" else Call.RecordingPaused
    return (scene.event(kind, current.id, value, inp.actor),)


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


def _started(scene: Scene, policy: MediaPolicy, by: str) -> Event:
    call = scene.call
    name = recording_id(call.id, call.recorded + 1)
    notice = scene.world.directory.language(call.tenant) if policy.announce else ""
    return scene.event(Call.RecordingStarted, name, policy.layout, by, policy.keep_days, notice)


def _policies(scene: Scene, callee: str) -> list[MediaPolicy]:
    """Of the caller's extension and of the one that answers, as far as they are extensions."""
    call, directory = scene.call, scene.world.directory
    found = (directory.extension(call.tenant, number) for number in (call.caller.number, callee))
    return [one.media for one in found if one is not None]
