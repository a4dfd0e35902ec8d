"""SIPp on IPv6, real phones on TLS whose certificates change, and with flows of their own."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from switchlog.tls.certificate import client_context
from tests.e2e.sipp import Check, Script, hear, needs_sipp, ports, send
from tests.e2e.talk import TONES_HZ, both_hear, connect, phone
from tests.faults.caller import Caller, target_of
from tests.fixtures.authority import Authority
from tests.fixtures.server import Server, running, tenant
from tests.media.party import Phone
from tests.phones.factory import Phones

WAIT_S = 20.0


@pytest.fixture
async def both_families(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that listens on 127.0.0.1 and on ::1, at the same ports."""
    one = Server.at(tmp_path)
    for name, port in (("SIP_UDP", one.udp), ("SIP_TCP", one.tcp), ("SIP_TLS", one.tls)):
        one.settings[name] = f"127.0.0.1:{port},[::1]:{port}"
    async with running(one, tenant("acme")):
        yield one


HOSTS = {"4": "127.0.0.1", "6": "::1"}
SDP6 = "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


def answered(body: str = "") -> str:
    same = ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"]
    lines = ["SIP/2.0 200 OK", *same]
    if body:
        lines[3] += ";tag=b[call_number]"
        lines += ["Contact: <sip:1002@[local_ip]:[local_port]>", "Content-Type: application/sdp"]
    return "\n".join([*lines, "Content-Length: [len]", "", body.replace("\r\n", "\n")])


@needs_sipp
@pytest.mark.parametrize(("from_", "to"), [("6", "6"), ("6", "4"), ("4", "6")])
async def test_phones_call_each_other_whatever_their_family(
    both_families: Server, tmp_path: Path, from_: str, to: str
) -> None:
    """Signalling alone: the session description passes through. SIPp's digest does not know IPv6, so it is called."""
    server = both_families
    (port,) = ports(1)
    own = r"\[::1\]" if to == "6" else r"127\.0\.0\.1"
    bob = await Caller.at(server, "1002", port=port, host=HOSTS[to])
    assert (await bob.register()).status == 200
    await bob.closed()
    steps = [
        hear(
            "INVITE",
            Check(f"UDP {own}:{server.udp};branch", "Via"),
            Check(f"@{own}:{server.udp}>", "Contact"),
        ),
        send(answered(SDP6), retrans=True),
        hear("ACK", Check("IP6 ::1", absent=True)),
        hear("BYE"),
        send(answered()),
    ]
    callee = asyncio.create_task(Script(tmp_path, "callee", port, steps, HOSTS[to]).run())
    alice = await Caller.at(server, "1001", host=HOSTS[from_])
    uri, to_ = "sip:1002@acme.example", "<sip:1002@acme.example>"
    response = await alice.ask("INVITE", uri, "call-1", to_, body=SDP6)
    assert (response.status, response.body.decode().replace("\r\n", "\n").strip()) == (
        200,
        SDP6.replace("\r\n", "\n").strip(),
    )
    target = (response.get("Contact") or "").strip("<>")
    assert target.endswith(f"@[::1]:{server.udp}" if from_ == "6" else f"@127.0.0.1:{server.udp}")
    alice.acknowledge(target, "call-1", response)
    assert (await alice.ask("BYE", target, "call-1", response.get("To") or "")).status == 200
    await callee
    alice.close()
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "caller")


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_phone_that_registers_its_flow(server: Server, phones: Phones, transport: str) -> None:
    alice = await phone(server, phones, "pjsua", "1001", transport, outbound=True)
    bob = await phone(server, phones, "pjsua", "1002", transport, outbound=True)
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
    await out.hold()
    await out.state("held", 10)
    await out.resume()
    await out.state("answered", 10)
    await incoming.hang_up()
    await asyncio.gather(out.state("ended", 10), incoming.state("ended", 10))
    (cdr,) = await server.cdrs()
    assert (cdr["disposition"], cdr["hangup_by"]) == ("answered", "callee")
    told = alice.trace()  # written in blocks, so that the end of it may still be missing
    for words in ("reg-id=", "Require: outbound", "Flow-Timer: 120", "Service-Route: <sip:127.0.0.1"):
        assert words in told, words


class Pair:
    """The certificate that a server is told to use: a pair of files whose content changes."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.cert, self.key = folder / "server.pem", folder / "server.key"
        self._authority = authority

    def hold(self, name: str) -> None:
        cert, key = self._authority.issue(name)
        shutil.copy(cert, self.cert)
        shutil.copy(key, self.key)


async def shown(server: Server, tls: ssl.SSLContext) -> str:
    """The common name that new connections see."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.tls, ssl=tls)
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    return str(dict(pair for entry in subject for pair in entry)["commonName"])


async def logged(server: Server, words: str, count: int = 1) -> None:
    async with asyncio.timeout(WAIT_S):
        while (server.data / "server.log").read_text(errors="replace").count(words) < count:
            await asyncio.sleep(0.02)


