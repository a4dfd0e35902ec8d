"""The recordings of this process's calls: which file each is, and what is owed for one that is over.

What may live here: that a file is brought to the storage, and that its call is told. All of that blocks, so it is done
in a thread, once at a time for each recording, and again until it is done: after a restart too, since calls owe it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from domain.call.call import Call
from domain.call.input import Input, RecordingKept
from domain.call.recording import Kept, Recording, call_of_recording
from domain.ports import JournalError
from domain.switchboard import NotOwned
from media.wire import Record, RecordClosed
from switchlog.studio.reel import ReelStore

_log = structlog.get_logger(__name__)
_AGAIN_S = (2.0, 5.0, 15.0, 60.0, 300.0)
"""How long is waited before something is tried again; the last one for ever."""
_WRITER_GRACE_S = 5.0
"""How long a media worker may take to close a file before it is seen to without it: it may have died."""
Work = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""(work, done): do something that blocks in a thread, then tell `done` its result, or the exception that it raised"""


def at_once(work: Callable[[], Any], done: Callable[[Any], None]) -> None:
    """Where nothing else waits meanwhile, as in tests."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  as it is told in a thread
        result = error
    done(result)


class ReelParts(NamedTuple):
    """What the reels are built from."""

    store: ReelStore
    work: Work
    clock: Callable[[], datetime]
    find: Callable[[UUID], Call | None]
    """a call of our shards"""
    tell: Callable[[UUID, Input, Callable[[], None]], None]
    """let a call decide on what happened; the last one is called once that is durable. Raises JournalError, NotOwned"""


class _Owed:
    """A recording that is over; `due` is when it is seen to, None while that goes on."""

    def __init__(self, call: Call, recording: Recording, due: datetime | None) -> None:
        self.call, self.tenant, self.recording, self.due = call.id, call.tenant, recording, due
        self.tries = 0
        self.why = ""


class ReelRoom:
    """`adapters.media.relay.Reels`. All methods are of the loop's thread."""

    def __init__(self, parts: ReelParts) -> None:
        self._parts = parts
        self._owed: dict[str, _Owed] = {}
        self._closed: dict[str, str] = {}
        """Those whose files are closed, but of which the calls say nothing yet -> why, if before they were to"""

    def __len__(self) -> int:
        """How many are on their way to the storage."""
        return len(self._owed)

    def record(self, tenant: str, recording: Recording, sides: tuple[str, str]) -> Record:
        store = self._parts.store
        return Record(
            id=recording.id,
            path=str(store.path(recording.id)),
            layout=recording.layout,
            sides=sides,
            masked=recording.masked,
            paused=recording.paused,
            key=store.key(tenant, recording.id),
        )

    def closed(self, message: RecordClosed) -> None:
        if message.reason:
            _log.error(
                "a recording ended before it was to, and its call goes on without it; what there was is kept: see that"
                " the disk of the data folder has room and can be written",
                recording=message.record,
                reason=message.reason,
            )
        owed = self._owed.get(message.record)
        if owed is None:
            if self._is_wanted(message.record):  # else it is said late, or again, and nobody would ever ask for it
                self._closed[message.record] = message.reason
        elif owed.due is not None:
            owed.why = message.reason
            self._see_to(message.record, owed)

    def keep(self, call: Call, recording: str) -> None:
        found = next((one for one in call.recordings if one.id == recording), None)
        if recording in self._owed or found is None:
            return
        due = self._parts.clock() + timedelta(seconds=_WRITER_GRACE_S)
        owed = self._owed[recording] = _Owed(call, found, due)
        if recording in self._closed:
            owed.why = self._closed.pop(recording)
            self._see_to(recording, owed)

    def leave(self, is_left: Callable[[UUID], bool]) -> None:
        """Forget those of calls that are not ours any more."""
        self._owed = {name: owed for name, owed in self._owed.items() if not is_left(owed.call)}
        self._closed = {name: why for name, why in self._closed.items() if not is_left(call_of_recording(name))}

    # --- time

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return min((owed.due for owed in self._owed.values() if owed.due is not None), default=None)

    def on_due(self, now: datetime) -> None:
        """See to those that wait."""
        for recording, owed in list(self._owed.items()):
            if owed.due is not None and owed.due <= now:
                self._see_to(recording, owed)

    # --- parts

    def _is_wanted(self, recording: str) -> bool:
        """Whether its call is still to say that it is over, and so `keep`."""
        call = self._parts.find(call_of_recording(recording))
        return call is not None and any(one.id == recording for one in call.recordings)

    def _see_to(self, recording: str, owed: _Owed) -> None:
        owed.due = None
        work = partial(self._parts.store.keep, owed.tenant, owed.recording, owed.why, owed.tries)
        self._parts.work(work, partial(self._done, recording))

    def _done(self, recording: str, result: Kept | Exception) -> None:
        owed = self._owed.get(recording)
        if owed is None:
            return
        if isinstance(result, Exception):
            self._again(recording, owed, str(result))
            return
        inp = RecordingKept(f"recording:{recording}", "media", recording, result)
        try:
            self._parts.tell(owed.call, inp, partial(self._kept, recording))
        except (JournalError, NotOwned) as error:
            self._again(recording, owed, str(error))

    def _again(self, recording: str, owed: _Owed, reason: str) -> None:
        wait_s = _AGAIN_S[min(owed.tries, len(_AGAIN_S) - 1)]
        owed.tries += 1
        owed.due = self._parts.clock() + timedelta(seconds=wait_s)
        log = _log.error if owed.tries >= len(_AGAIN_S) else _log.warning
        log(
            "a recording is not in the storage yet, and waits in the data folder: see that SWITCHLOG_STORAGE can be"
            " written and has room",
            recording=recording,
            reason=reason,
            again_s=wait_s,
        )

    def _kept(self, recording: str) -> None:
        self._owed.pop(recording, None)
        self._parts.work(partial(self._parts.store.tidy, recording), lambda result: None)
