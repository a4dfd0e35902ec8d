"""The process at the other end of a Unix connection: whether it has ended, and its end.

What may live here: its descriptor (pidfd_open(2), Linux). It becomes readable when the process has closed all that it
had open, its media ports too; that its connection is gone says less.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from typing import Self

_CREDENTIALS = struct.Struct("3i")
"""struct ucred: process, user, group (unix(7))."""


class Process:
    """The one that was watched last, if there is one; leaving its context forgets it."""

    def __init__(self) -> None:
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._forget()

    def watch(self, connection: socket.socket) -> None:
        """The process that listens at the other end. One that has ended already, or cannot be seen, is none; so is
        this one."""
        self._forget()
        try:
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            other = _CREDENTIALS.unpack(credentials)[0]
            self._descriptor = os.pidfd_open(other) if other != os.getpid() else -1
        except (AttributeError, OSError):
            self._descriptor = -1

    def kill(self) -> None:
        """End it, if it can be seen; it may have ended already."""
        if self._descriptor >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    async def ends_within(self, wait_s: float) -> bool:
        """Wait for its end for so long; told once. Without a process it only waits."""
        if self._descriptor < 0:
            await asyncio.sleep(wait_s)
            return False
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, ended.set)
        try:
            async with asyncio.timeout(wait_s):  # in Python 3.11 `wait_for` may forget that it was cancelled
                await ended.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._descriptor)
        self._forget()
        return True

    def _forget(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
