"""What is played: a library that finds and converts sounds in a thread, and the tick's place in each of them.

What may live here: the thread, its bounded cache, and `Playback`. Formats and formulas are `media.sound`'s.

The tick never waits: `play` only asks, and until the sound is there a playback has nothing to be heard. One thread
reads all, so a storage that hangs delays what was not in memory yet and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from media.pcm import Samples
from media.sound import Sound, SoundError
from media.wire import Play

FRAMES_PER_S = 50
MOST_CACHED_BYTES = 128 << 20

Load = Callable[[Play, int], Sound]
"""(play, clock_rate_hz) -> the sound of its source with its gain. Blocks. Raises SoundError."""
_Key = tuple[str, bytes, float, int]


class Playback:
    """One play, frame by frame. It belongs to the tick's thread, and is made by `Library.play`."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.done = False
        """nothing comes any more"""
        self.reason = ""
        """why it ended before its end, if it did"""
        self.clock_rate_hz = 0
        """that was asked for"""
        self._coming: Future[Sound] | None = None
        self._samples: Samples | None = None
        self._frame = 0
        self._at = 0

    def frame(self) -> Samples | None:
        """The next 20 ms, not to be written to; None while nothing is there yet, and when it is done.

        `done` is set with the last frame, which silence fills up.
        """
        if self._samples is None and not self._arrived():
            return None
        assert self._samples is not None
        start, end = self._at, self._at + self._frame
        if end < len(self._samples):
            self._at = end
            return self._samples[start:end]
        return self._last(self._samples, start)

    def _arrived(self) -> bool:
        if self.done or self._coming is None or not self._coming.done():
            return False
        error = None if self._coming.cancelled() else self._coming.exception()
        if error is not None or self._coming.cancelled():
            self.done, self.reason = True, str(error or "the worker ends")
            return False
        sound = self._coming.result()
        self._samples, self._coming = sound.samples, None
        self._place(sound.clock_rate_hz)
        return True

    def _place(self, clock_rate_hz: int) -> None:
        """Stand where the old rate stood in time."""
        frame = clock_rate_hz // FRAMES_PER_S
        assert self._samples is not None
        if self._frame:
            self._at = min(self._at * frame // self._frame, len(self._samples) - 1)
        self._frame = frame

    def _last(self, samples: Samples, start: int) -> Samples:
        """The frame that reaches or passes the end: on from the start if it loops, however short the sound is."""
        if self.play.loop:
            self._at = (start + self._frame) % len(samples)
            return np.take(samples, range(start, start + self._frame), mode="wrap")
        self.done, self._samples = True, None
        frame = np.zeros(self._frame, np.int16)
        frame[: len(samples) - start] = samples[start:]
        return frame

    def await_sound(self, coming: Future[Sound], clock_rate_hz: int) -> None:
        """For the library: from now on play this, from the same moment on."""
        self.clock_rate_hz = clock_rate_hz
        if not self.done:
            self._coming, self._samples = coming, None


class Library:
    """Sounds by source, rate and gain. All methods are for the tick's thread, and none blocks but `close`."""

    def __init__(self, load: Load, most_bytes: int = MOST_CACHED_BYTES) -> None:
        """`load` runs in the library's thread; what it gives is kept until others need the room."""
        self._load = load
        self._most_bytes = most_bytes
        self._kept: OrderedDict[_Key, Sound] = OrderedDict()
        self._kept_bytes = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="library")

    def play(self, play: Play, clock_rate_hz: int) -> Playback:
        """Begin to play at this rate, a multiple of 50 Hz."""
        playback = Playback(play)
        self.retune(playback, clock_rate_hz)
        return playback

    def retune(self, playback: Playback, clock_rate_hz: int) -> None:
        """Go on at another rate, after a moment without sound."""
        coming = self._thread.submit(self._find, playback.play, clock_rate_hz)
        playback.await_sound(coming, clock_rate_hz)

    def close(self) -> None:
        """Wait for what is being loaded now; what was only asked for is never done."""
        self._thread.shutdown(cancel_futures=True)

    # --- in the thread

    def _find(self, play: Play, clock_rate_hz: int) -> Sound:
        key = play.source, play.key, play.gain_db, clock_rate_hz
        found = self._kept.get(key)
        if found is None or not found.is_current():
            found = self._load(play, clock_rate_hz)
            if not len(found.samples):
                raise SoundError(f"{play.source} holds no sound")
            self._keep(key, found)
        self._kept.move_to_end(key)
        return found

    def _keep(self, key: _Key, sound: Sound) -> None:
        old = self._kept.pop(key, None)
        self._kept[key] = sound
        self._kept_bytes += sound.samples.nbytes - (old.samples.nbytes if old else 0)
        while self._kept_bytes > self._most_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.samples.nbytes
