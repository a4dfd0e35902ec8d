"""A whole switchboard in memory behind a real edge: bytes in, whatever is said to anybody out.

Unlike `tests.switchlog.exchange` alone, what cannot be parsed is answered here as the edge answers it. No sockets: the
edge never listens, and what it sends by itself is written down.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip.edge.edge import Edge
from adapters.sip.message.framing import StreamFramer
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.parser import parse
from domain.routing.directory import Directory
from domain.values import Flow
from tests.domain.world import directory as two_offices
from tests.switchlog.exchange import SERVER, Exchange

STRANGER = "192.0.2.77:5060"


class _Port(Edge):
    """An edge whose answers are kept."""

    def __init__(self, line: Line) -> None:
        super().__init__(line.receive, lambda flow: None)
        self.said: list[tuple[str, bytes]] = []

    def send(self, flow: Flow, data: bytes) -> bool:
        self.said.append((flow.remote, data))
        return True


class Line:
    """One worker with its edge. A handler that fails raises here, as it would be our fault."""

    def __init__(self, directory: Callable[[], Directory] = two_offices) -> None:
        self.exchange = Exchange(directory=directory)
        self.edge = _Port(self)
        self._fault: Exception | None = None

    def receive(self, message: Request | Response, flow: Flow) -> None:
        """What the edge hands on. The edge outlives any failure of a handler; a test must not."""
        try:
            self.exchange.application.receive(message, flow, self.exchange.now())
        except MessageError:
            raise
        except Exception as fault:
            self._fault = fault
            raise

    def datagram(self, data: bytes, address: str = STRANGER) -> list[tuple[str, Request | Response]]:
        """A UDP datagram; returns what is sent because of it, with its addressees."""
        if not data.strip(b"\r\n\0"):
            return []
        return self._feed([data], Flow("udp", SERVER, address))

    def stream(self, data: bytes, address: str = STRANGER) -> list[tuple[str, Request | Response]]:
        """All that one TCP connection brings, until its framing is lost."""
        flow = Flow("tcp", SERVER, address, 1)
        framer = StreamFramer()
        said = []
        try:
            for piece in (data, b""):  # what is wrong behind the last whole message is told by the next call
                said += self._feed(framer.receive(piece), flow)
        except MessageError as lost:
            self.edge._malformed(lost, flow)
            said += self._gather()
        return said

    def _feed(self, messages: list[bytes], flow: Flow) -> list[tuple[str, Request | Response]]:
        said = []
        for data in messages:
            self.edge._deliver(data, flow)
            if self._fault is not None:
                raise AssertionError(f"a fault of ours at {data[:200]!r}") from self._fault
            said += self._gather()
        return said

    def _gather(self) -> list[tuple[str, Request | Response]]:
        said, self.edge.said = self.edge.said, []
        before = len(self.exchange.wire)
        self.exchange.deliver()
        return [(to, parse(data)) for to, data in said + self.exchange.wire[before:]]
