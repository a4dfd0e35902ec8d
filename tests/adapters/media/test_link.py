"""The connection to a worker: it comes again, and what comes over it is told in order."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.media.link import Ears, Link
from media.wire import (
    LONGEST_FRAME_BYTES,
    Drop,
    Frames,
    FromWorker,
    Inventory,
    Leaving,
    Load,
    Ready,
    frame,
    to_worker,
)

pytestmark = pytest.mark.asyncio


class Worker:
    """A control socket as a worker has it, and what was said to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: asyncio.Queue[object] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        writer.write(frame(Inventory()))
        frames = Frames()
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                for body in frames.feed(data):
                    self.said.put_nowait(to_worker.decode(body))


class Ear:
    """What a link tells, one after the other."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[FromWorker | str | None] = asyncio.Queue()
        self.absent = asyncio.Event()

    async def next(self) -> FromWorker | str | None:
        return await asyncio.wait_for(self.told.get(), 5)


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest_asyncio.fixture
async def link(tmp_path: Path, ear: Ear) -> AsyncIterator[Link]:
    tell = ear.told.put_nowait
    ears = Ears(tell, lambda: tell(None), lambda: tell("dead"), ear.absent.set, lambda: tell("hung"))
    made = Link(tmp_path / "media.sock", ears)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_it_waits_for_a_worker_and_tells_what_that_says(tmp_path: Path, link: Link, ear: Ear) -> None:
    link.send(Drop("nobody hears it", 1))
    worker = Worker(tmp_path / "media.sock")
    await worker.start()
    assert await ear.next() == Inventory()
    worker.writers[0].write(frame(Ready("room", 1)) + frame(Load(3, 4)))
    assert [await ear.next(), await ear.next()] == [Ready("room", 1), Load(3, 4)]
    link.send(Drop("room", 7))
    assert await asyncio.wait_for(worker.said.get(), 5) == Drop("room", 7)
    await worker.stop()


async def test_a_worker_that_is_started_again_is_found(tmp_path: Path, link: Link, ear: Ear) -> None:
    worker = Worker(tmp_path / "media.sock")
    for _ in range(2):
        await worker.start()
        assert await ear.next() == Inventory()
        await worker.stop()
        assert await ear.next() is None


@pytest.mark.parametrize(
    "noise", [b"\xff" * 8, lambda: frame(Ready("room", 1))[:4] + b"\xc1" * 100], ids=["no frame", "no message"]
)
async def test_what_is_no_message_ends_the_connection_and_not_the_link(
    tmp_path: Path, link: Link, ear: Ear, noise: bytes | Callable[[], bytes]
) -> None:
    worker = Worker(tmp_path / "media.sock")
    await worker.start()
    assert await ear.next() == Inventory()
    worker.writers[0].write(noise if isinstance(noise, bytes) else noise())
    assert await ear.next() is None
    assert await ear.next() == Inventory()
    await worker.stop()


async def test_what_is_too_long_for_a_frame_keeps_nothing_else_from_the_worker(
    tmp_path: Path, link: Link, ear: Ear
) -> None:
    worker = Worker(tmp_path / "media.sock")
    await worker.start()
    assert await ear.next() == Inventory()
    link.send(Drop("x" * LONGEST_FRAME_BYTES, 1))
    link.send(Drop("room", 7))
    assert await asyncio.wait_for(worker.said.get(), 5) == Drop("room", 7)
    await worker.stop()


async def test_who_leaves_by_itself_is_not_told_that_the_worker_is_gone(tmp_path: Path, ear: Ear) -> None:
    worker = Worker(tmp_path / "media.sock")
    await worker.start()
    tell = ear.told.put_nowait
    ears = Ears(tell, lambda: tell("gone"), lambda: tell("dead"), ear.absent.set, lambda: tell("hung"))
    running = asyncio.create_task(Link(tmp_path / "media.sock", ears).run())
    assert await ear.next() == Inventory()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert ear.told.empty()
    await worker.stop()


_LISTENER = """
import socket, sys, time
from media.wire import Inventory, frame
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
connection, _ = listener.accept()
connection.sendall(frame(Inventory()))
if sys.argv[2] == "lives":
    connection.close()
    connection, _ = listener.accept()
    connection.sendall(frame(Inventory()))
time.sleep(60)
"""


@pytest.mark.parametrize("lives", [False, True])
async def test_a_process_that_has_ended_is_told_from_a_connection_that_has(
    tmp_path: Path, link: Link, ear: Ear, lives: bool
) -> None:
    """What the dead had open may be opened anew, and nothing of what the living has."""
    await asyncio.wait_for(ear.absent.wait(), 5)
    script = (sys.executable, "-c", _LISTENER, str(tmp_path / "media.sock"), "lives" if lives else "dies")
    process = await asyncio.create_subprocess_exec(*script)
    assert await asyncio.wait_for(ear.told.get(), 20) == Inventory()
    if lives:
        assert await ear.next() is None
        assert await ear.next() == Inventory(), "it was connected again, and not taken for dead"
    process.kill()
    assert await ear.next() is None
    assert await ear.next() == "dead"
    await process.wait()


_SPEAKER = """
import os, socket, sys, time
from media.wire import Alive, Inventory, Leaving, Ready, frame
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
connection, _ = listener.accept()
connection.sendall(frame(Inventory()))
words = {"works": [Alive()] * 15, "hangs": [Alive()], "leaves": [Alive(), Leaving()]}[sys.argv[2]]
for word in words:
    connection.sendall(frame(word))
    time.sleep(0.1)
if sys.argv[2] == "hangs":
    while True:
        pass
if sys.argv[2] == "leaves":
    time.sleep(1.5)
connection.sendall(frame(Ready("room", 1)))
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("works", [Inventory(), Ready("room", 1), "hung", None, "dead"]),
        ("hangs", [Inventory(), "hung", None, "dead"]),
        ("leaves", [Inventory(), Leaving(), Ready("room", 1)]),
    ],
)
async def test_a_worker_that_says_nothing_any_more_is_killed(
    tmp_path: Path, link: Link, ear: Ear, does: str, told: list[FromWorker | str | None]
) -> None:
    """One that is about to end may be silent: it writes what it has recorded."""
    path = tmp_path / "media.sock"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _SPEAKER, str(path), does)
    try:
        assert [await asyncio.wait_for(ear.told.get(), 20) for _ in told] == told
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
