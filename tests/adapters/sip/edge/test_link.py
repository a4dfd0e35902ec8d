"""The link between nodes over real sockets: who is let in, what becomes of messages, and when it is given up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

import pytest

from adapters.sip.edge.edge import EdgeError
from adapters.sip.edge.link import LIMITS, NEAR, Link
from adapters.sip.edge.stream import EdgeLimits
from adapters.sip.message.via import split_host_port
from switchlog.node.near import NearSockets
from switchlog.tls.certificate import client_context, server_context
from tests.adapters.sip.pair import make_request
from tests.adapters.sip.station import Run, run
from tests.fixtures.authority import Authority

__all__ = ["run"]
HELLO = make_request("OPTIONS").serialise()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


class Node:
    """A node that notes what it hears. `known` is where it believes the others to be."""

    def __init__(
        self, name: str, authority: Authority, limits: EdgeLimits = LIMITS, near: NearSockets | None = None
    ) -> None:
        self.name, self.known = name, dict[str, str]()
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.back: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._authority = authority
        self.link = Link(
            name,
            self.known.get,
            lambda data, node: self.heard.put_nowait((node, data)),
            lambda data, node: self.back.put_nowait((node, data)),
            limits,
            near,
        )

    def contexts(self, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Of a server and a client with a certificate of that name."""
        cert, key = self._authority.issue(name, name)
        ca = self._authority.certificate
        return server_context(cert, key, ca), client_context(cert, key, ca)

    async def listen(self, *others: Node, name: str = "") -> None:
        """Open it, with a certificate of its own name or another, and tell others of it."""
        local = await self.link.listen("127.0.0.1", 0, *self.contexts(name or self.name))
        for other in others:
            other.known[self.name] = local

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.link.close()


async def pair(stack: AsyncExitStack, authority: Authority) -> tuple[Node, Node]:
    a, b = Node("a", authority), Node("b.example", authority)
    await stack.enter_async_context(a)
    await stack.enter_async_context(b)
    await a.listen(b)
    await b.listen(a)
    return a, b


def test_messages_arrive_in_order_with_the_name_of_their_node(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await pair(stack, authority)
            sent = [make_request("OPTIONS", f"z9hG4bK.{n}").serialise() for n in range(50)]
            assert all(a.link.send("b.example", data) for data in sent)
            assert [await b.heard.get() for _ in sent] == [("a", data) for data in sent]
            assert b.link.send("a", HELLO)
            assert await a.heard.get() == ("b.example", HELLO)
            assert a.link.counters.sent == b.link.counters.received == 50

    run(main())


@pytest.mark.parametrize("shows", ["nothing", "another authority's", "no node's", "the server's own"])
def test_a_stranger_is_not_heard(run: Run, authority: Authority, tmp_path: Path, shows: str) -> None:
    (tmp_path / "other").mkdir()
    foreign = Authority(tmp_path / "other")
    shown: dict[str, tuple[Path | None, Path | None]] = {
        "nothing": (None, None),
        "another authority's": foreign.issue("a", "a"),
        "no node's": authority.issue("c", "c"),
        "the server's own": authority.issue("b.example", "b.example"),
    }

    async def main() -> None:
        async with AsyncExitStack() as stack:
            _, b = await pair(stack, authority)
            tls = client_context(*shown[shows], authority.certificate)
            host, port = split_host_port(b.link._listener.local if b.link._listener else "")
            with suppress(ssl.SSLError, ConnectionError):
                reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname="b.example")
                writer.write(HELLO)
                assert await reader.read(1) == b""
                writer.close()
            assert b.heard.empty()
            assert b.link.counters.received == 0

    run(main())


