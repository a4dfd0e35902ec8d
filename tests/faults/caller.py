"""A phone made of one UDP socket and text: for faults in which a real phone would only get in the way."""

from __future__ import annotations

import asyncio
import secrets
from typing import Self, cast

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request, Response, response_to
from adapters.sip.message.parser import parse
from adapters.sip.message.via import join_host_port
from tests.fixtures.server import PASSWORD, Server

WAIT_S = 15.0
T1_S = 0.5
KEY = "c2VjcmV0LXNydHAta2V5LXRoYXQtbm9ib2R5LW1heS1zZWU9"


class Caller(asyncio.DatagramProtocol):
    """One extension at one server; every method that waits raises TimeoutError after `wait_s`."""

    def __init__(self, server: Server, number: str, domain: str = "acme.example") -> None:
        self.server, self.number, self.domain = server, number, domain
        self.password = PASSWORD.format(username=number)
        self.local_tag = secrets.token_hex(6)
        self.cseq = 0
        self.wait_s = WAIT_S
        self._inbox: asyncio.Queue[Request | Response] = asyncio.Queue()
        self._sent: set[bytes] = set()
        self._gone = asyncio.Event()

    @classmethod
    async def at(
        cls, server: Server, number: str, domain: str = "acme.example", port: int = 0, host: str = "127.0.0.1"
    ) -> Self:
        """At a local port of its own; 0 takes a free one. The server is taken to listen on the same host."""
        one = cls(server, number, domain)
        loop = asyncio.get_running_loop()
        there, here = (host, server.udp), (host, port)
        await loop.create_datagram_endpoint(lambda: one, remote_addr=there, local_addr=here)
        return one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.address = join_host_port(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data not in self._sent:  # a retransmission of what was seen already
            self._sent.add(data)
            self._inbox.put_nowait(parse(data))

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at this moment: the request is sent again."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()

    def close(self) -> None:
        self.transport.close()

    async def closed(self) -> None:
        """Close, and wait until the port is free."""
        self.close()
        await self._gone.wait()

    # --- requests

    def request(
        self, method: str, uri: str, call_id: str, to: str, extra: str = "", body: str = "", branch: str = ""
    ) -> bytes:
        """The bytes of one request; `extra` are header lines."""
        head = (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{branch or secrets.token_hex(8)};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self.number}@{self.domain}>;tag={self.local_tag}\r\nTo: {to}\r\n"
            f"Call-ID: {call_id}\r\nCSeq: {self.cseq} {method}\r\nContact: <sip:{self.number}@{self.address}>\r\n"
            f"{extra}"
        )
        if body:
            head += "Content-Type: application/sdp\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    async def ask(
        self, method: str, uri: str, call_id: str, to: str, extra: str = "", body: str = "", *, password: str = ""
    ) -> Response:
        """The final response, after answering a challenge. Sent again until something comes."""
        self.cseq += 1
        response = await self.transact(self.request(method, uri, call_id, to, extra, body), method)
        if response.status != 401:
            return response
        if method == "INVITE":
            self.acknowledge(uri, call_id, response)
        value = answer(
            response.get_all("WWW-Authenticate")[0], method, uri, self.number, password or self.password, "cn"
        )
        self.cseq += 1
        extra += f"Authorization: {value}\r\n"
        return await self.transact(self.request(method, uri, call_id, to, extra, body), method)

    async def transact(self, data: bytes, method: str) -> Response:
        """Send until anything with this CSeq comes; the first response that is final, or that rings."""
        cseq = self.cseq
        async with asyncio.timeout(self.wait_s):
            heard = False
            while True:
                if not heard:
                    self.transport.sendto(data)
                try:
                    got = await asyncio.wait_for(self._inbox.get(), None if heard else T1_S)
                except TimeoutError:
                    continue
                if not isinstance(got, Response) or (got.cseq.number, got.cseq.method) != (cseq, method):
                    continue
                heard = True
                if got.status >= (180 if method == "INVITE" else 200):
                    return got

    def acknowledge(self, uri: str, call_id: str, response: Response) -> None:
        same = response.via.params["branch"] or ""
        branch = "" if response.status < 300 else same.removeprefix("z9hG4bK")
        self.transport.sendto(self.request("ACK", uri, call_id, response.get("To") or "", branch=branch))

    async def register(self, *, password: str = "", expires_s: int = 3600) -> Response:
        home = f"sip:{self.domain}"
        to = f"<sip:{self.number}@{self.domain}>"
        extra = f"Expires: {expires_s}\r\n"
        return await self.ask("REGISTER", home, f"reg-{self.local_tag}", to, extra, password=password)

    async def wait_request(self, method: str) -> Request:
        async with asyncio.timeout(self.wait_s):
            while True:
                got = await self._inbox.get()
                if isinstance(got, Request) and got.method == method:
                    return got

    async def wait_response(self, status: int) -> Response:
        async with asyncio.timeout(self.wait_s):
            while True:
                got = await self._inbox.get()
                if isinstance(got, Response) and got.status == status:
                    return got

    def respond(self, request: Request, status: int, body: str = "") -> None:
        response = response_to(request, status, to_tag=self.local_tag)
        response.set("Contact", f"<sip:{self.number}@{self.address}>")
        if body:
            response.set("Content-Type", "application/sdp")
            response.body = body.encode()
        self.transport.sendto(response.serialise())

    def sdp(self) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/SAVP 0\r\n"
            f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
        )


