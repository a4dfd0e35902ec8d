"""One listening TCP or TLS socket of the edge; its certificate can be changed while connections go on.

What may live here: the socket and the asyncio server on it. Nothing of SIP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from adapters.sip.edge.handshake import Doorkeeper, Handshakes
from adapters.sip.edge.stream import StreamConnection
from adapters.sip.message.via import join_host_port

_BACKLOG = 1024


class StreamListener:
    """Accepts connections; `connection` makes the one that serves each. A `tls` context makes it a TLS listener,
    whose handshakes `keeper` lets begin."""

    def __init__(
        self,
        connection: Callable[[], StreamConnection],
        tls: ssl.SSLContext | None,
        handshake_timeout_s: float,
        keeper: Doorkeeper,
    ) -> None:
        self._connection, self._tls, self._keeper = connection, tls, keeper
        self._handshake_timeout_s = handshake_timeout_s
        self._serving: asyncio.Server | Handshakes | None = None
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
        if self._tls is not None:
            self._serving = Handshakes(listening, self._tls, self._connection, self._keeper, self._handshake_timeout_s)
        else:
            self._serving = await loop.create_server(
                self._connection, sock=listening, backlog=_BACKLOG, start_serving=False
            )
        if accepting:
            await self.accept()

    async def accept(self) -> None:
        """Listen, if that did not begin with `open`."""
        assert self._serving is not None, "only what is open can accept"
        if isinstance(self._serving, Handshakes):
            self._serving.accept(_BACKLOG)
        else:
            await self._serving.start_serving()

    def renew(self, tls: ssl.SSLContext) -> None:
        """From now on connections are accepted with this context; those that are open live on with theirs."""
        assert isinstance(self._serving, Handshakes), "only an open TLS listener has a certificate"
        self._serving.tls = tls

    def close(self) -> None:
        """Accept no more."""
        if self._serving is not None:
            self._serving.close()

    async def wait_closed(self) -> None:
        """Until the connections that it accepted are gone."""
        if self._serving is not None:
            await self._serving.wait_closed()
