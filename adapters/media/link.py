"""The connection to a media worker's control socket, made again whenever it is gone.

What may live here: the socket, and whether the process behind it lives and works. What is said and what that
means is the pool's and the performer's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from adapters.media.heart import LOOK_EVERY_S, Heart
from adapters.media.process import Process
from media.wire import Alive, FrameError, Frames, FromWorker, Leaving, Retire, ToWorker, frame, from_worker

_log = structlog.get_logger(__name__)
_AGAIN_S = 0.02
"""A worker that died is there again in some tenths of a second, and calls are silent until then."""
_CHUNK_BYTES = 1 << 16
_MOST_UNSENT_BYTES = 64 << 20
"""A worker that reads nothing any more is parted with: it is told all again when it does."""


class Ears(NamedTuple):
    """Who is told what of a worker."""

    heard: Callable[[FromWorker], None]
    parted: Callable[[], None]
    """the connection has ended, not by us"""
    died: Callable[[], None]
    """and the process too: the kernel has closed all that it had open"""
    absent: Callable[[], None]
    """nobody listens; told again each time that this is found"""
    hung: Callable[[], None]
    """it stands still, and is killed now: nobody else could have its ports"""


class Link:
    """`run` it; all methods are of the loop's thread."""

    def __init__(self, path: Path, ears: Ears) -> None:
        self._path, self._ears = path, ears
        self._writer: asyncio.StreamWriter | None = None

    def send(self, message: ToWorker) -> None:
        """What is said while the worker is away is lost: it is told all again. So is what is too long for a frame: that
        context stays as it was, and the others are not kept from what they shall be.
        """
        writer = self._writer
        if writer is None:
            return
        try:
            writer.write(frame(message))
        except FrameError as error:
            context = "" if isinstance(message, Retire) else message.context
            _log.error("a media worker cannot be told of a context", context=context, reason=str(error))
            return
        if writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            writer.transport.abort()

    async def run(self) -> None:
        """Until it is cancelled."""
        with Process() as process:
            while True:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(self._path)
                except OSError:
                    self._ears.absent()
                else:
                    process.watch(self._writer.get_extra_info("socket"))
                    await self._until_the_end(reader, process)
                if await process.ends_within(_AGAIN_S):
                    self._ears.died()

    async def _until_the_end(self, reader: asyncio.StreamReader, process: Process) -> None:
        assert self._writer is not None
        heart = Heart()
        watching = asyncio.create_task(self._watch(heart, process))
        try:
            await self._read(reader, heart)
        finally:
            watching.cancel()
            writer, self._writer = self._writer, None
            writer.close()
        self._ears.parted()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _watch(self, heart: Heart, process: Process) -> None:
        """Rooms are silent for as long as their worker stands still, and no other can have them before it has ended."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if heart.stands_still():
                break
        self._ears.hung()
        process.kill()

    async def _read(self, reader: asyncio.StreamReader, heart: Heart) -> None:
        frames = Frames()
        try:
            while data := await reader.read(_CHUNK_BYTES):
                heart.beat()
                for body in frames.feed(data):
                    self._hear(from_worker.decode(body), heart)
        except OSError:
            return
        except (FrameError, msgspec.DecodeError) as error:
            _log.error("a media worker said what is not understood: is it of another version?", reason=str(error))

    def _hear(self, message: FromWorker, heart: Heart) -> None:
        if isinstance(message, Leaving):
            heart.excuse()
        if not isinstance(message, Alive):
            self._ears.heard(message)
