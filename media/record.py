"""What is recorded: the tick hands over frames, a thread writes them.

What may live here: the queue between the two, its bounds, and the thread. The form of files is `media.container`'s.

The tick copies each frame into a buffer of a second and hands over whole ones, so it never waits for a storage. What
the queue has no room for is lost and written as silence of the same length; a file that cannot be written any more
ends, with a reason, and nothing else does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.container import Container, ContainerError, contain
from media.pcm import Samples
from media.resample import Resampler
from media.track import Track
from media.wire import Record, RecordClosed

FRAMES_PER_S = 50
MOST_WAITING_BYTES = 64 << 20
_SILENCE_BYTES = 1 << 20

Contain = Callable[[Path, Track, bytes], Container]
"""(path, track, key) -> the file. Raises ContainerError."""


class Recording:
    """One file as the tick sees it. It belongs to the tick's thread, and is made by `Recorder.open`."""

    def __init__(self, recorder: Recorder, context: str, record: Record, clock_rate_hz: int) -> None:
        self.context, self.record = context, record
        self.track = Track(clock_rate_hz, 2 if record.layout == "stereo" else 1)
        self.ended = False
        """Set by the thread: the file takes no more."""
        self._over = False
        self._recorder = recorder
        self._frame = clock_rate_hz // FRAMES_PER_S
        self._resamplers: dict[tuple[int, int], Resampler] = {}
        self._filled = 0
        self._lost = 0
        self._begin()

    def update(self, record: Record) -> None:
        """From the next frame on it is masked or paused as here; whatever else is new asks for another recording."""
        self.record = record

    def write(self, left: Samples | None, right: Samples | None = None) -> None:
        """The next frame, and that of the right side if it is stereo; None is silence. They are copied.

        Frames of another rate than the file's are resampled. Never blocks, never raises for what a storage does.
        """
        record = self.record
        if record.paused or self.ended or self._over:
            return
        if record.masked:
            left = right = None
        begin, end = self._filled, self._filled + self._frame
        self._left[begin:end] = 0 if left is None else left if len(left) == self._frame else self._resampled(0, left)
        if self._right is not None:
            sound = 0 if right is None else right if len(right) == self._frame else self._resampled(1, right)
            self._right[begin:end] = sound
        self._filled = end
        if end == self.track.clock_rate_hz:
            self._hand_over()

    def close(self) -> None:
        """Nothing comes any more: `Recorder.closed` tells when the file is whole."""
        if not self._over:
            self._hand_over(last=True)
            self._over = True

    def leave(self) -> None:
        """Another worker goes on with the file: once it `ended` here."""
        if not self._over:
            self._hand_over(last=True, leaves=True)
            self._over = True

    def _hand_over(self, last: bool = False, leaves: bool = False) -> None:
        piece = _Piece(self, self._lost, self._buffer[:, : self._filled], last, leaves)
        if self._recorder.take(piece):
            self._lost = 0
            self._begin()
        else:
            self._lost += self._filled
            self._filled = 0

    def _begin(self) -> None:
        """A buffer for a second, with a row a channel."""
        self._buffer: NDArray[np.int16] = np.empty((self.track.channels, self.track.clock_rate_hz), np.int16)
        self._left, self._right = self._buffer[0], self._buffer[1] if self.track.channels == 2 else None
        self._filled = 0

    def _resampled(self, channel: int, frame: Samples) -> Samples:
        """For a room whose rate changed: it may do so again."""
        way = channel, len(frame)
        if way not in self._resamplers:
            self._resamplers[way] = Resampler(len(frame) * FRAMES_PER_S, self.track.clock_rate_hz)
        return self._resamplers[way].resample(frame)


class _Piece(NamedTuple):
    """Samples for a file, after so many that were lost; none when it is to be opened."""

    recording: Recording
    lost: int
    samples: NDArray[np.int16]
    last: bool = False
    leaves: bool = False
    """the last one here, and not of the file"""


class Recorder:
    """All recordings of a worker and the thread that writes them. The methods are for the tick's thread."""

    def __init__(self, most_waiting_bytes: int = MOST_WAITING_BYTES, make: Contain = contain) -> None:
        """So much may wait for a slow storage; what comes beyond that is lost."""
        self._most_waiting_bytes = most_waiting_bytes
        self._handed_bytes = 0
        self._queue: SimpleQueue[_Piece | None] = SimpleQueue()
        self._writer = _Writer(self._queue, make)

    @property
    def waiting_bytes(self) -> int:
        """How much is handed over and not written yet."""
        return self._handed_bytes - self._writer.written_bytes

    def open(self, context: str, record: Record, clock_rate_hz: int) -> Recording:
        """Begin a file of 16-bit PCM at this rate, a multiple of 50 Hz. `closed` tells if that could not be done."""
        recording = Recording(self, context, record, clock_rate_hz)
        self._queue.put(_Piece(recording, 0, np.empty((recording.track.channels, 0), np.int16)))
        return recording

    def closed(self) -> list[RecordClosed]:
        """The files that were closed since this was asked last. One may end by itself, with a reason."""
        found = []
        while self._writer.closed:
            found.append(self._writer.closed.popleft())
        return found

    def close(self) -> None:
        """Wait until everything that was handed over is written; what was not closed stays as `PATH.part`. Blocks."""
        self._queue.put(None)
        self._writer.thread.join()

    def take(self, piece: _Piece) -> bool:
        """For recordings: whether there was room. There always is for the end of one, which is at most a second."""
        size = piece.samples.nbytes
        if not piece.last and self.waiting_bytes + size > self._most_waiting_bytes:
            return False
        self._handed_bytes += size
        self._queue.put(piece)
        return True


