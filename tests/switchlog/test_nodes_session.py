"""Two nodes over real sockets: phones by UDP, and the link by TLS with certificates on both sides."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Request, Response
from adapters.sip.message.parser import parse
from adapters.sip.message.via import join_host_port, split_host_port
from domain.ids import shard_of_registration
from domain.node import Listener, Neighbour
from domain.values import Contact
from switchlog.node.warden import Holder
from switchlog.session.session import Session
from switchlog.session.wiring import Company, SessionParts
from switchlog.tls.certificate import client_context, server_context
from tests.adapters.sip.station import Run, run
from tests.domain.world import directory
from tests.fixtures.authority import Authority
from tests.switchlog.exchange import PASSWORD, OneSecret, PlainSealer
from tests.switchlog.nodes import SharedJournal, divided
from tests.switchlog.phone import SDP

__all__ = ["run"]
NAMES = ("a", "b")
NOBODY = Holder(lambda epochs, streams: 0, lambda shard: None, lambda shard, done: done())


class Known:
    """What both nodes know (`domain.node.Roster`)."""

    def __init__(self, me: str, living: dict[str, Neighbour], journal: SharedJournal) -> None:
        self.me, self._living, self._journal = me, living, journal

    def owner(self, shard: int) -> Neighbour | None:
        return self._living.get(self._journal.claims[shard][1])

    def takes(self, shard: int) -> bool:
        return self._journal.claims[shard][1] == self.me

    def neighbour(self, name: str) -> Neighbour | None:
        return self._living.get(name)

    def neighbours(self) -> Collection[Neighbour]:
        return self._living.values()


class Two:
    """Nodes a and b. The registration of each number is owned by the node at which its phone is not."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.journal = SharedJournal()
        self.living: dict[str, Neighbour] = {}
        self.sessions: dict[str, Session] = {}

    async def start(self, stack: AsyncExitStack) -> None:
        shards = {name: set(some) for name, some in divided(*NAMES).items()}
        for number, owner in (("1001", "b"), ("1002", "a")):
            for name in NAMES:
                shards[name].discard(shard_of_registration("acme", number))
            shards[owner].add(shard_of_registration("acme", number))
        for name in NAMES:
            session = self._session(name, sorted(shards[name]))
            stack.push_async_callback(session.close)
            calls = await session.take_over()
            cert, key = self._authority.issue(name, name)
            ca = self._authority.certificate
            tls = server_context(cert, key, ca), client_context(cert, key, ca)
            assert session.nodes is not None
            link = await session.nodes.listen("127.0.0.1", 0, "", *tls)
            local = await session.listen("udp", "127.0.0.1", 0)
            self.living[name] = Neighbour(name, link, (Listener("udp", local, local),))
            session.resume(calls)
            await session.open()

    def _contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        owner = self.journal.claims[shard_of_registration(tenant, number)][1]
        return self.sessions[owner].board.contacts(tenant, number)

    def _session(self, name: str, shards: list[int]) -> Session:
        parts = SessionParts(
            node=name,
            journal=self.journal,
            epochs=self.journal.claim(shards, name),
            credentials=OneSecret(),
            sealer=PlainSealer(),
            directory=directory,
            identifier_secret=b"k" * 32,
            nonce_secret=b"n" * 32,
            media_secret=b"m" * 32,
            algorithms=("MD5",),
            roster=Known(name, self.living, self.journal),
            elsewhere=self._contacts,
            company=Company(lambda: False, NOBODY),
        )
        self.sessions[name] = session = Session(parts, asyncio.get_running_loop())
        return session


