"""Two transaction layers joined in memory, with virtual time and a script of which messages get lost."""

from __future__ import annotations

from collections.abc import Callable, Collection

from adapters.sip.message.message import Request, Response, response_to
from adapters.sip.message.parser import parse
from adapters.sip.transaction.event import Event, ResponseReceived
from adapters.sip.transaction.key import ClientKey
from adapters.sip.transaction.layer import TransactionLayer
from domain.values import Flow

CLIENT, SERVER = "192.0.2.1:5060", "192.0.2.2:5060"


def make_request(method: str, branch: str = "z9hG4bK.1", transport: str = "UDP", to_tag: str = "") -> Request:
    tag = f";tag={to_tag}" if to_tag else ""
    return Request(
        method,
        "sip:bob@192.0.2.2",
        [
            ("Via", f"SIP/2.0/{transport} 192.0.2.1:5060;branch={branch}"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:edge.example;lr>"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", f"<sip:bob@example.com>{tag}"),
            ("Call-ID", "c1"),
            ("CSeq", f"7 {method}"),
        ],
    )


class Pair:
    """`client` calls `server`. `lost` holds the numbers (from 0, in order of sending) of messages that vanish."""

    def __init__(self, transport: str = "udp", lost: Collection[int] = ()) -> None:
        connection = 0 if transport == "udp" else 1
        self.transport = transport
        self.out = Flow(transport, CLIENT, SERVER, connection)
        self.back = Flow(transport, SERVER, CLIENT, connection)
        self.client = TransactionLayer()
        self.server = TransactionLayer()
        self.lost = lost
        self.sent: list[tuple[float, str]] = []  # when, first words of each message sent
        self.now = 100.0
        self.client_saw: list[Event] = []
        self.server_saw: list[Event] = []
        self.on_client: Callable[[Event], None] = lambda event: None
        self.on_server: Callable[[Event], None] = lambda event: None

    def start(self, method: str) -> ClientKey:
        request = make_request(method, transport=self.transport.upper())
        key = self.client.request(request, self.out, self.now)
        self.settle()
        return key

    def settle(self) -> None:
        """Delivers what was sent until nothing is left."""
        while self._pump(self.client, self.server, self.back) or self._pump(self.server, self.client, self.out):
            pass

    def advance(self, seconds: float) -> None:
        """Lets virtual time pass, with every timer at its moment."""
        until = self.now + seconds
        while True:
            due = [at for at in (self.client.next_timer(), self.server.next_timer()) if at is not None]
            if not due or min(due) > until:
                break
            self.now = min(due)
            for event in self.client.on_timer(self.now):
                self._tell_client(event)
            for event in self.server.on_timer(self.now):
                self._tell_server(event)
            self.settle()
        self.now = until

    def finals(self) -> list[int]:
        """Statuses of the final responses that the client's TU saw."""
        statuses = [e.response.status for e in self.client_saw if isinstance(e, ResponseReceived)]
        return [status for status in statuses if status >= 200]

    def count(self, start: str) -> int:
        return sum(1 for _, text in self.sent if text.startswith(start))

    def _pump(self, source: TransactionLayer, target: TransactionLayer, flow: Flow) -> bool:
        batch = source.to_send()
        for _, data in batch:
            number = len(self.sent)
            self.sent.append((self.now, data.split(b"\r\n", 1)[0].decode().removeprefix("SIP/2.0 ")))
            if number in self.lost:
                continue
            event = target.receive(parse(data), flow, self.now)
            if event is not None:
                (self._tell_server if target is self.server else self._tell_client)(event)
        return bool(batch)

    def _tell_client(self, event: Event) -> None:
        self.client_saw.append(event)
        self.on_client(event)

    def _tell_server(self, event: Event) -> None:
        self.server_saw.append(event)
        self.on_server(event)


def make_response(request: Request, status: int, tag: str = "b") -> Response:
    return response_to(request, status, to_tag=tag if status > 100 else "")
