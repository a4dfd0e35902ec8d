"""The SIP edge: UDP, TCP and TLS sockets on the asyncio loop, under the sans-IO layers.

What may live here: sockets, limits, and the answers that need no state at all (keep-alives, 4xx to what cannot be
parsed). Everything else goes to `on_message`, on the loop's thread, one message at a time.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from adapters.sip.edge import stun
from adapters.sip.edge.delivery import GatedDelivery
from adapters.sip.edge.error import EdgeError, bind_failure, connect_failure
from adapters.sip.edge.listener import StreamListener
from adapters.sip.edge.malformed import answer_to
from adapters.sip.edge.stream import EdgeLimits, StreamConnection
from adapters.sip.edge.udp import UdpSocket
from adapters.sip.gate.gate import Failing, Gate
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.parser import parse
from adapters.sip.message.via import split_host_port
from domain.values import Flow

__all__ = ["Edge", "EdgeCounters", "EdgeError", "EdgeLimits"]

_log = logging.getLogger(__name__)
_CLOSE_TIMEOUT_S = 1.0


Tap = Callable[[bool, str, str, str, bytes], None]
"""Is shown every message: whether we sent it, transport, our address, the peer's, the bytes. Must not block."""


@dataclass
class EdgeCounters:
    """What happened since the start, for metrics."""

    received: int = 0
    malformed: int = 0
    keepalives: int = 0
    dropped_sends: int = 0
    refused_connections: int = 0
    failed_messages: int = 0


