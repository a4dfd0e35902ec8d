"""What is recorded: the tick hands over frames, a thread writes them.

What may live here: the queue between the two, its bounds, and the thread. The form of files is `media.container`'s.

The tick copies each frame into a buffer of a second and hands over whole ones, so it never waits for a storage. What
the queue has no room for is lost and written as silence of the same length; a file that cannot be written any more
ends, with a reason, and nothing else does.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.container import Container, ContainerError, WaveFile
from media.pcm import Samples
from media.wire import Record, RecordClosed

FRAMES_PER_S = 50
MOST_WAITING_BYTES = 64 << 20
_SILENCE_BYTES = 1 << 20


class Recording:
    """One file as the tick sees it. It belongs to the tick's thread, and is made by `Recorder.open`."""

    def __init__(self, recorder: Recorder, context: str, record: Record, clock_rate_hz: int) -> None:
        self.context, self.record, self.clock_rate_hz = context, record, clock_rate_hz
        self.channels = 2 if record.layout == "stereo" else 1
        self.ended = False
        """Set by the thread: the file takes no more."""
        self._over = False
        self._recorder = recorder
        self._frame = clock_rate_hz // FRAMES_PER_S
        self._buffer = self._empty()
        self._filled = 0
        self._lost = 0

    def update(self, record: Record) -> None:
        """From the next frame on it is masked or paused as here; whatever else is new asks for another recording."""
        self.record = record

    def write(self, left: Samples | None, right: Samples | None = None) -> None:
        """The next frame, and that of the right side if it is stereo; None is silence. They are copied.

        Never blocks, never raises for what a storage does.
        """
        if self.record.paused or self.ended or self._over:
            return
        end = self._filled + self._frame
        piece = self._buffer[self._filled : end]
        for channel, frame in enumerate((left, right)[: self.channels]):
            piece[:, channel] = 0 if frame is None or self.record.masked else frame
        self._filled = end
        if end == len(self._buffer):
            self._hand_over()

    def close(self) -> None:
        """Nothing comes any more: `Recorder.closed` tells when the file is whole."""
        if not self._over:
            self._hand_over(last=True)
            self._over = True

    def _hand_over(self, last: bool = False) -> None:
        piece = _Piece(self, self._lost, self._buffer[: self._filled], last)
        if self._recorder.take(piece):
            self._buffer, self._lost = self._empty(), 0
        else:
            self._lost += self._filled
        self._filled = 0

    def _empty(self) -> NDArray[np.int16]:
        return np.empty((self.clock_rate_hz, self.channels), np.int16)


class _Piece(NamedTuple):
    """Samples for a file, after so many that were lost; none when it is to be opened."""

    recording: Recording
    lost: int
    samples: NDArray[np.int16]
    last: bool = False


class Recorder:
    """All recordings of a worker and the thread that writes them. The methods are for the tick's thread."""

    def __init__(self, most_waiting_bytes: int = MOST_WAITING_BYTES) -> None:
        """So much may wait for a slow storage; what comes beyond that is lost."""
        self._most_waiting_bytes = most_waiting_bytes
        self._handed_bytes = 0
        self._queue: SimpleQueue[_Piece | None] = SimpleQueue()
        self._writer = _Writer(self._queue)

    def open(self, context: str, record: Record, clock_rate_hz: int) -> Recording:
        """Begin a file of 16-bit PCM at this rate, a multiple of 50 Hz. `closed` tells if that could not be done."""
        recording = Recording(self, context, record, clock_rate_hz)
        self._queue.put(_Piece(recording, 0, np.empty((0, recording.channels), np.int16)))
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
        waiting = self._handed_bytes - self._writer.written_bytes
        if not piece.last and waiting + size > self._most_waiting_bytes:
            return False
        self._handed_bytes += size
        self._queue.put(piece)
        return True


class _Open(NamedTuple):
    """A file that is being written or finished, and why it ends if that was not asked for."""

    recording: Recording
    container: Container
    reason: str = ""


class _Writer:
    """The thread: pieces in the order in which they came; files are finished slice by slice between them."""

    def __init__(self, queue: SimpleQueue[_Piece | None]) -> None:
        self.closed: deque[RecordClosed] = deque()
        self.written_bytes = 0
        self._queue = queue
        self._open: dict[Recording, Container] = {}
        self._finishing: deque[_Open] = deque()
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
        for container in self._open.values():
            container.abandon()

    def _take(self, piece: _Piece) -> None:
        recording = piece.recording
        try:
            container = self._open.get(recording)
            if container is None:
                if recording.ended:
                    return
                container = self._open[recording] = _container(recording)
            _write(container, piece)
        except (ContainerError, OSError) as error:
            self._end(recording, _reason(error))
        else:
            if piece.last:
                self._end(recording)

    def _end(self, recording: Recording, reason: str = "") -> None:
        recording.ended = True
        container = self._open.pop(recording, None)
        if container is None:
            self._tell(recording, 0, "", reason)
        else:
            self._finishing.append(_Open(recording, container, reason))

    def _finish_slice(self) -> None:
        recording, container, reason = self._finishing[0]
        try:
            if not container.digest():
                return
            sha256 = container.finish()
        except OSError as error:
            container.abandon()
            sha256, reason = "", reason or _reason(error)
        self._finishing.popleft()
        self._tell(recording, container.data_bytes, sha256, reason)

    def _tell(self, recording: Recording, data_bytes: int, sha256: str, reason: str) -> None:
        samples = data_bytes // (2 * recording.channels)
        record = recording.record
        duration_ms = samples * 1000 // recording.clock_rate_hz
        self.closed.append(RecordClosed(recording.context, record.id, record.path, sha256, duration_ms, reason))


def _container(recording: Recording) -> Container:
    return WaveFile(Path(recording.record.path), recording.clock_rate_hz, recording.channels)


def _write(container: Container, piece: _Piece) -> None:
    lost_bytes = piece.lost * piece.recording.channels * piece.samples.itemsize
    while lost_bytes:
        silence = bytes(min(lost_bytes, _SILENCE_BYTES))
        container.append(silence)
        lost_bytes -= len(silence)
    if len(piece.samples):
        container.append(piece.samples.data.cast("B"))


def _reason(error: Exception) -> str:
    return f"the storage failed: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)
