"""A real server in processes of its own, as the SIP rows need it: users, a callee, and what its processes cost."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_driver import Client  # type: ignore[import-untyped]

from adapters.sip.digest.challenge import answer
from adapters.sip.message.message import Response
from adapters.sip.message.parser import parse
from bench.measure import TreeCpu, settle
from bench.sipp import Load
from tests.fixtures.ports import free_ports
from tests.fixtures.server import PASSWORD, Server, tenant

USERS = 200
"""Extensions that take turns under load."""
IDLE_USERS = 2000
"""Further extensions, which only register."""
CALLEE = "2000"
ROLES = ("sessions", "projector", "analytics", "api")
_TENANTS_AT_ONCE = 200
_CHALLENGE, _BUSY = 401, 503
_TRIES, _AGAIN_S = 5, 1.0


class Cost(NamedTuple):
    """CPU seconds of the whole process tree and, by role, of its parts, and of what is beside it."""

    total_s: float
    roles_s: Mapping[str, float]


class Meter:
    """CPU of a server's processes since construction; `beside` are processes that are named and do not count."""

    def __init__(self, server: Server, beside: Mapping[str, int] | None = None) -> None:
        self._tree = TreeCpu(pid_of(server))
        pids = {role: server.pid_of(role) for role in ROLES} | dict(beside or {})
        self._roles = {role: TreeCpu(pid) for role, pid in pids.items()}

    def cost(self) -> Cost:
        return Cost(self._tree.seconds(), {role: cpu.seconds() for role, cpu in self._roles.items()})

    async def settled(self) -> Cost:
        """The cost once the server has worked off what it was given, the rows of its records included."""
        await settle(self._tree)
        return self.cost()


class Target:
    """Whatever takes REGISTERs and calls of the users at a UDP port of loopback, and SIPp to load it."""

    def __init__(self, udp: int, load: Load) -> None:
        self.udp, self.load = udp, load
        self.devices_port, self.callers_port = free_ports(2)
        """Where the users register from and call from: always the same, else each run would bind them once more."""

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.udp}"

    @asynccontextmanager
    async def callee(self) -> AsyncIterator[None]:
        """SIPp answers what is dialled to `CALLEE`."""
        (port,) = free_ports(1)
        peer = await self.load.callee(port)
        try:
            await asyncio.to_thread(register, self.udp, CALLEE, port)
            yield
            # else the next one's calls would ring here as well
            await asyncio.to_thread(register, self.udp, CALLEE, port, expires_s=0)
        finally:
            if peer.returncode is None:
                peer.kill()
            await peer.wait()


class Installation(Target):
    """A started server of ours with its users."""

    def __init__(self, server: Server, load: Load, beside: Mapping[str, int] | None = None) -> None:
        super().__init__(server.udp, load)
        self.server, self._beside = server, beside

    def meter(self) -> Meter:
        return Meter(self.server, self._beside)

    async def restart(self) -> None:
        """Stop and start: what configuring it left in memory is gone."""
        await self.server.stop()
        await self.server.start()

    def client(self) -> Client:
        """An analyst's connection; of one thread at a time."""
        return Client("127.0.0.1", port=self.server.clickhouse, user="analyst", database="switchlog")


@asynccontextmanager
async def installation(
    folder: Path, tenants: int = 1, idle: int = IDLE_USERS, beside: Mapping[str, int] | None = None, **settings: str
) -> AsyncIterator[Installation]:
    """A server that offers MD5 (SIPp knows nothing else), with all extensions, `idle` of which only register.

    It is in `folder`. The load belongs to one of `tenants` tenants; each of the others has one extension. `beside`
    names processes whose CPU is told too; `settings` are as for `Server.at`.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    server = Server.at(data, SIP_DIGEST="MD5", **settings)
    try:
        await server.start()
        await server.apply(tenant("acme", [CALLEE, *numbers(USERS + idle)]))
        others = [tenant(f"other-{number}", ["1001"]) for number in range(1, tenants)]
        for start in range(0, len(others), _TENANTS_AT_ONCE):
            await server.apply(*others[start : start + _TENANTS_AT_ONCE])
        yield Installation(server, Load(folder), beside)
    except AssertionError as error:
        raise RuntimeError(f"the server does not work: {error}") from error
    finally:
        await server.stop()


def users(first: int = 0, count: int = USERS) -> list[tuple[str, str, str]]:
    """SIPp's fields of some extensions: number, credentials, whom to call."""
    return [_fields(number) for number in numbers(first + count)[first:]]


def pid_of(server: Server) -> int:
    """The parent of all its processes."""
    if server.process is None:
        raise RuntimeError("the server does not run")
    return server.process.pid


def register(server_port: int, number: str, port: int, expires_s: int = 3600) -> None:
    """Bind `number` to a contact at `port`, which SIPp's own callee cannot do for itself; not any more if 0. Blocks.

    A server that is busy still with what came before is asked again. Raises RuntimeError, TimeoutError.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.connect(("127.0.0.1", server_port))
        for attempt in range(_TRIES):
            response = _attempt(peer, number, port, 2 * attempt + 1, expires_s)
            if response.status != _BUSY:
                break
            time.sleep(_AGAIN_S)
    if response.status != 200:
        raise RuntimeError(f"the callee could not register: {response.status}")


def _attempt(peer: socket.socket, number: str, port: int, cseq: int, expires_s: int) -> Response:
    """The last answer to a REGISTER, and to one with credentials if they were asked for."""
    challenge = _exchange(peer, number, port, cseq, expires_s)
    if challenge.status != _CHALLENGE:
        return challenge
    asked, password = challenge.get_all("WWW-Authenticate")[0], PASSWORD.format(username=number)
    value = answer(asked, "REGISTER", "sip:acme.example", number, password, "bench")
    return _exchange(peer, number, port, cseq + 1, expires_s, f"Authorization: {value}\r\n")


def _exchange(peer: socket.socket, number: str, port: int, cseq: int, expires_s: int, extra: str = "") -> Response:
    local = "{}:{}".format(*peer.getsockname())
    peer.send(
        (
            "REGISTER sip:acme.example SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {local};branch=z9hG4bKbench{cseq};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{number}@acme.example>;tag=bench\r\nTo: <sip:{number}@acme.example>\r\n"
            f"Call-ID: bench-{local}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{number}@127.0.0.1:{port}>\r\n"
            f"Expires: {expires_s}\r\n{extra}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    response: Any = parse(peer.recv(65535))
    if not isinstance(response, Response):
        raise RuntimeError(f"not a response to REGISTER: {response}")
    return response


def numbers(count: int) -> list[str]:
    return [str(10_000 + number) for number in range(count)]


def _fields(number: str) -> tuple[str, str, str]:
    secret = PASSWORD.format(username=number)
    return number, f"[authentication username={number} password={secret}]", CALLEE
