"""What recording costs a media worker: CPU of one core a call, of the tick's part and the writing thread's together.

Frames come in real time, for the two share Python's lock. Beside it stands a bare loop that writes the same bytes a
second at a time and hashes them at the end.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from bench.table import Line, Row
from media.record import FRAMES_PER_S, Recorder
from media.wire import Record

CALLS = 100
SECONDS, QUICK_SECONDS = 30, 6
YARDSTICK = "bare os.write of the same seconds, SHA-256, fsync"
_RATE_HZ = 8000
_KEY = bytes(range(32))
_KINDS = (("mixed", b""), ("stereo", b""), ("stereo", _KEY))


def rows(folder: Path, quick: bool) -> list[Line]:
    """A row a layout, and one sealed."""
    return list(_rows(folder, QUICK_SECONDS if quick else SECONDS))


def _rows(folder: Path, seconds: int) -> Iterator[Row]:
    for layout, key in _KINDS:
        name = f"{layout}{', sealed' if key else ''}"
        below = folder / name.replace(", ", "-")
        below.mkdir()
        sides = 2 if layout == "stereo" else 1
        idle = _cpu_share(seconds, lambda _: None)
        calls = _Calls(below, layout, key)
        busy = _cpu_share(seconds, calls.tick)
        ended = time.process_time()
        closed = calls.close()
        busy += (time.process_time() - ended) / seconds
        if closed != CALLS:
            raise RuntimeError(f"{closed} of {CALLS} recordings were closed well")
        yield Row(
            f"recording of {CALLS} calls, {name}: CPU of a core a call",
            (busy - idle) / CALLS * 100,
            "%",
            YARDSTICK,
            _bare_share(below, seconds, sides) / CALLS * 100,
            worst={"longest frame of all calls ms": calls.longest_s * 1000},
            facts={"tick's part %": calls.spent_s / seconds / CALLS * 100, "seconds": seconds},
        )


class _Calls:
    """Recordings, and how long the tick was with them."""

    def __init__(self, folder: Path, layout: str, key: bytes) -> None:
        self._recorder = Recorder()
        frames = np.random.default_rng(1).integers(-9000, 9000, (CALLS, _RATE_HZ // FRAMES_PER_S))
        records = [Record(str(n), str(folder / f"{n}.wav"), layout, key=key) for n in range(CALLS)]
        recordings = [self._recorder.open("bench", record, _RATE_HZ) for record in records]
        self._pairs = list(zip(recordings, frames.astype(np.int16), strict=True))
        self.spent_s = self.longest_s = 0.0

    def tick(self, _: int) -> None:
        begun_s = time.perf_counter()
        for recording, frame in self._pairs:
            recording.write(frame, frame)
        took_s = time.perf_counter() - begun_s
        self.spent_s += took_s
        self.longest_s = max(self.longest_s, took_s)

    def close(self) -> int:
        """How many files are whole."""
        for recording, _ in self._pairs:
            recording.close()
        self._recorder.close()
        return sum(not one.reason for one in self._recorder.closed())


def _cpu_share(seconds: int, work: Callable[[int], None]) -> float:
    """CPU seconds a second of this process while `work` is done each 20 ms."""
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    for number in range(seconds * FRAMES_PER_S):
        work(number)
        time.sleep(max(0.0, begun_s + (number + 1) / FRAMES_PER_S - time.perf_counter()))
    return (time.process_time() - cpu_s) / seconds


def _bare_share(folder: Path, seconds: int, sides: int) -> float:
    piece = bytes(2 * sides * _RATE_HZ)
    begun_s = time.process_time()
    for call in range(CALLS):
        file = os.open(folder / f"bare-{call}", os.O_WRONLY | os.O_CREAT)
        digest = hashlib.sha256()
        for _ in range(seconds):
            os.write(file, piece)
            digest.update(piece)
        os.fsync(file)
        os.close(file)
    return (time.process_time() - begun_s) / seconds
