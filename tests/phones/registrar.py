"""A registrar just big enough to see how a phone answers its challenge: SHA-256 first, then MD5."""

import asyncio
import hashlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

REALM, NONCE = "acme.example", "b2ZmZXJlZCBvbmNl"
CHALLENGES = "".join(
    f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", algorithm={name}, qop="auth"\r\n'
    for name in ("SHA-256", "MD5")
)


def _field(message: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", message)
    return found[1] if found else ""


def _is_right(authorization: str, password: str) -> bool:
    """RFC 7616 section 3.4.1 with SHA-256 and qop=auth, method REGISTER."""
    got = {key.lower(): value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|[^,\s]+)', authorization)}
    digest = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}[got["algorithm"]]

    def h(text: str) -> str:
        return str(digest(text.encode()).hexdigest())

    ha1, ha2 = h(f"{got['username']}:{REALM}:{password}"), h(f"REGISTER:{got['uri']}")
    return bool(h(f"{ha1}:{NONCE}:{got['nc']}:{got['cnonce']}:{got['qop']}:{ha2}") == got["response"])


@dataclass
class Registrar:
    """Answers REGISTER; `algorithms` are those that the phones answered with, in order."""

    password: str
    algorithms: list[str] = field(default_factory=list)

    def answer(self, message: str) -> str:
        authorization = _field(message, "Authorization")
        status, extra = "401 Unauthorized", CHALLENGES
        if authorization:
            found = re.search(r"algorithm=\"?([\w-]+)", authorization)
            self.algorithms.append(found[1] if found else "MD5")
            status, extra = "403 Forbidden", ""
            if _is_right(authorization, self.password):
                status, extra = "200 OK", f"Contact: {_field(message, 'Contact')}\r\nExpires: 300\r\n"
        same = "".join(f"{name}: {_field(message, name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        return f"SIP/2.0 {status}\r\n{same}To: {_field(message, 'To')};tag=r1\r\n{extra}Content-Length: 0\r\n\r\n"

    @asynccontextmanager
    async def over_stream(self, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
        """Listen on TCP or TLS; gives the address."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=tls)
        host, port = server.sockets[0].getsockname()
        async with server:
            yield f"{host}:{port}"

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                message = (await reader.readuntil(b"\r\n\r\n")).decode().lstrip("\r\n")
                if message.startswith("REGISTER"):
                    writer.write(self.answer(message).encode())
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def over_datagrams(self) -> AsyncIterator[str]:
        """Listen on UDP; gives the address."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), ("127.0.0.1", 0)
        )
        host, port = transport.get_extra_info("sockname")
        try:
            yield f"{host}:{port}"
        finally:
            transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, registrar: Registrar) -> None:
        self.registrar = registrar
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode()
        if message.startswith("REGISTER") and self.transport is not None:
            self.transport.sendto(self.registrar.answer(message).encode(), addr)
