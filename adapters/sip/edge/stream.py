"""One TCP or TLS connection of the edge: framing, keep-alives, and what a peer may cost.

What may live here: bytes of one connection and its deadlines. It knows where a SIP message ends, nothing more.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol, cast

from adapters.sip.message.framing import StreamFramer
from adapters.sip.message.message import MessageError
from adapters.sip.message.via import join_host_port
from domain.values import Flow


@dataclass(frozen=True)
class EdgeLimits:
    """What peers may cost. Times in seconds."""

    max_connections: int = 10_000
    max_write_buffer_bytes: int = 1024 * 1024  # a reader slower than this loses its connection
    message_timeout_s: float = 10.0  # from a message's first byte to its last, and from connecting to the first
    idle_timeout_s: float = 3_900.0  # longer than a registration of one hour
    handshake_timeout_s: float = 10.0
    max_handshakes: int = 1_000  # of one listener at once: each holds some 300 kB, for a peer that nobody knows yet
    kept_handshakes: float = 0.25  # of them, for sources where a device has proved itself
    connect_timeout_s: float = 5.0
    max_malformed: int = 20  # malformed messages of one connection, which then is closed


class StreamOwner(Protocol):
    """What a connection tells the edge."""

    limits: EdgeLimits

    def opened(self, connection: StreamConnection) -> bool: ...
    def heard(self, connection: StreamConnection, data: bytes) -> None: ...
    def unframed(self, connection: StreamConnection, error: MessageError) -> None: ...
    def closed(self, connection: StreamConnection) -> None: ...


class StreamConnection(asyncio.Protocol):
    """Cuts a stream into messages; `flow` is whole once it is open.

    `kind` is tcp, tls or unix (between processes of one machine); `inbound` is False for one that we opened.
    """

    def __init__(self, owner: StreamOwner, kind: str, number: int, inbound: bool, node: str = "") -> None:
        self.inbound = inbound
        self.malformed = 0
        self.flow = Flow(kind, "", "", number, node)
        self._owner = owner
        self._kind = kind
        self._number = number
        self._opened = False
        self.taken_in = False
        """whether the owner has ever had it; then it is told of the end"""
        self._greeted = not inbound  # a first message came; until then keep-alives buy no time
        self._framer = StreamFramer()
        self._pings = 0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline = 0.0
        self._partial = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    def connection_made(self, made: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, made)  # uvloop's own class is no subclass of it
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not local or not remote:  # gone again before it was accepted
            transport.abort()
            return
        self.flow = Flow(self._kind, _end(local), _end(remote), self._number, self.flow.node)
        self._opened = True
        self._transport = transport
        if not self._owner.opened(self):
            self._opened = False
            self._transport = None
            transport.abort()
            return
        self.taken_in = True
        limits = self._owner.limits
        self._wait(limits.message_timeout_s if self.inbound else limits.idle_timeout_s)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.receive(data)
        except MessageError as error:  # where the next message starts cannot be known any more
            self._owner.unframed(self, error)
            self.close()
            return
        if self._framer.pings > self._pings:  # RFC 5626 4.4.1: a double CRLF is answered by one
            self.write(b"\r\n" * (self._framer.pings - self._pings))
            self._pings = self._framer.pings
        self._rearm(bool(messages))
        for message in messages:
            if self._transport is None:
                return
            self._owner.heard(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._alarm is not None:
            self._alarm.cancel()
        if self._opened:
            self._opened = False
            self._owner.closed(self)

    def write(self, data: bytes) -> bool:
        """False if the connection is gone, or is cut now because its reader is too slow."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if transport.get_write_buffer_size() + len(data) > self._owner.limits.max_write_buffer_bytes:
            transport.abort()
            return False
        transport.write(data)
        return True

    @property
    def named(self) -> tuple[str, ...]:
        """The names in the peer's certificate that was checked (DNS), or that its Unix socket has; empty if it has
        shown none."""
        if self._kind == "unix":
            return (PurePath(self.flow.remote).name.partition(">")[0],)  # its name, and whom it speaks to
        shown = self._transport.get_extra_info("peercert") if self._transport is not None else None
        return tuple(value for kind, value in (shown or {}).get("subjectAltName", ()) if kind == "DNS")

    def close(self) -> None:
        """Sends what is buffered, then closes."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    def _rearm(self, whole: bool) -> None:
        partial = self._framer.buffered > 0
        self._greeted = self._greeted or whole
        if partial and (whole or not self._partial):
            self._wait(self._owner.limits.message_timeout_s)
        elif not partial and self._greeted:
            self._wait(self._owner.limits.idle_timeout_s)
        self._partial = partial

    def _wait(self, seconds: float) -> None:
        """Sets the deadline. An alarm that rings too early is cheaper than one moved at each message."""
        self._deadline = self._loop.time() + seconds
        if self._alarm is None or self._alarm_at > self._deadline:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = self._deadline
            self._alarm = self._loop.call_at(self._deadline, self._alarmed)

    def _alarmed(self) -> None:
        self._alarm = None
        left_s = self._deadline - self._loop.time()
        if left_s > 0:
            self._wait(left_s)
        else:
            self.abort()


def _end(address: Any) -> str:
    """One end of a connection: `host:port`, or the path of a Unix socket."""
    return address if isinstance(address, str) else join_host_port(*address[:2])
