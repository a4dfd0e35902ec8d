"""The events of recordings of a call. They belong to `Call`, which names them all; each says by `by` who wanted it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from domain.base import Event, fact
from domain.call.recording import Kept, Recording

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class RecordingStarted(Event):
    """What both parties say is recorded from now on: each on its side (`stereo`, the caller on the left) or `mixed`.

    The file is kept for `keep_days`, 0 for ever. Both parties are told so in the language `notice`, if there is one.
    """

    TOPIC = "call.recording_started.2"
    FORMER = ("call.recording_started.1",)

    recording: str
    layout: str
    by: str
    keep_days: int = 0
    notice: str = ""

    def apply(self, aggregate: Call) -> None:
        aggregate.recorded += 1
        begun = Recording(self.recording, self.layout, self.timestamp, self.keep_days, self.notice)
        aggregate.recordings = (*aggregate.recordings, begun)


@fact
class RecordingAnnounced(Event):
    """Both parties have been told in this language that they are recorded; or could not be, for the reason `why`."""

    TOPIC = "call.recording_announced.1"

    recording: str
    language: str
    why: str

    def apply(self, aggregate: Call) -> None:
        _change(aggregate, self.recording, notice="")


@fact
class RecordingMasked(Event):
    """From now on the file has silence in place of what is said, or no longer."""

    TOPIC = "call.recording_masked.1"

    recording: str
    masked: bool
    by: str

    def apply(self, aggregate: Call) -> None:
        _change(aggregate, self.recording, masked=self.masked)


@fact
class RecordingPaused(Event):
    """From now on nothing is added to the file, or again."""

    TOPIC = "call.recording_paused.1"

    recording: str
    paused: bool
    by: str

    def apply(self, aggregate: Call) -> None:
        _change(aggregate, self.recording, paused=self.paused)


@fact
class RecordingEnded(Event):
    """Nothing is added any more, although the call goes on."""

    TOPIC = "call.recording_ended.1"

    recording: str
    by: str

    def apply(self, aggregate: Call) -> None:
        _change(aggregate, self.recording, over=True)


@fact
class RecordingStopped(Event):
    """Its file is in the storage, or there is none, for the reason that `kept` says."""

    TOPIC = "call.recording_stopped.1"

    recording: str
    kept: Kept

    def apply(self, aggregate: Call) -> None:
        aggregate.recordings = tuple(one for one in aggregate.recordings if one.id != self.recording)


@fact
class RecordingErased(Event):
    """Its file is no more, because of `why`: `retention`, or somebody's wish."""

    TOPIC = "call.recording_erased.1"

    recording: str
    why: str

    def apply(self, aggregate: Call) -> None:
        """The call had done with it when its file was in the storage."""


def _change(call: Call, recording: str, **fields: Any) -> None:
    call.recordings = tuple(
        msgspec.structs.replace(one, **fields) if one.id == recording else one for one in call.recordings
    )
