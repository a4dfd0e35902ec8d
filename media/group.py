"""The rooms of one rate: who is where in the matrices of a tick, and the mix.

What may live here: indices, made anew when a context changes so that a tick need not ask, and what a tick does with
them. A *place* is a row of this group's matrices, legs of one room side by side; a *row* is one of all that lasts
(`media.columns`). G.711 legs share matrices at 8000 Hz with those of the other groups: there they are side by side too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from media import g711, mixer
from media.header import Numbers
from media.jitter import FRAME_MS
from media.mixer import Gains, Sums
from media.pcm import Samples
from media.play import Playback
from media.resample import Resampler
from media.room import Room
from media.stream import Stream


class Block:
    """The G.711 legs of a group, one direction: their places here, their part of the shared matrix, the way there."""

    def __init__(self, streams: Sequence[Stream], places: list[int], start: int, rates_hz: tuple[int, int]) -> None:
        self.rows: Numbers = np.array([streams[place].row for place in places], dtype=np.int64)
        self.places = np.array(places, dtype=np.int64)
        self.part = slice(start, start + len(places))
        self.whole = len(places) == len(streams) and rates_hz[0] == rates_hz[1]
        """whether the part is this group's matrix"""
        self._resampler = Resampler(*rates_hz, streams=len(places))

    def resample(self, frames: Samples) -> Samples:
        return self._resampler.resample(frames)

    def follow(self, before: Block) -> None:
        """Go on with the streams that were there before."""
        if self._resampler.delay:
            old = {row: n for n, row in enumerate(before.rows.tolist())}
            before._resampler.arrange(np.array([old.get(row, -1) for row in self.rows.tolist()], dtype=np.int64))
            self._resampler = before._resampler


class Group:
    """Rooms of one leg or more each."""

    def __init__(self, rate_hz: int, rooms: Sequence[Room], starts: tuple[int, int]) -> None:
        """`starts` is where the parts of the shared matrices begin, of what comes and of what is sent."""
        self.rate_hz = rate_hz
        rooms = sorted(rooms, key=lambda room: len(room.streams))
        self.rooms = tuple(rooms)
        self.streams = tuple(stream for room in rooms for stream in room.streams.values())
        self.rows: Numbers = np.array([stream.row for stream in self.streams], dtype=np.int64)
        self.bounds = mixer.Rooms.of_sizes([len(room.streams) for room in rooms])
        legs = [stream.leg for stream in self.streams]
        self._gains: Gains = np.array(
            [0.0 if leg.muted or not leg.receives else 10 ** (leg.gain_db / 20) for leg in legs], dtype=np.float32
        )
        self._plain = bool((self._gains == 1).all())
        self._ends: Gains | None = None
        """with which gains of the limiter the tick before ended"""
        self._deaf = np.flatnonzero([leg.deaf for leg in legs])
        self._samples = rate_hz * FRAME_MS // 1000
        narrow_hz = g711.SAMPLE_RATE_HZ
        heard = [place for place, stream in enumerate(self.streams) if stream.hearing is None]
        sent = [place for place, stream in enumerate(self.streams) if stream.law is not None and stream.leg.sends]
        self.incoming = Block(self.streams, heard, starts[0], (narrow_hz, rate_hz))
        self.outgoing = Block(self.streams, sent, starts[1], (rate_hz, narrow_hz))
        self._hearing = [place for place, stream in enumerate(self.streams) if stream.hearing is not None]
        self.speaking = [
            place for place, stream in enumerate(self.streams) if stream.speaking is not None and stream.leg.sends
        ]
        self._listening = [place for place, stream in enumerate(self.streams) if stream.leg.inband_dtmf]
        self.listening = [self.streams[place] for place in self._listening]
        """in whose sound digits are looked for"""
        self._playing = [place for place, stream in enumerate(self.streams) if stream.plays]
        self._busy_rooms = [number for number, room in enumerate(rooms) if room.plays or room.recordings or room.span]

    def follow(self, before: Group) -> None:
        """Go on with what the group of this rate had in mind."""
        self.incoming.follow(before.incoming)
        self.outgoing.follow(before.outgoing)

    def gather(self, narrow: Samples, now_ms: float) -> Samples:
        """What each leg says, (legs, samples), out of the shared matrix of G.711 and of codecs of their own."""
        part = narrow[self.incoming.part]
        if self.incoming.whole:
            frames = part
        else:
            frames = np.zeros((len(self.streams), self._samples), dtype=np.int16)
            if len(part):
                frames[self.incoming.places] = self.incoming.resample(part)
        for place in self._hearing:
            hearing = self.streams[place].hearing
            frame = hearing.frame(now_ms) if hearing is not None else None
            if frame is not None:
                frames[place] = frame
        for place in self._listening:
            self.streams[place].listen_for_keys(frames[place])
        return frames if self._plain else mixer.amplified(frames, self._gains)

    def mix(self, frames: Samples, gains: Gains) -> Samples:
        """What each leg hears; `gains` of all rows are the limiter's, and are kept there."""
        totals = mixer.sums(frames, self.bounds)
        for number in self._busy_rooms:
            self._enrich(number, totals, frames)
        heard = mixer.others(frames, self.bounds, totals)
        if len(self._deaf):
            heard[self._deaf] = 0
        before = gains[self.rows] if self._ends is None else self._ends
        limited, self._ends = mixer.limit(heard, before)
        if self._ends is not before:
            gains[self.rows] = self._ends
        for place in self._playing:
            frame = self.streams[place].play()
            if frame is not None:
                limited[place] = frame
        return limited

    def hand_out(self, heard: Samples, narrow: Samples) -> None:
        """Bring what G.711 legs hear into the shared matrix."""
        if self.outgoing.whole:
            narrow[self.outgoing.part] = heard
        elif len(self.outgoing.places):
            narrow[self.outgoing.part] = self.outgoing.resample(heard[self.outgoing.places])

    def playbacks(self) -> Iterator[tuple[str, str, Playback]]:
        """All that is played: context, leg (empty if all hear it), what."""
        for number in self._busy_rooms:
            for playback in self.rooms[number].plays.values():
                yield self.rooms[number].name, "", playback
        for place in self._playing:
            stream = self.streams[place]
            for playback in stream.plays.values():
                yield stream.context, stream.leg.id, playback

    def _enrich(self, number: int, totals: Sums, frames: Samples) -> None:
        """Add what all in a room are to hear, be it from other workers, and record it."""
        room = self.rooms[number]
        for playback in room.plays.values():
            frame = playback.frame()
            if frame is not None:
                totals[number] += frame
        if room.span is not None:
            room.span.exchange(totals[number])
        if room.recordings:
            mixed = mixer.bent(totals[number])
            spoken = {stream.leg.id: frames[place] for place, stream in self._members(number)}
            for recording in room.recordings.values():
                left, right = recording.record.sides
                stereo = recording.track.channels > 1
                recording.write(spoken.get(left) if stereo else mixed, spoken.get(right))

    def _members(self, number: int) -> list[tuple[int, Stream]]:
        start = int(self.bounds.starts[number])
        return list(enumerate(self.rooms[number].streams.values(), start))