def test_who_listens_with_another_name_is_told_nothing(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with Node("a", authority) as a, Node("b", authority) as b:
            await a.listen(b)
            await b.listen(a, name="c")
            assert a.link.send("b", HELLO)
            assert await a.back.get() == ("b", HELLO)
            assert b.heard.empty()
            assert not a.link.send("b", HELLO)  # until it is tried again

    run(main())


def test_what_waits_for_a_connection_comes_back_if_there_is_none(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with Node("a", authority) as a:
            await a.listen()
            with socket.socket() as nobody:
                nobody.bind(("127.0.0.1", 0))
                a.known["b"] = f"127.0.0.1:{nobody.getsockname()[1]}"
                sent = [make_request("OPTIONS", f"z9hG4bK.{n}").serialise() for n in range(3)]
                assert all(a.link.send("b", data) for data in sent)
                assert [await a.back.get() for _ in sent] == [("b", data) for data in sent]
            assert not a.link.send("c", HELLO)
            assert a.link.counters.undelivered == 3

    run(main())


def test_a_node_that_is_started_again_is_reached_again(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with Node("a", authority) as a:
            await a.listen()
            for _ in range(2):
                async with Node("b", authority) as b:
                    await b.listen(a)
                    b.known["a"] = "127.0.0.1:1"  # so that it lets a in
                    while not a.link.send("b", HELLO):
                        await asyncio.sleep(0.01)
                    assert await b.heard.get() == ("a", HELLO)

    run(main())


def test_a_dead_node_gets_nothing_and_what_waited_for_it_comes_back(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await pair(stack, authority)
            assert a.link.send("b.example", HELLO)
            await b.heard.get()
            del a.known["b.example"]
            a.link.gone("b.example")
            assert not a.link.send("b.example", HELLO)
            a.known["c"] = "192.0.2.1:9"  # nobody answers there
            assert a.link.send("c", HELLO)
            a.link.gone("c")
            assert await a.back.get() == ("c", HELLO)

    run(main())


def test_a_dead_node_that_wakes_is_not_heard_before_it_counts_among_the_living_again(
    run: Run, authority: Authority
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await pair(stack, authority)
            assert a.link.send("b.example", HELLO)
            assert await b.heard.get() == ("a", HELLO)
            there = b.known.pop("a")
            b.link.gone("a")
            a.link.send("b.example", make_request("BYE").serialise())  # by the connection of before, if that goes on
            async with asyncio.timeout(30):
                while a.link.send("b.example", make_request("BYE").serialise()):
                    await asyncio.sleep(0.01)
            assert b.heard.empty()
            b.known["a"] = there
            async with asyncio.timeout(30):
                while b.heard.empty():
                    a.link.send("b.example", HELLO)
                    await asyncio.sleep(0.01)
            assert await b.heard.get() == ("a", HELLO)

    run(main())


def test_who_does_not_read_loses_its_connection_and_nobody_waits_for_it(run: Run, authority: Authority) -> None:
    async def main() -> None:
        limits = EdgeLimits(max_write_buffer_bytes=100_000)
        async with Node("a", authority, limits) as a, AsyncExitStack() as stack:
            await a.listen()
            server, _ = a.contexts("b")
            server.verify_mode = ssl.CERT_REQUIRED
            stuck: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

            def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                stuck.append((reader, writer))

            listening = await asyncio.start_server(keep, "127.0.0.1", 0, ssl=server, limit=1)
            stack.push_async_callback(listening.wait_closed)
            stack.callback(listening.close)
            host, port = listening.sockets[0].getsockname()
            a.known["b"] = f"{host}:{port}"
            big = HELLO.replace(b"Content-Length: 0", b"Content-Length: 20000") + b"x" * 20_000
            assert a.link.send("b", HELLO)
            while not a.link.counters.sent:
                await asyncio.sleep(0)
            while a.link.send("b", big):
                await asyncio.sleep(0)
            assert 20_000 * a.link.counters.sent > limits.max_write_buffer_bytes
            for _, writer in stuck:
                writer.transport.abort()

    run(main())


def test_a_certificate_is_changed_while_connections_go_on(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            a, b = await pair(stack, authority)
            assert a.link.send("b.example", HELLO)
            await b.heard.get()
            b.link.renew(*b.contexts("stranger"))
            assert a.link.send("b.example", HELLO)
            assert await b.heard.get() == ("a", HELLO)
            b.link.renew(*b.contexts("b.example"))
            assert b.link.send("a", HELLO)
            assert await a.heard.get() == ("b.example", HELLO)

    run(main())


def test_a_port_that_is_taken_is_said(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with Node("a", authority) as a:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                port = taken.getsockname()[1]
                with pytest.raises(EdgeError, match=f"link 127.0.0.1:{port}: another program"):
                    await a.link.listen("127.0.0.1", port, *a.contexts("a"))

    run(main())


def test_a_worker_shows_the_certificate_of_its_node(run: Run, authority: Authority) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            worker, far = Node("a.example_1", authority), Node("b", authority)
            await stack.enter_async_context(worker)
            await stack.enter_async_context(far)
            await worker.listen(far, name="a.example")
            await far.listen(worker)
            far.known["a.example"] = "its edge"
            assert far.link.send(worker.name, HELLO)
            assert await worker.heard.get() == ("b", HELLO)
            assert worker.link.send("b", HELLO)
            assert await far.heard.get() == ("a.example", HELLO), "who it is for others"

    run(main())


# --- between processes of one node


async def near_pair(stack: AsyncExitStack, authority: Authority, folder: Path) -> tuple[Node, Node]:
    """An edge and a worker, neither of which has a certificate."""
    names = ("a.example", "a.example_1")
    edge, worker = (Node(name, authority, near=NearSockets(folder, name)) for name in names)
    edge.known[worker.name] = worker.known[edge.name] = NEAR
    for one in (edge, worker):
        await stack.enter_async_context(one)
        await one.link.listen_near()
    return edge, worker


def test_processes_of_one_node_need_no_certificates_and_know_each_other_by_name(
    run: Run, authority: Authority, tmp_path: Path
) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            edge, worker = await near_pair(stack, authority, tmp_path / ("deep" * 40))
            sent = [make_request("OPTIONS", f"z9hG4bK.{n}").serialise() for n in range(50)]
            assert all(edge.link.send(worker.name, data) for data in sent)
            assert [await worker.heard.get() for _ in sent] == [(edge.name, data) for data in sent]
            assert worker.link.send(edge.name, HELLO)
            assert await edge.heard.get() == (worker.name, HELLO)

    run(main())


def test_what_a_process_that_died_has_left_is_in_nobodys_way(run: Run, authority: Authority, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            edge, worker = await near_pair(stack, authority, tmp_path)
            await worker.link.close()
            assert edge.link.send(worker.name, HELLO)
            assert await edge.back.get() == (worker.name, HELLO)
            assert not edge.link.send(worker.name, HELLO), "not tried again at once"
            (tmp_path / f"{worker.name}>{edge.name}").touch()
            again = await stack.enter_async_context(
                Node(worker.name, authority, near=NearSockets(tmp_path, worker.name))
            )
            again.known[edge.name] = NEAR
            await again.link.listen_near()
            assert again.link.send(edge.name, HELLO)
            assert await edge.heard.get() == (worker.name, HELLO)

    run(main())


def test_a_socket_without_the_name_of_a_process_is_not_heard(run: Run, authority: Authority, tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            edge, _ = await near_pair(stack, authority, tmp_path)
            for name in ("", str(tmp_path / "b>a.example"), str(tmp_path / edge.name) + ">x"):
                with socket.socket(socket.AF_UNIX) as stranger:
                    stranger.setblocking(False)
                    if name:
                        stranger.bind(name)
                    stranger.connect(str(tmp_path / edge.name))
                    assert await asyncio.get_running_loop().sock_recv(stranger, 1) == b""
            assert edge.heard.empty()

    run(main())
