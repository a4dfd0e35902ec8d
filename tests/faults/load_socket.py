"""One UDP socket of many phones, and the messages that are repeated from it until they are answered (RFC 3261 17)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from tests.faults.dialect import Heard, hear

T1_S, T2_S, GIVE_UP_S = 0.5, 4.0, 32.0
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_BUFFER_BYTES = 8 * 2**20
"""It stands for many phones, each of which would have a buffer of its own."""
Key = tuple[str, int, str]
"""Call-ID, CSeq number, and the method or `2xx`: what is being repeated."""


class Endpoint(asyncio.DatagramProtocol):
    """One socket towards the server, and the requests that are being repeated from it."""

    def __init__(self, heard: Callable[[Heard], None]) -> None:
        self._heard = heard
        self._asking: dict[Key, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._closed = False

    @classmethod
    async def at(cls, server_port: int, heard: Callable[[Heard], None]) -> Endpoint:
        loop = asyncio.get_running_loop()
        _, one = await loop.create_datagram_endpoint(lambda: cls(heard), remote_addr=("127.0.0.1", server_port))
        return one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.address = "{}:{}".format(*transport.get_extra_info("sockname"))
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        with suppress(PermissionError):
            own.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)  # beyond the system's limit, for root

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._heard(hear(data))

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at this moment."""

    def send(self, text: str) -> None:
        if not self._closed:
            self._transport.sendto(text.encode())

    def ask(self, key: Key, text: str, silence: Callable[[], object]) -> None:
        """Send now and again until `answered(key)`; `silence` is called after 32 s."""
        self._again(key, text, silence, T1_S, self._loop.time() + GIVE_UP_S)

    def answered(self, key: Key) -> bool:
        """Stop repeating; False if it was not being repeated (any more)."""
        handle = self._asking.pop(key, None)
        if handle is not None:
            handle.cancel()
        return handle is not None

    def close(self) -> None:
        self._closed = True
        for handle in self._asking.values():
            handle.cancel()
        self._transport.close()

    def _again(self, key: Key, text: str, silence: Callable[[], object], wait_s: float, end: float) -> None:
        left_s = end - self._loop.time()
        if left_s <= 0:
            self._asking.pop(key, None)
            silence()
            return
        self.send(text)
        following_s = 2 * wait_s if key[2] == "INVITE" else min(2 * wait_s, T2_S)
        self._asking[key] = self._loop.call_later(
            min(wait_s, left_s), lambda: self._again(key, text, silence, following_s, end)
        )
