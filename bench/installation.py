"""A real server in processes of its own, as the SIP rows need it: users, a callee, and what its processes cost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_driver import Client  # type: ignore[import-untyped]

from adapters.sip.auth import answer
from adapters.sip.message import Response, parse
from bench.measure import TreeCpu
from bench.sipp import Load
from tests.fixtures.server import PASSWORD, Server, free_ports, tenant

USERS = 200
"""Extensions that take turns under load."""
IDLE_USERS = 2000
"""Further extensions, which only register."""
CALLEE = "2000"
ROLES = ("sessions", "projector", "analytics", "api")
_SETTLE_S = 90
_TENANTS_AT_ONCE = 200
_STEP_S = 0.5
_BUSY_SHARE = 0.2
"""Of one core, of all processes together: below it the server is done with what it was given."""


class Cost(NamedTuple):
    """CPU seconds of the whole process tree and, by role, of its parts."""

    total_s: float
    roles_s: Mapping[str, float]


class Meter:
    """CPU of a server's processes since construction."""

    def __init__(self, server: Server) -> None:
        self._tree = TreeCpu(pid_of(server))
        self._roles = {role: TreeCpu(server.pid_of(role)) for role in ROLES}

    def cost(self) -> Cost:
        return Cost(self._tree.seconds(), {role: cpu.seconds() for role, cpu in self._roles.items()})

    async def settled(self) -> Cost:
        """The cost once the server has worked off what it was given, the rows of its records included."""
        before = self._tree.seconds()
        for _ in range(round(_SETTLE_S / _STEP_S)):
            await asyncio.sleep(_STEP_S)
            now = self._tree.seconds()
            if now - before < _BUSY_SHARE * _STEP_S:
                return self.cost()
            before = now
        raise RuntimeError(f"the server is still busy {_SETTLE_S} s after the load ended")


class Installation:
    """A started server with its users, and SIPp to load it."""

    def __init__(self, server: Server, load: Load) -> None:
        self.server, self.load = server, load

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.server.udp}"

    async def restart(self) -> None:
        """Stop and start: what configuring it left in memory is gone."""
        await self.server.stop()
        await self.server.start()

    def client(self) -> Client:
        """An analyst's connection; of one thread at a time."""
        return Client("127.0.0.1", port=self.server.clickhouse, user="analyst", database="switchlog")

    @asynccontextmanager
    async def callee(self) -> AsyncIterator[None]:
        """SIPp answers what is dialled to `CALLEE`."""
        (port,) = free_ports(1)
        peer = await self.load.callee(port)
        try:
            await asyncio.to_thread(register, self.server.udp, CALLEE, port)
            yield
        finally:
            if peer.returncode is None:
                peer.kill()
            await peer.wait()


@asynccontextmanager
async def installation(folder: Path, tenants: int = 1) -> AsyncIterator[Installation]:
    """A server that offers MD5 (SIPp knows nothing else), with all extensions, in `folder`.

    The load belongs to one of `tenants` tenants; each of the others has one extension.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    server = Server.at(data, SIP_DIGEST="MD5")
    try:
        await server.start()
        await server.apply(tenant("acme", [CALLEE, *_numbers(USERS + IDLE_USERS)]))
        others = [tenant(f"other-{number}", ["1001"]) for number in range(1, tenants)]
        for start in range(0, len(others), _TENANTS_AT_ONCE):
            await server.apply(*others[start : start + _TENANTS_AT_ONCE])
        yield Installation(server, Load(folder))
    except AssertionError as error:
        raise RuntimeError(f"the server does not work: {error}") from error
    finally:
        await server.stop()


def users(first: int = 0, count: int = USERS) -> list[tuple[str, str, str]]:
    """SIPp's fields of some extensions: number, credentials, whom to call."""
    return [_fields(number) for number in _numbers(first + count)[first:]]


def pid_of(server: Server) -> int:
    """The parent of all its processes."""
    if server.process is None:
        raise RuntimeError("the server does not run")
    return server.process.pid


def register(server_port: int, number: str, port: int) -> None:
    """Bind `number` to a contact at `port`, which SIPp's own callee cannot do for itself. Blocks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.connect(("127.0.0.1", server_port))
        challenge = _exchange(peer, number, port, 1, "")
        value = answer(
            challenge.get_all("WWW-Authenticate")[0],
            "REGISTER",
            "sip:acme.example",
            number,
            PASSWORD.format(username=number),
            "bench",
        )
        response = _exchange(peer, number, port, 2, f"Authorization: {value}\r\n")
    if response.status != 200:
        raise RuntimeError(f"the callee could not register: {response.status}")


def _exchange(peer: socket.socket, number: str, port: int, cseq: int, extra: str) -> Response:
    local = "{}:{}".format(*peer.getsockname())
    peer.send(
        (
            "REGISTER sip:acme.example SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {local};branch=z9hG4bKbench{cseq};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{number}@acme.example>;tag=bench\r\nTo: <sip:{number}@acme.example>\r\n"
            f"Call-ID: bench-{local}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{number}@127.0.0.1:{port}>\r\n"
            f"Expires: 3600\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    response: Any = parse(peer.recv(65535))
    if not isinstance(response, Response):
        raise RuntimeError(f"not a response to REGISTER: {response}")
    return response


def _numbers(count: int) -> list[str]:
    return [str(10_000 + number) for number in range(count)]


def _fields(number: str) -> tuple[str, str, str]:
    secret = PASSWORD.format(username=number)
    return number, f"[authentication username={number} password={secret}]", CALLEE
