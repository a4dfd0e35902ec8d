"""What is played and recorded in contexts, kept as it shall be.

What may live here: which plays and recordings begin, change and end. Sounds come from `media.play`, files go to
`media.record`.
"""

from __future__ import annotations

from collections.abc import Iterable

from media.play import Library, Playback
from media.record import Recorder, Recording
from media.room import Room
from media.wire import Left, Play, Record, RecordClosed


class Studio:
    """For all contexts. Of the tick's thread."""

    def __init__(self, library: Library, recorder: Recorder) -> None:
        self._library = library
        self._recorder = recorder
        self._leaving: dict[str, list[Recording]] = {}
        """files of contexts that move to other workers, as long as they are written here"""

    def furnish(self, room: Room) -> None:
        """Let there be in a room what is desired: what is there already goes on, of a mix of another rate too."""
        self._record(room)
        rate_hz = room.rate_hz
        for stream in room.streams.values():
            if stream.rate_hz != rate_hz:
                stream.tune(rate_hz)
            stream.plays = self._played(stream.plays, stream.leg.plays, rate_hz)
        room.plays = self._played(room.plays, room.desired.plays, rate_hz)

    def clear(self, room: Room) -> None:
        """A context is over."""
        for recording in room.recordings.values():
            recording.close()
        room.recordings.clear()

    def leave(self, room: Room) -> None:
        """A context is over here, and goes on elsewhere; `left` tells when."""
        for recording in room.recordings.values():
            recording.leave()
        self._leaving[room.name] = list(room.recordings.values())
        room.recordings.clear()

    @property
    def leaving(self) -> int:
        """How many contexts `left` has not told yet."""
        return len(self._leaving)

    def left(self) -> list[Left]:
        """Contexts of which no file is written here any more."""
        if not self._leaving:
            return []
        found = [name for name, recordings in self._leaving.items() if all(one.ended for one in recordings)]
        for name in found:
            del self._leaving[name]
        return [Left(name) for name in found]

    def closed(self) -> list[RecordClosed]:
        """Files that are whole by now."""
        return self._recorder.closed()

    def close(self) -> list[RecordClosed]:
        """Write what there is yet to be written, and end."""
        self._library.close()
        self._recorder.close()
        return self._recorder.closed()

    def _played(self, before: dict[str, Playback], wanted: Iterable[Play], rate_hz: int) -> dict[str, Playback]:
        """A play that was there already goes on; one that ended does not begin again."""
        found = {}
        for play in wanted:
            playback = before.get(play.id)
            if playback is None or playback.play != play:
                found[play.id] = self._library.play(play, rate_hz)
                continue
            found[play.id] = playback
            if playback.clock_rate_hz != rate_hz and not playback.done:
                self._library.retune(playback, rate_hz)
        return found

    def _record(self, room: Room) -> None:
        wanted = {record.id: record for record in room.desired.records}
        for name, recording in list(room.recordings.items()):
            if name not in wanted or _is_another(recording, wanted[name]):
                recording.close()
                del room.recordings[name]
        rate_hz = room.rate_hz
        for name, record in wanted.items():
            if name in room.recordings:
                room.recordings[name].update(record)
            else:
                room.recordings[name] = self._recorder.open(room.name, record, rate_hz)


def _is_another(recording: Recording, record: Record) -> bool:
    """Whether a file is to be another one, not only masked or paused."""
    before = recording.record
    return (before.path, before.layout, before.sides) != (record.path, record.layout, record.sides)
