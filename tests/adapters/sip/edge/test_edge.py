"""The edge over UDP, and what is the same for all transports. Every wait is for something that happens."""

from __future__ import annotations

import asyncio

import pytest

from adapters.sip.edge import stun
from adapters.sip.edge.edge import Edge, EdgeError
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.via import split_host_port
from domain.values import Flow
from tests.adapters.sip.station import OPTIONS, Run, Station


def test_udp_request_and_answer(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            server.answers = True
            there = await server.edge.listen("udp", "127.0.0.1", 0)
            here = await phone.edge.listen("udp", "127.0.0.1", 0)
            assert not there.local.endswith(":0")
            flow = await phone.edge.connect("udp", there.local)
            assert flow == Flow("udp", here.local, there.local)
            assert phone.edge.send(flow, OPTIONS)
            message, came_by = await phone.heard.get()
            assert isinstance(message, Response)
            assert came_by == flow
            _, asked_by = await server.heard.get()
            assert asked_by == Flow("udp", there.local, here.local)

    run(main())


def test_udp_keepalives_garbage_and_unsendable_are_counted(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            there = await server.edge.listen("udp", "127.0.0.1", 0)
            await phone.edge.listen("udp", "127.0.0.1", 0)
            flow = await phone.edge.connect("udp", there.local)
            for data in (b"\r\n\r\n", b"\0\0\0\0", b"\xff\xfe garbage", OPTIONS):
                phone.edge.send(flow, data)
            await server.heard.get()
            counters = server.edge.counters
            assert (counters.keepalives, counters.malformed, counters.received) == (2, 1, 2)
            phone.edge.send(Flow("udp", flow.local, "a.name.example:5060"), OPTIONS)
            assert phone.edge.counters.dropped_sends == 1

    run(main())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_phone_learns_by_stun_that_its_way_is_open(run: Run, host: str) -> None:
    async def main() -> None:
        async with Station() as server:
            there = await server.edge.listen("udp", host, 0)
            answers: asyncio.Queue[bytes] = asyncio.Queue()
            loop = asyncio.get_running_loop()

            class Phone(asyncio.DatagramProtocol):
                def datagram_received(self, data: bytes, addr: object) -> None:
                    answers.put_nowait(data)

            phone, _ = await loop.create_datagram_endpoint(Phone, remote_addr=split_host_port(there.local))
            request = bytes.fromhex("000100002112a442") + b"123456789012"
            phone.sendto(request)
            reply = await answers.get()
            assert reply == stun.answer(request, host, phone.get_extra_info("sockname")[1])
            assert (server.edge.counters.keepalives, server.edge.counters.received) == (1, 0)
            phone.close()

    run(main())


def test_malformed_request_is_answered_without_state(run: Run) -> None:
    async def main() -> None:
        async with Station() as phone, Station() as server:
            there = await server.edge.listen("udp", "127.0.0.1", 0)
            await phone.edge.listen("udp", "127.0.0.1", 0)
            flow = await phone.edge.connect("udp", there.local)
            short = OPTIONS.replace(b"Content-Length: 0", b"Content-Length: 99")
            phone.edge.send(flow, short.replace(b"OPTIONS", b"ACK"))  # never answered
            phone.edge.send(flow, short)
            phone.edge.send(flow, short)
            answers = [(await phone.heard.get())[0] for _ in range(2)]
            first, second = answers
            assert isinstance(first, Response)
            assert first.status == 400
            assert first.cseq.method == "OPTIONS"
            assert first.to.tag
            assert first.serialise() == second.serialise()
            assert server.edge.counters.malformed == 3
            assert server.heard.empty()

    run(main())


def test_malformed_header_found_later_is_answered_too(run: Run) -> None:
    async def main() -> None:
        def refuse(message: Request | Response, flow: Flow) -> None:
            raise MessageError(420, "Bad Extension")

        server = Edge(refuse, lambda flow: None)
        async with Station() as phone:
            there = await server.listen("udp", "127.0.0.1", 0)
            await phone.edge.listen("udp", "127.0.0.1", 0)
            phone.edge.send(await phone.edge.connect("udp", there.local), OPTIONS)
            answer, _ = await phone.heard.get()
            assert isinstance(answer, Response)
            assert (answer.status, answer.reason) == (420, "Bad Extension")
        await server.close()

    run(main())


def test_fault_of_ours_costs_one_message_only(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        heard: asyncio.Queue[str] = asyncio.Queue()

        def fail_once(message: Request | Response, flow: Flow) -> None:
            heard.put_nowait("one")
            if heard.qsize() == 1:
                raise KeyError("ours")

        server = Edge(fail_once, lambda flow: None)
        async with Station() as phone:
            there = await server.listen("udp", "127.0.0.1", 0)
            await phone.edge.listen("udp", "127.0.0.1", 0)
            flow = await phone.edge.connect("udp", there.local)
            phone.edge.send(flow, OPTIONS)
            phone.edge.send(flow, OPTIONS)
            while heard.qsize() < 2:
                await asyncio.sleep(0)
            assert server.counters.failed_messages == 1
        await server.close()

    run(main())
    assert "fault of ours" in caplog.text


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_port_in_use_says_which_and_what_to_do(run: Run, transport: str) -> None:
    async def main() -> None:
        async with Station() as first, Station() as second:
            bound = await first.edge.listen(transport, "127.0.0.1", 0)
            port = split_host_port(bound.local)[1]
            with pytest.raises(EdgeError) as caught:
                await second.edge.listen(transport, "127.0.0.1", port)
            text = str(caught.value)
            assert f"{transport} {bound.local}" in text
            assert "another program uses this port" in text
            assert "\n" not in text
            with pytest.raises(EdgeError, match="no such address"):
                await second.edge.listen(transport, "192.0.2.1", 0)

    run(main())