class _File:
    """A file that is being written, at its own rate: one that another worker began may have another than the frames."""

    def __init__(self, container: Container, track: Track) -> None:
        """Frames are of `track`. Raises ValueError for rates that have too little in common."""
        self.container = container
        self._from_hz, self._to_hz = track.clock_rate_hz, container.track.clock_rate_hz
        self._resampler = Resampler(self._from_hz, self._to_hz, track.channels)

    def write(self, piece: _Piece) -> None:
        """Silence for what was lost, then the samples. Raises OSError and ContainerError."""
        lost_bytes = piece.lost * self._to_hz // self._from_hz * self.container.track.width_bytes
        while lost_bytes:
            silence = bytes(min(lost_bytes, _SILENCE_BYTES))
            self.container.append(silence)
            lost_bytes -= len(silence)
        if piece.samples.shape[1]:
            interleaved = np.ascontiguousarray(self._resampler.resample(piece.samples).T)
            self.container.append(interleaved.reshape(-1).data.cast("B"))


class _Finishing(NamedTuple):
    """A file to which nothing is added, and why it ends if that was not asked for."""

    recording: Recording
    container: Container
    reason: str = ""


class _Writer:
    """The thread: pieces in the order in which they came; files are finished slice by slice between them."""

    def __init__(self, queue: SimpleQueue[_Piece | None], make: Contain) -> None:
        self.closed: deque[RecordClosed] = deque()
        self.written_bytes = 0
        self._queue, self._make = queue, make
        self._open: dict[Recording, _File] = {}
        self._finishing: deque[_Finishing] = deque()
        self.thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while True:
            try:
                piece = self._queue.get(block=not self._finishing)
            except Empty:
                self._finish_slice()
                continue
            if piece is None:
                break
            self._take(piece)
            self.written_bytes += piece.samples.nbytes
        while self._finishing:
            self._finish_slice()
        for file in self._open.values():
            file.container.abandon()

    def _take(self, piece: _Piece) -> None:
        recording = piece.recording
        try:
            file = self._open.get(recording)
            if file is None:
                if recording.ended:
                    return
                file = self._open[recording] = self._contain(recording)
            file.write(piece)
        except Exception as error:  # noqa: BLE001  boundary: one file's fault is not the others'
            self._end(recording, _reason(error))
        else:
            if piece.leaves:
                self._leave(recording)
            elif piece.last:
                self._end(recording)

    def _end(self, recording: Recording, reason: str = "") -> None:
        recording.ended = True
        file = self._open.pop(recording, None)
        if file is None:
            self._tell(recording, 0, "", reason)
        else:
            self._finishing.append(_Finishing(recording, file.container, reason))

    def _leave(self, recording: Recording) -> None:
        file = self._open.pop(recording)
        try:
            file.container.leave()
        except Exception:  # noqa: BLE001  boundary: as above; what is there by now is gone on with
            file.container.abandon()
        recording.ended = True

    def _contain(self, recording: Recording) -> _File:
        container = self._make(Path(recording.record.path), recording.track, recording.record.key)
        return _File(container, recording.track)

    def _finish_slice(self) -> None:
        recording, container, reason = self._finishing[0]
        try:
            sha256 = container.finish()
        except Exception as error:  # noqa: BLE001  boundary: as above
            container.abandon()
            sha256, reason = "", reason or _reason(error)
        if sha256 is not None:
            self._finishing.popleft()
            self._tell(recording, container.track.duration_ms(container.data_bytes), sha256, reason)

    def _tell(self, recording: Recording, duration_ms: int, sha256: str, reason: str) -> None:
        record = recording.record
        self.closed.append(RecordClosed(recording.context, record.id, record.path, sha256, duration_ms, reason))


def _reason(error: Exception) -> str:
    if isinstance(error, ContainerError):
        return str(error)
    if isinstance(error, OSError):
        return f"the storage failed: {error.strerror or error}"
    return f"a fault of Switchlog's own, please report it: {error!r}"