class RawCall:
    """A call between two callers, as far as `connect` brought it."""

    def __init__(self, caller: Caller, callee: Caller) -> None:
        self.caller, self.callee = caller, callee
        self.call_id = f"call-{secrets.token_hex(8)}"
        self.uri = f"sip:{callee.number}@{caller.domain}"
        self.target = self.uri
        self.to = f"<{self.uri}>"

    async def ring(self) -> Request:
        """The INVITE that the callee got."""
        asked = asyncio.create_task(self.caller.ask("INVITE", self.uri, self.call_id, self.to, body=self.caller.sdp()))
        offered = await self.callee.wait_request("INVITE")
        self.offered = offered
        self.callee.respond(offered, 180)
        ringing = await asked
        assert ringing.status == 180, ringing
        return offered

    async def connect(self) -> Self:
        offered = await self.ring()
        self.callee.respond(offered, 200, self.callee.sdp())
        answered = await self.caller.wait_response(200)
        self.target = target_of(answered)
        self.to = answered.get("To") or ""
        self.caller.acknowledge(self.target, self.call_id, answered)
        await self.callee.wait_request("ACK")
        return self

    async def end(self) -> None:
        """The caller hangs up; both sides have heard of it."""
        asked = asyncio.create_task(self.caller.ask("BYE", self.target, self.call_id, self.to))
        bye = await self.callee.wait_request("BYE")
        self.callee.respond(bye, 200)
        response = await asked
        assert response.status == 200, response

    async def end_by_callee(self) -> None:
        """The same the other way round."""
        target, to = target_of(self.offered), self.offered.get("From") or ""
        asked = asyncio.create_task(self.callee.ask("BYE", target, self.offered.call_id, to))
        self.caller.respond(await self.caller.wait_request("BYE"), 200)
        response = await asked
        assert response.status == 200, response


def target_of(message: Request | Response) -> str:
    contact = message.get("Contact") or ""
    return contact[contact.index("<") + 1 : contact.index(">")]


async def call(server: Server, domain: str = "acme.example") -> RawCall:
    """1001 and 1002, registered and connected."""
    alice, bob = await Caller.at(server, "1001", domain), await Caller.at(server, "1002", domain)
    for one in (alice, bob):
        registered = await one.register()
        assert registered.status == 200, registered
    return await RawCall(alice, bob).connect()
