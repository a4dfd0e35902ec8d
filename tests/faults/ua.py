"""Phones in virtual time, on our own transaction layer: they repeat, acknowledge and give up as RFC 3261 wants it.

What may live here: one phone and its one call. The network, the clock and the server are the laboratory's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from adapters.sip.digest.challenge import answer
from adapters.sip.message.header import NameAddr
from adapters.sip.message.message import Request, Response, response_to
from adapters.sip.message.parser import parse
from adapters.sip.transaction.event import (
    AckReceived,
    CancelReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    TimedOut,
    Unacknowledged,
)
from adapters.sip.transaction.key import ClientKey, ServerKey
from adapters.sip.transaction.layer import TransactionLayer
from domain.values import Flow
from tests.switchlog.exchange import PASSWORD, SERVER

SDP = "v=0\r\no=- 1 {n} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na={way}\r\n"
RETRY_S = 2.0
_DOMAIN = "acme.example"


class State(Enum):
    IDLE = "idle"
    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    OVER = "over"


class Ua:
    """Extension `number` at `address`; `later(seconds, action)` is the laboratory's clock."""

    def __init__(self, number: str, address: str, later: Callable[[float, Callable[[], None]], None]) -> None:
        self.number, self.address, self.later = number, address, later
        self.layer = TransactionLayer()
        self.flow = Flow("udp", address, SERVER)
        self.now = 0.0
        self.state = State.IDLE
        self.registered = False
        self.final = 0
        """the caller's final status"""
        self.invited: set[tuple[str, str]] = set()
        """(Call-ID, branch) of every first INVITE that came"""
        self.hung_up_by_us = False
        self.ring_after_s, self.answer_after_s, self.answer_with = 0.2, 1.0, 200
        self._numbered = self._cseq = 0
        self._own_tag = f"t{number}"
        self._call_id = self._from = self._to = self._target = ""
        self._invite: ClientKey | None = None
        self._invited_by: tuple[ServerKey, Request] | None = None
        self._unanswered: dict[ServerKey, Request] = {}
        self._asked: dict[ClientKey, Request] = {}

    # --- what a person does

    def register(self) -> None:
        me = f"<sip:{self.number}@{_DOMAIN}>"
        self._send("REGISTER", f"sip:{_DOMAIN}", f"reg{self.number}", f"{me};tag=r", me, "Expires: 3600\r\n")

    def call(self, number: str) -> None:
        self.state = State.CALLING
        self._call_id = f"call-{self.number}"
        self._from = f"<sip:{self.number}@{_DOMAIN}>;tag={self._own_tag}"
        self._to = self._target = f"sip:{number}@{_DOMAIN}"
        self._to = f"<{self._to}>"
        self._invite = self._send("INVITE", self._target, self._call_id, self._from, self._to, way="sendrecv")

    def cancel(self) -> None:
        if self.state in (State.CALLING, State.RINGING) and self._invite is not None:
            self.layer.cancel(self._invite, self.now)

    def hold(self, way: str) -> None:
        if self.state is State.UP:
            self._send("INVITE", self._target, self._call_id, self._from, self._to, way=way)

    def hang_up(self) -> None:
        self.hung_up_by_us = True
        if self.state is State.UP:
            self._send("BYE", self._target, self._call_id, self._from, self._to)

    # --- what comes

    def receive(self, data: bytes, now: float) -> None:
        self.now = now
        event = self.layer.receive(parse(data), self.flow, now)
        if event is not None:
            self.handle(event)

    def on_timer(self, now: float) -> None:
        self.now = now
        for event in self.layer.on_timer(now):
            self.handle(event)

    def handle(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._answered(event)
            case RequestReceived():
                self._requested(event)
            case CancelReceived():
                self._cancelled(event)
            case AckReceived(key=ServerKey() as key):
                self.layer.acknowledged(key, self.now)
            case TimedOut():
                self._failed(event.key, 408)
            case Unacknowledged():
                self.hang_up()
            case _:
                pass

    # --- as a client

    def _send(
        self, method: str, uri: str, call_id: str, from_: str, to: str, extra: str = "", way: str = ""
    ) -> ClientKey:
        self._cseq += 1
        self._numbered += 1
        body = SDP.format(n=self._cseq, way=way) if way else ""
        kind = "Content-Type: application/sdp\r\n" if way else ""
        text = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{self.number}.{self._numbered}\r\n"
            f"Max-Forwards: 70\r\nFrom: {from_}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {self._cseq} {method}\r\n"
            f"Contact: <sip:{self.number}@{self.address}>\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        request = parse(text.encode())
        assert isinstance(request, Request)
        key = self.layer.request(request, self.flow, self.now)
        self._asked[key] = request
        return key

    def _answered(self, event: ResponseReceived) -> None:
        response, key = event.response, event.key
        if event.ack is not None:
            self.layer.acknowledge(key, *event.ack, self.now)
        request = self._asked.get(key)
        if request is None or request.method == "CANCEL":
            return
        first = request.method == "INVITE" and not request.to.tag
        stale = "stale=true" in (response.get("WWW-Authenticate") or "")
        if response.status == 401 and (stale or "Authorization" not in request.firsts()):
            self._authorize(request, response)
        elif request.method == "INVITE" and 200 <= response.status < 300:
            self._accepted(key, request, response, first)
        elif response.status < 200:
            if first and response.status >= 180 and self.state is State.CALLING:
                self.state = State.RINGING
        else:
            self._failed(key, response.status)

    def _authorize(self, request: Request, response: Response) -> None:
        value = answer(response.get_all("WWW-Authenticate")[0], request.method, request.uri, self.number, PASSWORD, "c")
        way = "sendrecv" if request.body else ""
        extra = f"Authorization: {value}\r\n" + ("Expires: 3600\r\n" if request.method == "REGISTER" else "")
        from_, to = request.get("From") or "", request.get("To") or ""
        key = self._send(request.method, request.uri, request.call_id, from_, to, extra, way)
        if request.method == "INVITE":
            self._invite = key

    def _accepted(self, key: ClientKey, request: Request, response: Response, first: bool) -> None:
        to, target = response.get("To") or "", NameAddr.parse(response.get_all("Contact")[0]).uri
        if first:
            self.final = response.status
            self._to, self._target = to, str(target)
            if self.state in (State.CALLING, State.RINGING):
                self.state = State.UP
        self._numbered += 1
        ack = parse(
            f"ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bK{self.number}.{self._numbered}\r\n"
            f"From: {request.get('From')}\r\nTo: {to}\r\nCall-ID: {request.call_id}\r\n"
            f"CSeq: {request.cseq.number} ACK\r\n\r\n".encode()
        )
        assert isinstance(ack, Request)
        self.layer.acknowledge(key, ack, self.flow, self.now)
        if first and self.hung_up_by_us:
            self.hang_up()

    def _failed(self, key: ClientKey, status: int) -> None:
        request = self._asked.get(key)
        if request is None:
            return
        if request.method == "REGISTER":
            self.registered = self.registered or 200 <= status < 300
            if not 200 <= status < 300:
                self.later(RETRY_S, self.register)
        elif request.method == "BYE":
            if self.state is State.UP and status >= 500:
                self.later(RETRY_S, self.hang_up)
            else:
                self.state = State.OVER
        elif request.method == "INVITE" and not request.to.tag:
            self.final, self.state = status, State.OVER

    # --- as a server

    def _requested(self, event: RequestReceived) -> None:
        request, key = event.request, event.key
        if request.method == "INVITE" and not request.to.tag:
            self.invited.add((request.call_id, request.via.branch))
            if self.state is not State.IDLE:
                self._respond(key, request, 486)
                return
            self._ring(key, request)
        elif request.method == "INVITE" and self.state is State.UP:
            self._respond(key, request, 200, "recvonly" if b"sendonly" in request.body else "sendrecv")
        elif request.method == "BYE" and request.call_id == self._call_id:
            self.state = State.OVER
            self._respond(key, request, 200)
        else:
            self._respond(key, request, 481)

    def _ring(self, key: ServerKey, request: Request) -> None:
        self.state = State.RINGING
        self._invited_by, self._call_id = (key, request), request.call_id
        self._to = request.get("From") or ""
        self._from = f"{request.get('To')};tag={self._own_tag}"
        self._target = str(NameAddr.parse(request.get_all("Contact")[0]).uri)
        self.later(self.ring_after_s, lambda: self._progress(180))
        self.later(self.answer_after_s, lambda: self._progress(self.answer_with))

    def _progress(self, status: int) -> None:
        if self.state is not State.RINGING or self._invited_by is None:
            return
        key, request = self._invited_by
        if status >= 200:
            self.state = State.UP if status < 300 else State.OVER
        self._respond(key, request, status, "sendrecv" if status == 200 else "")

    def _cancelled(self, event: CancelReceived) -> None:
        self._respond(event.key, event.request, 200 if event.invite_key else 481)
        if self.state is State.RINGING and self._invited_by is not None:
            self.state = State.OVER
            self._respond(*self._invited_by, 487)

    def _respond(self, key: ServerKey, request: Request, status: int, way: str = "") -> None:
        response = response_to(request, status, to_tag=self._own_tag)
        response.add("Contact", f"<sip:{self.number}@{self.address}>")
        if way:
            response.add("Content-Type", "application/sdp")
            response.body = SDP.format(n=1, way=way).encode()
        self.layer.respond(key, response, self.now)
