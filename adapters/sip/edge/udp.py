"""One UDP socket of the edge: reads in bursts, never waits to send.

What may live here: the socket and the addresses of its peers. Nothing of SIP.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import time
from collections.abc import Callable
from fcntl import ioctl
from functools import lru_cache
from math import inf

from adapters.sip.message.via import join_host_port, split_host_port
from domain.values import Flow

_BURST = 64  # datagrams read per wake-up, so that a flood cannot starve timers and streams
_LARGEST_DATAGRAM = 65_535
_PEERS = 16_384  # addresses whose flow is kept ready
_SIOCGSTAMPNS = 0x8907  # socket(7): when the kernel got the datagram that was read last, by the wall clock
_TIMESPEC = struct.Struct("@ll")
_BUFFER_BYTES = 4 * 1024 * 1024  # asked of the kernel, which caps it by net.core.rmem_max


class UdpSocket:
    """A bound, non-blocking socket on the running loop.

    `on_datagram(data, flow)` gets each datagram with its sender as the flow's remote, once `read` was called.
    """

    def __init__(self, host: str, port: int, on_datagram: Callable[[bytes, Flow], None], node: str = "") -> None:
        """Binds; raises OSError as `bind` does. `host` is a numeric address, IPv6 without brackets."""
        self._node = node
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._on_datagram = on_datagram
        self._busy_since: float | None = None
        self._waited_s = 0.0
        self._flows: dict[tuple[str, int], Flow] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(self.family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            if self.family == socket.AF_INET6:  # IPv4 has a socket of its own
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._last_got_at()  # from the first question on the kernel keeps the times
        self.local = join_host_port(*self._socket.getsockname()[:2])

    def read(self) -> None:
        """Hand out what comes, and what has come since the socket was bound."""
        self._loop.add_reader(self._socket, self._readable)

    def send(self, data: bytes, remote: str) -> bool:
        """False if the datagram was dropped: the send buffer is full, no route, or no numeric address."""
        address = socket_address(remote)
        if address is None:
            return False
        try:
            self._socket.sendto(data, address)
        except OSError:
            return False
        return True

    @property
    def backlog_s(self) -> float:
        """How long what was read last had waited in the kernel, while there was always more than was read."""
        return 0.0 if self._busy_since is None else min(self._waited_s, self._loop.time() - self._busy_since)

    def close(self) -> None:
        """Unbinds; nothing is read any more."""
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                data, address = self._socket.recvfrom(_LARGEST_DATAGRAM)
            except OSError:  # nothing left (BlockingIOError), or a network error that belongs to one datagram
                self._busy_since = None
                return
            self._on_datagram(data, self._flows.get(address) or self._flow_from(address))
            if self._socket.fileno() < 0:
                return
        if self._busy_since is None:
            self._busy_since = self._loop.time()
        got_at = self._last_got_at()
        self._waited_s = inf if got_at is None else max(0.0, time.time() - got_at)

    def _last_got_at(self) -> float | None:
        """Unix time at which the kernel got the datagram that was read last; None where it does not say."""
        try:
            told = ioctl(self._socket, _SIOCGSTAMPNS, bytes(_TIMESPEC.size))
        except OSError:
            return None
        seconds, nanoseconds = _TIMESPEC.unpack(told)
        return float(seconds + nanoseconds / 1e9)

    def _flow_from(self, address: tuple[str, int]) -> Flow:
        if len(self._flows) >= _PEERS:
            self._flows.clear()
        flow = self._flows[address] = Flow("udp", self.local, join_host_port(*address[:2]), 0, self._node)
        return flow


@lru_cache(maxsize=_PEERS)
def socket_address(remote: str) -> tuple[str, int] | None:
    """A numeric `host:port` as the socket module wants it; None for a name, which would block on DNS."""
    try:
        host, port = split_host_port(remote)
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return (host, port) if 0 < port < 65_536 else None
