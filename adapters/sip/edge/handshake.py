"""Accepting TLS: the handshakes of one listening socket, which others must finish, and which are bounded till then.

What may live here: accepting, and what becomes of a handshake. Nothing of SIP.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from adapters.sip.edge.stream import StreamConnection
from adapters.sip.message.via import join_host_port

_BREATH_S = 1.0
"""After an accept that failed, such as for want of descriptors."""


class Doorkeeper(Protocol):
    """Decides who may begin a handshake, before it costs anything."""

    def enters(self, remote: str, under_way: int) -> bool:
        """Whether `remote` may, while so many handshakes of the listener are under way."""

    def left(self, remote: str, taken_in: bool) -> None:
        """Of who had entered the handshake is over; its connection was `taken_in`, or came to nothing."""


class Handshakes:
    """Accepts on a bound socket; `connection` makes what serves those who got through. `tls` may be changed."""

    def __init__(
        self,
        listening: socket.socket,
        tls: ssl.SSLContext,
        connection: Callable[[], StreamConnection],
        keeper: Doorkeeper,
        timeout_s: float,
    ) -> None:
        self.tls = tls
        self._listening, self._connection, self._keeper = listening, connection, keeper
        self._timeout_s = timeout_s
        self._under_way: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    def accept(self, backlog: int) -> None:
        """Listen from now on."""
        self._listening.listen(backlog)
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and give up what is under way."""
        for task in (self._accepting, *self._under_way):
            if task is not None:
                task.cancel()

    async def wait_closed(self) -> None:
        """After `close`."""
        tasks = [task for task in (self._accepting, *self._under_way) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listening.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listening)
            except OSError:
                await asyncio.sleep(_BREATH_S)
                continue
            remote = join_host_port(*address[:2])
            if self._keeper.enters(remote, len(self._under_way)):
                self._begin(accepted, remote)
            else:
                accepted.close()

    def _begin(self, accepted: socket.socket, remote: str) -> None:
        def over(task: asyncio.Task[None]) -> None:
            self._under_way.discard(task)
            if task.cancelled():  # perhaps before anybody else had the socket
                accepted.close()

        task = asyncio.create_task(self._shake(accepted, remote))
        self._under_way.add(task)
        task.add_done_callback(over)

    async def _shake(self, accepted: socket.socket, remote: str) -> None:
        connection = self._connection()
        try:
            with contextlib.suppress(OSError):  # TimeoutError and ssl.SSLError are OSErrors
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection, accepted, ssl=self.tls, ssl_handshake_timeout=self._timeout_s
                )
        finally:
            self._keeper.left(remote, connection.taken_in)