class Handset:
    """A phone on a UDP socket."""

    def __init__(self, number: str, server: str) -> None:
        self.number, self.server, self.cseq = number, server, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.address = join_host_port(*self._socket.getsockname())

    def close(self) -> None:
        self._socket.close()

    def send(self, text: str, body: str = "") -> None:
        head = text.strip().replace("\n", "\r\n")
        wire = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        self._socket.sendto(wire, split_host_port(self.server))

    async def get(self, wanted: str) -> Request | Response:
        """The next message with this method or status; what comes before is passed over."""
        while True:
            message = parse(await asyncio.get_running_loop().sock_recv(self._socket, 65_535))
            if wanted == (message.method if isinstance(message, Request) else str(message.status)):
                return message

    async def ask(self, method: str, uri: str, to: str, call_id: str, body: str = "") -> None:
        """A request outside a dialog, once with and once without credentials."""
        extra = ""
        for _ in range(2):
            self.cseq += 1
            self.send(
                f"{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {self.address};branch=z9hG4bK{self.number}.{self.cseq}\n"
                f"Max-Forwards: 70\nFrom: <sip:{self.number}@acme.example>;tag=f{self.number}\nTo: <{to}>\n"
                f"Call-ID: {call_id}\nCSeq: {self.cseq} {method}\nContact: <sip:{self.number}@{self.address}>"
                + ("\nContent-Type: application/sdp" if body else "")
                + extra,
                body,
            )
            if not extra:
                challenge = (await self.get("401")).get_all("WWW-Authenticate")[0]
                extra = f"\nAuthorization: {answer(challenge, method, uri, self.number, PASSWORD, 'cn')}"

    async def register(self) -> None:
        await self.ask("REGISTER", "sip:acme.example", f"sip:{self.number}@acme.example", f"r{self.number}")
        await self.get("200")

    def reply(self, request: Request, status: int, body: str = "") -> None:
        vias = "\n".join(f"Via: {via}" for via in request.get_all("Via"))
        to = request.get("To") or ""
        self.send(
            f"SIP/2.0 {status} Fine\n{vias}\nFrom: {request.get('From')}\nTo: {to if 'tag=' in to else to + ';tag=t'}\n"
            f"Call-ID: {request.call_id}\nCSeq: {request.get('CSeq')}\nContact: <sip:{self.number}@{self.address}>"
            + ("\nContent-Type: application/sdp" if body else ""),
            body,
        )

    def within(self, answered: Response, method: str) -> None:
        self.cseq += method != "ACK"
        self.send(
            f"{method} {(answered.get('Contact') or '').strip('<>')} SIP/2.0\n"
            f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{method}{self.number}{self.cseq}\nMax-Forwards: 70\n"
            f"From: {answered.get('From')}\nTo: {answered.get('To')}\nCall-ID: {answered.call_id}\n"
            f"CSeq: {self.cseq} {method}"
        )


@pytest.mark.parametrize("survives", [True, False], ids=["both", "the callee's node dies"])
def test_a_call_between_phones_of_two_nodes(run: Run, tmp_path: Path, survives: bool) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            two = Two(Authority(tmp_path))
            await two.start(stack)
            at = {name: two.living[name].listeners[0].address for name in NAMES}
            alice, bob = Handset("1001", at["a"]), Handset("1002", at["b"])
            stack.callback(alice.close), stack.callback(bob.close)
            await alice.register()
            await bob.register()
            await alice.ask("INVITE", "sip:1002@acme.example", "sip:1002@acme.example", "call-1", SDP)
            invite = await bob.get("INVITE")
            assert isinstance(invite, Request)
            assert len(invite.get_all("Via")) == 2
            bob.reply(invite, 200, SDP)
            answered = await alice.get("200")
            assert isinstance(answered, Response)
            alice.within(answered, "ACK")
            await bob.get("ACK")
            (call,) = two.sessions["a"].board.live_calls
            assert [leg.dialog.flow.node for leg in call.legs.values()] == ["a", "b"]
            if not survives:
                del two.living["b"]
                assert two.sessions["a"].nodes is not None
                two.sessions["a"].nodes.gone("b")
            alice.within(answered, "BYE")
            await alice.get("200")
            bye = await bob.get("BYE")
            assert len(bye.get_all("Via")) == (2 if survives else 1)  # else from a's own socket
            links = {name: session.metrics() for name, session in two.sessions.items()}
            assert links["a"]["link_sent_total"] >= 4
            assert links["b"]["link_received_total"] >= 4
            assert links["a"]["link_failed_messages_total"] == links["b"]["link_failed_messages_total"] == 0

    run(main())