class Edge:
    """Listeners and connections of one process.

    `on_message(message, flow)` gets every parsed message; a MessageError it raises is answered like one of the
    parser's. `on_closed(flow)` tells that a stream connection is gone, except by `close()`. `client_tls` is used to
    connect out by TLS (default: certificates are checked against the system's authorities). Connections are numbered
    from `first_connection` on, which must differ from run to run: the journal remembers flows of earlier runs.
    `tap` is shown all messages.
    `gate` rules on what comes in, before it is parsed; without one everything does.
    An edge that is `shut` only binds: nothing is read or accepted until `open`.
    `node` names this node in its flows, where there are several.
    """

    def __init__(
        self,
        on_message: Callable[[Request | Response, Flow], None],
        on_closed: Callable[[Flow], None],
        limits: EdgeLimits | None = None,
        client_tls: ssl.SSLContext | None = None,
        first_connection: int = 0,
        tap: Tap | None = None,
        gate: Gate | None = None,
        shut: bool = False,
        node: str = "",
    ) -> None:
        self.limits = limits or EdgeLimits()
        self.counters = EdgeCounters()
        self._on_message = on_message
        self._on_closed = on_closed
        self._client_tls = client_tls
        self._tap = tap
        self._udp: dict[str, UdpSocket] = {}
        self._listeners: list[StreamListener] = []
        self._streams: dict[Flow, StreamConnection] = {}
        self._by_remote: dict[tuple[str, str], Flow] = {}
        self._connecting: dict[tuple[str, str], asyncio.Task[Flow]] = {}
        self._numbered = first_connection
        self._closing = False
        self._shut = shut
        self._node = node
        self._drained = asyncio.Event()
        self._gated = GatedDelivery(gate, self._deliver, self.send) if gate else None

    # --- the owner's side

    async def listen(self, transport: str, host: str, port: int, tls: ssl.SSLContext | None = None) -> Flow:
        """Binds `udp`, `tcp` or `tls`; port 0 takes a free one. Returns a Flow whose `local` is what was bound.

        `tls` is the server's context; protocol versions below TLS 1.2 are switched off in it. Raises EdgeError.
        """
        try:
            if transport == "udp":
                return await self._listen_udp(host, port)
            return await self._listen_stream(transport, host, port, tls)
        except OSError as error:
            raise EdgeError(bind_failure(transport, host, port, error)) from error

    async def open(self) -> None:
        """Read and accept from now on; what came by UDP meanwhile is read first."""
        self._shut = False
        for udp in self._udp.values():
            udp.read()
        for listener in self._listeners:
            await listener.accept()

    async def renew_tls(self, server: ssl.SSLContext | None, client: ssl.SSLContext) -> None:
        """New connections use these contexts, in and out; those that are open live on with theirs."""
        if server is not None:
            _modern(server)
            for listener in self._listeners:
                if listener.secure:
                    listener.renew(server)
        self._client_tls = client

    def send(self, flow: Flow, data: bytes) -> bool:
        """Sends one message. False if the flow's connection is gone (then `connect`, or fail what waits on it).

        A UDP datagram that cannot be sent is dropped and counted: SIP repeats it.
        """
        if self._tap is not None:
            self._tap(True, flow.transport, flow.local, flow.remote, data)
        if flow.transport != "udp":
            stream = self._streams.get(flow)
            return stream is not None and stream.write(data)
        udp = self._udp_for(flow.local, flow.remote)
        if udp is None or not udp.send(data, flow.remote):
            self.counters.dropped_sends += 1
        return True

    @property
    def waiting_s(self) -> float:
        """How long the first of the new requests has waited for its turn, or the kernel's queue has stood."""
        backlog_s = max((udp.backlog_s for udp in self._udp.values()), default=0.0)
        return max(backlog_s, self._gated.lane.age_s) if self._gated else backlog_s

    def alive(self, flow: Flow) -> bool:
        """Whether the stream connection of a flow is open."""
        return flow in self._streams

    async def connect(self, transport: str, remote: str) -> Flow:
        """A flow to `remote` (`host:port`): the live connection that was opened to it, or a new one. Raises EdgeError.

        For `udp` it is a flow from the first bound socket of the address's family.
        """
        if transport == "udp":
            udp = self._udp_for("", remote)
            if udp is None:
                raise EdgeError(f"cannot reach {remote} by udp: no udp socket is bound; listen on one first")
            return Flow("udp", udp.local, remote, 0, self._node)
        key = (transport, remote)
        live = self._by_remote.get(key)
        if live is not None:
            return live
        task = self._connecting.get(key)
        if task is None:
            task = self._connecting[key] = asyncio.ensure_future(self._connect(transport, remote))
            task.add_done_callback(lambda _: self._connecting.pop(key, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stops listening and closes every connection, after a second at the latest."""
        self._closing = True
        if self._gated is not None:
            self._gated.lane.clear()
        for listener in self._listeners:
            listener.close()
        for udp in self._udp.values():
            udp.close()
        self._udp.clear()
        pending = list(self._connecting.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await self._close_streams()
        for listener in self._listeners:
            await listener.wait_closed()
        self._listeners.clear()

    # --- the streams' side (StreamOwner)

    def opened(self, connection: StreamConnection) -> bool:
        """Takes a new connection in; False above the limit."""
        flow = connection.flow
        if self._full or (connection.inbound and flow.transport == "tcp" and not self._welcome(flow)):
            self.counters.refused_connections += 1
            return False
        self._streams[flow] = connection
        if not connection.inbound:  # by which somebody else came: an address that a peer wrote must not lead to it
            self._by_remote[(flow.transport, flow.remote)] = flow
        return True

    def enters(self, remote: str, under_way: int) -> bool:
        """Whether a TLS handshake may begin; false above the limits of all, or of its source (Doorkeeper)."""
        limit, flow = self.limits.max_handshakes, Flow("tls", "", remote)
        crowded = under_way >= limit - int(limit * self.limits.kept_handshakes)
        many = self._full or under_way >= limit
        if many or not (self._gated is None or self._gated.shakes(flow, crowded)):
            self.counters.refused_connections += 1
            return False
        return True

    def left(self, remote: str, taken_in: bool) -> None:
        """A TLS handshake is over; if its connection was not taken in, that is, too."""
        if self._gated is not None:
            flow = Flow("tls", "", remote)
            self._gated.shaken(flow)
            if not taken_in:
                self._gated.disconnected(flow)

    def heard(self, connection: StreamConnection, data: bytes) -> None:
        """A whole message of a connection."""

        def malformed() -> None:
            connection.malformed += 1
            if connection.malformed >= self.limits.max_malformed:
                connection.close()

        if self._gated is not None:
            self._gated.heard(data, connection.flow, malformed)
        elif not self._deliver(data, connection.flow):
            malformed()

    def unframed(self, connection: StreamConnection, error: MessageError) -> None:
        """A connection on which no next message can be found."""
        self._malformed(error, connection.flow)

    def closed(self, connection: StreamConnection) -> None:
        """A connection is gone."""
        flow = connection.flow
        self._streams.pop(flow, None)
        if self._gated is not None and connection.inbound:
            self._gated.disconnected(flow)
        if self._by_remote.get((flow.transport, flow.remote)) == flow:
            del self._by_remote[(flow.transport, flow.remote)]
        if not self._closing:
            self._on_closed(flow)
        elif not self._streams:
            self._drained.set()

    # --- inside

    @property
    def _full(self) -> bool:
        return self._closing or len(self._streams) >= self.limits.max_connections

    def _welcome(self, flow: Flow) -> bool:
        return self._gated is None or self._gated.connects(flow)

    async def _listen_udp(self, host: str, port: int) -> Flow:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        address = found[0][4]

        def on_datagram(data: bytes, flow: Flow) -> None:
            if data[0:1] < b"A" and self._kept_alive(data, flow):
                return
            if self._gated is not None:
                self._gated.heard(data, flow)
            else:
                self._deliver(data, flow)

        udp = UdpSocket(str(address[0]), int(address[1]), on_datagram, self._node)
        self._udp[udp.local] = udp
        if not self._shut:
            udp.read()
        return Flow("udp", udp.local, "")

    def _kept_alive(self, data: bytes, flow: Flow) -> bool:
        """Whether a datagram is there only to keep a way open: blank, or STUN, which is answered (RFC 5626 4.4.2)."""
        if stun.is_stun(data):
            reply = stun.answer(data, *split_host_port(flow.remote))
            udp = self._udp.get(flow.local)
            if reply is not None and udp is not None:
                udp.send(reply, flow.remote)
        elif data.strip(b"\r\n\0"):
            return False
        self.counters.keepalives += 1
        return True

    async def _listen_stream(self, transport: str, host: str, port: int, tls: ssl.SSLContext | None) -> Flow:
        if (transport == "tls") != (tls is not None):
            raise EdgeError(f"cannot listen on {transport} {host}:{port}: tls, and only tls, needs a certificate")
        if tls is not None:
            _modern(tls)
        listener = StreamListener(
            lambda: self._connection(transport, inbound=True), tls, self.limits.handshake_timeout_s, self
        )
        await listener.open(host, port, not self._shut)
        self._listeners.append(listener)
        return Flow(transport, listener.local, "")

    def _connection(self, transport: str, inbound: bool) -> StreamConnection:
        self._numbered += 1
        return StreamConnection(self, transport, self._numbered, inbound, self._node)

    async def _connect(self, transport: str, remote: str) -> Flow:
        if transport not in ("tcp", "tls"):
            raise EdgeError(f"cannot connect to {remote}: {transport!r} is not one of udp, tcp, tls")
        try:
            host, port = split_host_port(remote)
            async with asyncio.timeout(self.limits.connect_timeout_s):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: self._connection(transport, inbound=False),
                    host,
                    port,
                    ssl=self._tls_out() if transport == "tls" else None,
                    server_hostname=host if transport == "tls" else None,
                )
        except (OSError, ValueError) as error:  # TimeoutError and ssl.SSLError are OSErrors
            raise EdgeError(connect_failure(transport, remote, error)) from error
        if connection.flow not in self._streams:
            raise EdgeError(f"cannot connect to {remote} by {transport}: closed at once, or too many connections")
        return connection.flow

    def _tls_out(self) -> ssl.SSLContext:
        if self._client_tls is None:
            self._client_tls = ssl.create_default_context()
        return self._client_tls

    def _udp_for(self, local: str, remote: str) -> UdpSocket | None:
        udp = self._udp.get(local)
        if udp is not None:
            return udp
        family = socket.AF_INET6 if remote.startswith("[") else socket.AF_INET
        return next((one for one in self._udp.values() if one.family == family), None)

    async def _close_streams(self) -> None:
        for stream in list(self._streams.values()):
            stream.close()
        if not self._streams:
            return
        self._drained.clear()
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(_CLOSE_TIMEOUT_S, self._abort_streams)
        await self._drained.wait()
        alarm.cancel()

    def _abort_streams(self) -> None:
        for stream in list(self._streams.values()):
            stream.abort()

    def _deliver(self, data: bytes, flow: Flow) -> bool:
        """Parses and hands on; False if the message was malformed."""
        self.counters.received += 1
        if self._tap is not None:
            self._tap(False, flow.transport, flow.local, flow.remote, data)
        message: Request | Response | None = None
        try:
            message = parse(data)
            self._on_message(message, flow)
        except MessageError as error:
            if error.request is None and isinstance(message, Request):
                error.request = message
            self._malformed(error, flow)
            return False
        except Exception:  # noqa: BLE001  boundary: one message must not end the listener
            self.counters.failed_messages += 1
            _log.exception("a message was dropped because handling it failed; this is a fault of ours")
        return True

    def _malformed(self, error: MessageError, flow: Flow) -> None:
        """Answers a request that could be read far enough, without any state; drops everything else."""
        self.counters.malformed += 1
        if self._gated is not None:
            self._gated.failed(flow, Failing.MALFORMED)
        answer = answer_to(error, flow)
        if answer is not None:
            self.send(flow, answer.serialise())


def _modern(tls: ssl.SSLContext) -> None:
    """No version of TLS below 1.2 (RFC 8996)."""
    tls.minimum_version = max(tls.minimum_version, ssl.TLSVersion.TLSv1_2)
