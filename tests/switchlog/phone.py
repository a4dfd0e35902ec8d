"""Phones by their messages, in memory: what each says at an exchange, and how two of them come to talk."""

from __future__ import annotations

from adapters.sip.message.message import Request, Response
from tests.switchlog.exchange import Exchange, authorized

ALICE, BOB, MALLORY = "127.0.0.1:6001", "127.0.0.1:6002", "127.0.0.1:6666"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
HOLD = SDP + "a=sendonly\r\n"


class Phone:
    """Writes the messages of one phone."""

    def __init__(
        self, exchange: Exchange, number: str, address: str, domain: str = "acme.example", transport: str = "udp"
    ) -> None:
        self.exchange, self.number, self.address, self.domain = exchange, number, address, domain
        self.transport = transport
        self.cseq = 0

    def _send(self, text: str, body: str = "") -> None:
        self.exchange.send(
            self.address, text.replace("SIP/2.0/UDP", f"SIP/2.0/{self.transport.upper()}"), body, self.transport
        )

    def register(self, expires_s: int = 300) -> Response:
        uri = f"sip:{self.domain}"

        def send(extra: str) -> None:
            self.cseq += 1
            self._send(
                f"REGISTER {uri} SIP/2.0\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bKr{self.number}{self.cseq}\n"
                f"From: <sip:{self.number}@{self.domain}>;tag=r\nTo: <sip:{self.number}@{self.domain}>\n"
                f"Call-ID: reg-{self.address}\nCSeq: {self.cseq} REGISTER\n"
                f"Contact: <sip:{self.number}@{self.address}>\nExpires: {expires_s}{extra}",
            )

        authorized(self.exchange, self.address, self.number, send, uri)
        taken = self.exchange.take(self.address)
        told = [one for one in taken if isinstance(one, Request) and one.method == "NOTIFY"]
        self.exchange.sent.setdefault(self.address, []).extend(told)  # for whoever asks what it was told of messages
        return [one for one in taken if isinstance(one, Response)][-1]

    def invite(self, number: str, sdp: str = SDP, call_id: str = "call-1", from_: str = "", extra: str = "") -> str:
        """Returns the branch of the INVITE that carried the credentials."""
        uri = f"sip:{number}@{self.domain}"
        branch = ""

        def send(credentials: str) -> None:
            nonlocal branch
            self.cseq += 1
            branch = f"z9hG4bKi{self.number}{self.cseq}"
            self._send(
                f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {self.address};branch={branch};rport\nMax-Forwards: 70\n"
                f"From: <sip:{from_ or self.number}@{self.domain}>;tag=a\nTo: <{uri}>\nCall-ID: {call_id}\n"
                f"CSeq: {self.cseq} INVITE\nContact: <sip:{self.number}@{self.address}>\n"
                f"Content-Type: application/sdp{extra}{credentials}",
                sdp,
            )

        authorized(self.exchange, self.address, self.number, send, uri)
        return branch

    def within(
        self,
        answered: Response,
        method: str,
        sdp: str = "",
        branch: str = "",
        extra: str = "",
        kind: str = "application/sdp",
    ) -> None:
        """A request inside the dialog that `answered` made; what it brings is of this `kind`."""
        if method not in ("ACK", "CANCEL"):
            self.cseq += 1
        uri = answered.get("Contact") or "<sip:x@acme.example>"
        self._send(
            f"{method} {uri.strip('<>')} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {self.address};branch={branch or f'z9hG4bKd{self.number}{method}{self.cseq}'}\n"
            f"From: {answered.get('From')}\nTo: {answered.get('To')}\nCall-ID: {answered.call_id}\n"
            f"CSeq: {self.cseq} {method}\nContact: <sip:{self.number}@{self.address}>"
            + (f"\nContent-Type: {kind}" if sdp else "")
            + extra,
            sdp,
        )

    def reply(self, request: Request, status: int, sdp: str = "", tag: str = "b", extra: str = "") -> None:
        vias = "\n".join(f"Via: {via}" for via in request.get_all("Via"))
        to = request.get("To") or ""
        self._send(
            f"SIP/2.0 {status} Whatever\n{vias}\nFrom: {request.get('From')}\n"
            f"To: {to if 'tag=' in to else f'{to};tag={tag}'}\nCall-ID: {request.call_id}\n"
            f"CSeq: {request.get('CSeq')}\nContact: <sip:{self.number}@{self.address}>"
            + ("\nContent-Type: application/sdp" if sdp else "")
            + extra,
            sdp,
        )


def parties(exchange: Exchange) -> tuple[Phone, Phone]:
    alice, bob = Phone(exchange, "1001", ALICE), Phone(exchange, "1002", BOB)
    assert alice.register().status == bob.register().status == 200
    return alice, bob


def methods(messages: list[Request | Response]) -> list[str]:
    return [one.method if isinstance(one, Request) else f"{one.status} {one.cseq.method}" for one in messages]


def picked_up(exchange: Exchange, rings: bool = False) -> tuple[Phone, Phone, Response, Request]:
    """Bob has answered Alice, who has not acknowledged that yet; returns Alice's 200 and Bob's INVITE."""
    alice, bob = parties(exchange)
    alice.invite("1002")
    (invite,) = exchange.take(BOB)
    assert isinstance(invite, Request)
    if rings:
        bob.reply(invite, 180)
    bob.reply(invite, 200, SDP)
    answered = exchange.last(ALICE)
    assert isinstance(answered, Response)
    assert answered.status == 200
    return alice, bob, answered, invite


def talk(exchange: Exchange) -> tuple[Phone, Phone, Response, Request]:
    """Alice and Bob in a call; returns Alice's 200 and Bob's INVITE."""
    alice, bob, answered, invite = picked_up(exchange, rings=True)
    alice.within(answered, "ACK")
    assert methods(exchange.take(BOB)) == ["ACK"]
    return alice, bob, answered, invite
