"""The driver of one worker over real sockets: what comes while it starts."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from adapters.sip.message.via import split_host_port
from domain.ids import SHARDS
from switchlog.session.session import GRAIN_S, Session
from switchlog.session.wiring import Due, SessionParts
from switchlog.studio.media_link import MediaLinks
from switchlog.studio.studio import Studio
from tests.adapters.sip.station import Run, run
from tests.domain.world import START, directory
from tests.switchlog.exchange import Exchange, OneSecret, PlainSealer
from tests.switchlog.phone import ALICE, BOB, Phone, parties

__all__ = ["run"]


def successor(exchange: Exchange, loop: asyncio.AbstractEventLoop) -> Session:
    """Who goes on with the journal of an exchange."""
    return Session(
        SessionParts(
            node="a",
            journal=exchange.journal,
            epochs=dict.fromkeys(range(64), 2),
            credentials=OneSecret(),
            sealer=PlainSealer(),
            directory=directory,
            identifier_secret=b"k" * 32,
            nonce_secret=b"n" * 32,
            media_secret=b"m" * 32,
            algorithms=("SHA-256",),
        ),
        loop,
    )


def test_an_invite_that_is_repeated_during_a_restart_is_no_new_one(run: Run) -> None:
    exchange = Exchange()
    alice, _ = parties(exchange)
    branch = alice.invite("1002")
    before = exchange.types
    repeated = (
        f"INVITE sip:1002@acme.example SIP/2.0\r\nVia: SIP/2.0/UDP {ALICE};branch={branch};rport\r\n"
        "From: <sip:1001@acme.example>;tag=a\r\nTo: <sip:1002@acme.example>\r\nCall-ID: call-1\r\n"
        f"CSeq: {alice.cseq} INVITE\r\nContact: <sip:1001@{ALICE}>\r\nContent-Length: 0\r\n\r\n"
    )

    async def main() -> None:
        session = successor(exchange, asyncio.get_running_loop())
        calls = await session.take_over()
        figures = session.metrics()
        assert (figures["node_calls"], figures["node_shards"]) == (1, SHARDS)
        local = await session.listen("udp", "127.0.0.1", 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.sendto(repeated.encode(), split_host_port(local))
            await session.listen("tcp", "127.0.0.1", 0)  # the loop turns meanwhile
            session.resume(calls)
            await session.open()
            while not session.metrics()["sip_received_total"]:
                await asyncio.sleep(0)
            await session.close()
            phone.setblocking(False)
            with pytest.raises(BlockingIOError):  # no challenge: the answer has gone to Alice, whose transaction it is
                phone.recv(4096)
        assert exchange.types == before

    run(main())


def test_a_clock_that_was_set_back_while_nobody_ran_makes_no_binding_last_longer(run: Run) -> None:
    ahead_s = (datetime.now(UTC) - START).total_seconds() + 3600
    exchange = Exchange(start_s=ahead_s)
    Phone(exchange, "1001", ALICE).register(expires_s=60)
    exchange.clock_s += 61  # it ran out, and nobody was there any more to say so
    Phone(exchange, "1002", BOB).register(expires_s=60)

    async def main() -> None:
        session = successor(exchange, asyncio.get_running_loop())
        await session.take_over()
        held = [bool(session.board.contacts("acme", number)) for number in ("1001", "1002")]
        await session.close()
        assert held == [False, True]

    run(main())


class _Broken(Studio):
    def __init__(self) -> None:
        """Nothing: it does what no test of a studio finds."""

    def flush(self) -> None:
        raise LookupError("a fault of ours")


def test_phones_are_answered_although_media_cannot_be_told() -> None:
    links = MediaLinks(None, lambda: None)
    links.studio = _Broken()
    links.flush()


def test_what_fails_when_it_is_due_keeps_nothing_else_from_its_moment(run: Run) -> None:
    done = asyncio.Event()

    def fail(now: datetime) -> None:
        raise LookupError("a fault of ours")

    async def main() -> None:
        session = successor(Exchange(), asyncio.get_running_loop())
        await session.take_over()
        session._dues = (Due(lambda: START, fail), Due(lambda: None, lambda now: done.set()))
        session.resume(())
        await asyncio.wait_for(done.wait(), 5)
        session._dues = ()
        await session.close()

    run(main())


def test_what_comes_close_together_wakes_the_loop_once(run: Run) -> None:
    async def main() -> None:
        loop, woken, enough = asyncio.get_running_loop(), list[float](), asyncio.Event()

        def act(now: datetime) -> None:
            woken.append(loop.time())
            if len(woken) == 4:
                enough.set()

        session = successor(Exchange(), loop)
        await session.take_over()
        session._dues = (Due(lambda: START, act),)  # always due
        session.resume(())
        await asyncio.wait_for(enough.wait(), 5)
        session._dues = ()
        await session.close()
        gaps = [after - before for before, after in pairwise(woken)]
        assert min(gaps) > GRAIN_S - 0.002, gaps  # a loop may wake two milliseconds early

    run(main())
