"""Our own encrypted media at the other end of a phone's call: it answers, plays a tone, and keeps what it hears.

Just enough SIP for one call over UDP. The SDP, the handshake and SRTP are those that a media worker uses.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import numpy as np

from adapters.media import crypto, handshake
from adapters.media.self_signed import self_signed
from media import rtp
from media.demux import Kind, kind
from media.dtls import DtlsSrtp
from media.g711 import MU_LAW, Decoder, Encoder
from media.pcm import Samples
from media.srtp import Srtp
from media.wire import Dtls, Sdes
from tests.phones.driver import looped_tone

FRAME = 160
FRAME_S = 0.02
Address = tuple[str, int]


class Media(asyncio.DatagramProtocol):
    """One leg: encrypted, or nothing at all goes in either direction."""

    def __init__(self, remote: Address, tone_hz: float) -> None:
        self.remote = remote
        self.srtp: Srtp | None = None
        self.dtls: DtlsSrtp | None = None
        self.heard: list[Samples] = []
        self.reports = 0
        self.transport: asyncio.DatagramTransport | None = None
        self._tone = looped_tone(tone_hz)
        self._sent = 0
        self._encoder, self._decoder = Encoder(MU_LAW), Decoder(MU_LAW)
        self._ssrc = secrets.randbits(32)
        self._news = asyncio.Event()

    @property
    def port(self) -> int:
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    async def hear(self, packets: int) -> Samples:
        """The sound of the next packets, and nothing that came before."""
        before = len(self.heard)
        async with asyncio.timeout(10):
            while len(self.heard) < before + packets:
                self._news.clear()
                await self._news.wait()
        return np.concatenate(self.heard[before:])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def begin(self, secure: Sdes | Dtls) -> None:
        """Keys, or a handshake for them, from now on; and the tone every 20 ms."""
        if isinstance(secure, Sdes):
            self.srtp = Srtp(secure)
        else:
            self.dtls = DtlsSrtp(secure, self.remote, asyncio.get_running_loop().time())
        self._tick()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        match kind(data):
            case Kind.DTLS if self.dtls is not None:
                self.dtls.receive(data, addr, asyncio.get_running_loop().time())
                self._handshake()
            case Kind.RTP if self.srtp is not None:
                plain = self.srtp.unprotect(data)
                packet = rtp.parse(plain) if plain else None
                if packet is not None and packet.payload_type == 0:
                    self.heard.append(self._decoder.decode(packet.payload))
                    self._news.set()
            case Kind.RTCP if self.srtp is not None:
                self.reports += self.srtp.unprotect_rtcp(data) is not None

    def _handshake(self) -> None:
        assert self.dtls is not None and self.transport is not None
        for data, to in self.dtls.to_send():
            self.transport.sendto(data, to)
        if self.dtls.keys is not None and self.srtp is None:
            self.srtp = Srtp(self.dtls.keys)

    def _tick(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        loop = asyncio.get_running_loop()
        loop.call_later(FRAME_S, self._tick)
        if self.dtls is not None:
            due = self.dtls.timer()
            if due is not None and loop.time() >= due:
                self.dtls.on_timer(loop.time())
            self._handshake()
        if self.srtp is not None:
            at = self._sent * FRAME % len(self._tone)
            payload = self._encoder.encode(self._tone[at : at + FRAME])
            wire = self.srtp.protect(rtp.header(0, self._sent, self._sent * FRAME, self._ssrc) + payload)
            self._sent += 1
            if wire is not None:
                self.transport.sendto(wire, self.remote)


class Answerer(asyncio.DatagramProtocol):
    """Takes the first call. `suites` are those of SDES it allows, `setup` what it answers to `a=setup:actpass`."""

    def __init__(self, tone_hz: float, suites: tuple[str, ...], setup: str) -> None:
        self.media: Media | None = None
        self.suite = ""
        self._tone_hz, self._suites, self._setup = tone_hz, suites, setup
        self._answer = ""
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def uri(self) -> str:
        assert self._transport is not None
        return "sip:answerer@{}:{}".format(*self._transport.get_extra_info("sockname"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = data.decode(errors="replace")
        method = message.split(" ", 1)[0]
        if method == "INVITE" and self._task is None:
            self._task = asyncio.create_task(self._take(message, addr))
        elif method in ("INVITE", "BYE", "UPDATE", "OPTIONS"):
            self._reply(message, addr, self._answer if method == "INVITE" else "")

    async def _take(self, invite: str, addr: Address) -> None:
        lines = invite.partition("\r\n\r\n")[2].split("\r\n")
        media_line = next(line for line in lines if line.startswith("m=audio")).split()
        host = next(line for line in lines if line.startswith("c=")).split()[-1]
        _, self.media = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Media((host, int(media_line[1])), self._tone_hz), ("127.0.0.1", 0)
        )
        try:
            secure, attributes = self._agreed(lines)
        except (crypto.CryptoError, handshake.HandshakeError) as error:
            self._reply(invite, addr, "", f"488 {error}")
            return
        self._answer = "\r\n".join(
            ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
            + [f"m=audio {self.media.port} {media_line[2]} 0", "a=rtpmap:0 PCMU/8000", "a=rtcp-mux", *attributes, ""]
        )
        self._reply(invite, addr, self._answer)
        self.media.begin(secure)

    def _agreed(self, lines: list[str]) -> tuple[Sdes | Dtls, list[str]]:
        def values(name: str) -> list[str]:
            return [line.partition(":")[2] for line in lines if line.startswith(f"a={name}:")]

        if not values("fingerprint"):
            chosen = crypto.choose(values("crypto"), self._suites)
            ours = chosen._replace(key=crypto.new_key(chosen.suite, secrets.token_bytes))
            self.suite = chosen.suite
            return Sdes(*crypto.keys(ours, chosen)), [f"a=crypto:{ours}"]
        (offered,) = values("setup")
        setup = self._setup or handshake.setup_answer(offered)
        active, fingerprint = handshake.agree(setup, offered, values("fingerprint"))
        own = self_signed(secrets.token_bytes(32), 2026)
        attributes = [f"a=setup:{setup}", f"a=fingerprint:{own.fingerprint}"]
        return Dtls(active, fingerprint, own.certificate, own.key), attributes

    def _reply(self, request: str, addr: Address, body: str, status: str = "200 OK") -> None:
        assert self._transport is not None
        head = [re.findall(rf"(?im)^{name}\s*:.*$", request) for name in ("Via", "From", "To", "Call-ID", "CSeq")]
        lines = [f"SIP/2.0 {status}", *(line.strip() for found in head for line in found)]
        lines = [f"{line};tag=a1" if line.lower().startswith("to:") and "tag=" not in line else line for line in lines]
        lines += [f"Contact: <{self.uri}>", *(["Content-Type: application/sdp"] if body else [])]
        self._transport.sendto("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode(), addr)

    def close(self) -> None:
        for transport in (self._transport, self.media.transport if self.media else None):
            if transport is not None:
                transport.close()


@asynccontextmanager
async def answering(tone_hz: float, suites: tuple[str, ...] = (), setup: str = "") -> AsyncIterator[Answerer]:
    """An answerer on a port of its own."""
    _, answerer = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Answerer(tone_hz, suites, setup), ("127.0.0.1", 0)
    )
    try:
        yield answerer
    finally:
        answerer.close()
