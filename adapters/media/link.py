"""The connection to a media worker's control socket, made again whenever it is gone.

What may live here: the socket. What is said and what that means is the pool's and the performer's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from media.wire import FrameError, Frames, FromWorker, ToWorker, frame, from_worker

_log = structlog.get_logger(__name__)
_AGAIN_S = 0.02
"""A worker that died is there again in some tenths of a second, and calls are silent until then."""
_CHUNK_BYTES = 1 << 16
_MOST_UNSENT_BYTES = 64 << 20
"""A worker that reads nothing any more is parted with: it is told all again when it does."""


class Link:
    """`run` it; all methods are of the loop's thread. `heard` is told every message, `parted` whenever the end came."""

    def __init__(self, path: Path, heard: Callable[[FromWorker], None], parted: Callable[[], None]) -> None:
        self._path, self._heard, self._parted = path, heard, parted
        self._writer: asyncio.StreamWriter | None = None

    def send(self, message: ToWorker) -> None:
        """What is said while the worker is away is lost: it is told all again."""
        writer = self._writer
        if writer is None:
            return
        writer.write(frame(message))
        if writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            writer.transport.abort()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                await asyncio.sleep(_AGAIN_S)
                continue
            try:
                await self._read(reader)
            finally:
                writer, self._writer = self._writer, None
                writer.close()
                self._parted()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            await asyncio.sleep(_AGAIN_S)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = Frames()
        try:
            while data := await reader.read(_CHUNK_BYTES):
                for body in frames.feed(data):
                    self._heard(from_worker.decode(body))
        except OSError:
            return
        except (FrameError, msgspec.DecodeError) as error:
            _log.error("a media worker said what is not understood: is it of another version?", reason=str(error))
