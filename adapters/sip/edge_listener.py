"""One listening TCP or TLS socket of the edge; its certificate can be changed while connections go on.

What may live here: the socket and the asyncio server on it. Nothing of SIP.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

from adapters.sip.rport import join_host_port

_BACKLOG = 1024


class StreamListener:
    """Accepts connections; `protocol` makes the one that serves each. A `tls` context makes it a TLS listener."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None, handshake_timeout_s: float
    ) -> None:
        self._protocol, self._tls = protocol, tls
        self._handshake_timeout_s = handshake_timeout_s
        self._server: asyncio.Server | None = None
        self._retired: list[asyncio.Server] = []
        self.local = ""

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self._tls is not None

    async def open(self, host: str, port: int, accepting: bool = True) -> None:
        """Bind, and listen if `accepting`; `local` is what was bound. Of a name its first address counts.

        Raises OSError.
        """
        loop = asyncio.get_running_loop()
        family, kind, number, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # IPv4 has a listener of its own
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setblocking(False)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
        self.local = join_host_port(*listening.getsockname()[:2])
        self._server = await self._serve(listening, accepting)

    async def accept(self) -> None:
        """Listen, if that did not begin with `open`."""
        assert self._server is not None, "only what is open can accept"
        await self._server.start_serving()

    async def renew(self, tls: ssl.SSLContext) -> None:
        """From now on connections are accepted with this context; those that are open live on with theirs."""
        assert self._server is not None and self._tls is not None, "only an open TLS listener has a certificate"
        self._tls = tls
        before = self._server
        # A second server on the same socket: no moment without a listener, and nothing of the old context is left.
        self._server = await self._serve(socket.socket(fileno=os.dup(before.sockets[0].fileno())))
        before.close()
        self._retired.append(before)

    def close(self) -> None:
        """Accept no more."""
        if self._server is not None:
            self._server.close()

    async def wait_closed(self) -> None:
        """Until the connections that it accepted are gone."""
        for server in (*self._retired, self._server):
            if server is not None:
                await server.wait_closed()

    async def _serve(self, listening: socket.socket, accepting: bool = True) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=listening,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_timeout_s if self._tls else None,
            backlog=_BACKLOG,
            start_serving=accepting,
        )
