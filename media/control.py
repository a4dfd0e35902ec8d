"""The control socket: frames of `media.wire` from and to whoever owns contexts.

What may live here: connections, and which of them is told what. The worker listens; sessions processes connect, get the
inventory first of all, and then what happens in the contexts that they put. What happens while nobody is connected is
kept for the next one, as far as it is not soon out of date.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from media.wire import (
    Drop,
    FrameError,
    Frames,
    FromWorker,
    Inventory,
    Measured,
    OfWorker,
    PlayDone,
    Put,
    RecordClosed,
    Retire,
    ToWorker,
    frame,
    to_worker,
)

_CHUNK_BYTES = 1 << 16
_CHUNKS_A_POLL = 16
_MOST_UNREAD_BYTES = 16 << 20
_MOST_KEPT = 10_000
MOST_DROPPED = 10_000
"""So many contexts that were dropped are still known: each call may be one."""
_LASTING = (Measured, RecordClosed, PlayDone)


class ControlError(OSError):
    """The socket cannot be where it was to be: whoever started the worker has to name another path."""


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames = Frames()
        self.unsent = bytearray()
        self.stuck = False
        """whether the kernel is asked to say when more can be sent"""


class Control:
    """All connections. Of one thread; nothing blocks but `poll`, as long as it is told to."""

    def __init__(self, path: Path, run: str = "") -> None:
        """`run` names this process. Raises ControlError."""
        self._path, self._run = path, run
        self._connections: dict[int, _Connection] = {}
        self._owners: dict[str, int] = {}
        """contexts, and who put them last"""
        self._dropped: dict[str, None] = {}
        """those of them that are no more, the oldest first: what is left to say of them may still come"""
        self._kept: deque[FromWorker] = deque(maxlen=_MOST_KEPT)
        self._poll = select.epoll()
        self._listener = _listen(path)
        self._poll.register(self._listener, select.EPOLLIN)

    @property
    def connected(self) -> int:
        """How many there are."""
        return len(self._connections)

    def poll(self, timeout_s: float, inventory: Callable[[], Inventory]) -> list[ToWorker]:
        """What was said within so long, at once if there is something; newcomers get the inventory."""
        heard: list[ToWorker] = []
        for descriptor, _ in self._poll.poll(max(timeout_s, 0)):
            if descriptor == self._listener.fileno():
                self._welcome(inventory())
            else:
                heard += self._read(descriptor)
        return heard

    def tell(self, messages: Iterable[FromWorker]) -> None:
        """Send these to whom they concern: those of a context to who put it, the others to all."""
        for message in messages:
            if isinstance(message, OfWorker):
                for descriptor in list(self._connections):
                    self._send(descriptor, message)
                continue
            owner = self._owners.get(message.context)
            if owner is not None:
                self._send(owner, message)
            elif isinstance(message, _LASTING) and not (isinstance(message, Measured) and message.so_far):
                self._kept.append(message)

    def close(self) -> None:
        for descriptor in list(self._connections):
            self._part(descriptor)
        self._poll.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _welcome(self, inventory: Inventory) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # It went away again.
        sock.setblocking(False)
        descriptor = sock.fileno()
        self._connections[descriptor] = _Connection(sock)
        self._poll.register(sock, select.EPOLLIN)
        for message in (msgspec.structs.replace(inventory, run=self._run), *self._kept):
            self._send(descriptor, message)
        self._kept.clear()

    def _read(self, descriptor: int) -> list[ToWorker]:
        connection = self._connections.get(descriptor)
        if connection is None:
            return []
        heard: list[ToWorker] = []
        try:
            for _ in range(_CHUNKS_A_POLL):
                data = connection.sock.recv(_CHUNK_BYTES)
                if not data:
                    self._part(descriptor)
                    break
                heard += map(to_worker.decode, connection.frames.feed(data))
        except BlockingIOError:
            self._flush(descriptor, connection)
        except (OSError, FrameError, msgspec.DecodeError):
            self._part(descriptor)
        for message in heard:
            if not isinstance(message, Retire):
                self._own(message, descriptor)
        return heard

    def _own(self, message: Put | Drop, descriptor: int) -> None:
        if descriptor not in self._connections:
            return
        self._owners[message.context] = descriptor
        self._dropped.pop(message.context, None)
        if isinstance(message, Drop):
            self._dropped[message.context] = None
            if len(self._dropped) > MOST_DROPPED:
                oldest = next(iter(self._dropped))
                del self._dropped[oldest]
                self._owners.pop(oldest, None)

    def _send(self, descriptor: int, message: FromWorker) -> None:
        connection = self._connections.get(descriptor)
        if connection is None:
            return
        connection.unsent += frame(message)
        self._flush(descriptor, connection)

    def _flush(self, descriptor: int, connection: _Connection) -> None:
        """Send what can be sent now. Whoever reads too slowly is parted with: it will ask for the inventory."""
        try:
            while connection.unsent:
                del connection.unsent[: connection.sock.send(connection.unsent)]
        except BlockingIOError:
            if len(connection.unsent) > _MOST_UNREAD_BYTES:
                self._part(descriptor)
                return
        except OSError:
            self._part(descriptor)
            return
        if connection.stuck != bool(connection.unsent):
            connection.stuck = bool(connection.unsent)
            self._poll.modify(connection.sock, select.EPOLLIN | select.EPOLLOUT * connection.stuck)

    def _part(self, descriptor: int) -> None:
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return
        self._poll.unregister(connection.sock)
        connection.sock.close()
        self._owners = {context: owner for context, owner in self._owners.items() if owner != descriptor}


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ControlError(error.errno, f"control socket {path}: {error.strerror or error}") from error
    return listener