def hang_up(server: Server) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)


async def test_certificates_change_under_a_call(tmp_path: Path, phones: Phones) -> None:
    authority = Authority(tmp_path)
    pair = Pair(tmp_path, authority)
    pair.hold("first")
    (tmp_path / "data").mkdir()
    settings = {"TLS_CERT": str(pair.cert), "TLS_KEY": str(pair.key)}
    tls = client_context(None, None, authority.certificate)
    ca = str(authority.certificate)
    async with running(Server.at(tmp_path / "data", **settings), tenant("acme")) as server:
        alice = await phone(server, phones, "pjsua", "1001", "tls", tls_ca=ca)
        bob = await phone(server, phones, "baresip", "1002", "tls", tls_ca=ca)
        out, incoming = await connect(alice, bob, "1002")
        assert await shown(server, tls) == "first"
        processes = server.children()
        pair.hold("second")
        hang_up(server)
        await logged(server, "certificates read again")
        assert await shown(server, tls) == "second"
        pair.key.write_text("nonsense")
        hang_up(server)
        await logged(server, "certificates not read again, the old ones stay")
        assert await shown(server, tls) == "second"
        assert server.children() == processes
        await both_hear(out, TONES_HZ["1001"], incoming, TONES_HZ["1002"])
        await out.hang_up()
        await incoming.state("ended", 10)
        (cdr,) = await server.cdrs()
        assert (cdr["disposition"], cdr["takeovers"]) == ("answered", 0)


OPTIONS = (
    "OPTIONS sip:acme.example SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "From: <sip:a@acme.example>;tag=a\r\nTo: <sip:acme.example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)


async def served(server: Server, tls: ssl.SSLContext) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.tls, ssl=tls)
        writer.write(OPTIONS.encode())
        answer = await asyncio.wait_for(reader.read(100), WAIT_S)
        with suppress(ssl.SSLError, ConnectionError):
            writer.close()
    except (ssl.SSLError, ConnectionError):
        return False
    return answer.startswith(b"SIP/2.0 200")


async def test_only_phones_with_a_certificate_are_served(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "data").mkdir()
    server_pair = authority.issue("server")
    settings = {
        "TLS_CERT": str(server_pair[0]),
        "TLS_KEY": str(server_pair[1]),
        "TLS_CA": str(authority.certificate),
        "TLS_CLIENT": "required",
    }
    async with running(Server.at(tmp_path / "data", **settings), tenant("acme")) as server:
        assert await served(server, client_context(*authority.issue("phone"), authority.certificate))
        assert not await served(server, client_context(None, None, authority.certificate))


def body_of(one: Phone) -> str:
    family = "IP6" if ":" in one.host else "IP4"
    lines = ["v=0", f"o=- 1 1 IN {family} {one.host}", "s=-", f"c=IN {family} {one.host}", "t=0 0"]
    return "\r\n".join([*lines, f"m=audio {one.address[1]} RTP/AVP 0", ""])


async def joined(caller: Caller, one: Phone) -> bytes:
    """Dial the room; the answer's description."""
    assert (await caller.register()).status == 200
    uri, call_id = f"sip:7000@{caller.domain}", f"room-{caller.local_tag}"
    answered = await caller.ask("INVITE", uri, call_id, f"<{uri}>", body=body_of(one))
    assert answered.status == 200, answered.get("Reason")
    caller.acknowledge(target_of(answered), call_id, answered)
    return answered.body


async def test_phones_of_both_families_hear_each_other_in_a_room(both_families: Server) -> None:
    """Each is told an address of its own family."""
    await both_families.apply(tenant("acme") | {"conferences": [{"number": "7000", "announce": "none"}]})
    tones_hz = {"4": 440.0, "6": 697.0}
    callers = [await Caller.at(both_families, f"100{n}", host=HOSTS[family]) for n, family in enumerate(tones_hz, 1)]
    sockets = {family: socket.AF_INET6 if family == "6" else socket.AF_INET for family in tones_hz}
    ones = [
        Phone(0, frequency_hz=hz, sock=socket.socket(sockets[family], socket.SOCK_DGRAM))
        for family, hz in tones_hz.items()
    ]
    try:
        for caller, one, family in zip(callers, ones, tones_hz, strict=True):
            answer = await joined(caller, one)
            assert f"c=IN IP{family} {HOSTS[family]}\r\n".encode() in answer
            found = re.search(rb"m=audio (\d+)", answer)
            assert found is not None
            one.port = int(found[1])
        async with asyncio.timeout(WAIT_S):
            while [one.tones() for one in ones] != [(700.0,), (440.0,)]:
                for one in ones:
                    one.speak()
                    one.listen()
                await asyncio.sleep(0.02)  # a packet's sound
    finally:
        for caller, one in zip(callers, ones, strict=True):
            caller.close()
            one.sock.close()
