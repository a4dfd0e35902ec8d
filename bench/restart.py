"""The restart row: the server killed with calls up and started again, from exec to the first answered packet."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import NamedTuple

from bench.installation import Installation, users
from bench.sipp import CALL
from bench.table import Row
from tests.fixtures.ports import free_ports

RATE = 50
_ASK_EVERY_S = 0.01
_GIVE_UP_S = 60
_ROWS_S = 60
_BARE = """
import socket, sys
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", int(sys.argv[1])))
data, address = peer.recvfrom(65535)
peer.sendto(data, address)
"""


class Seen(NamedTuple):
    """Seconds since the exec."""

    answered_s: float
    ready_s: float


async def restart_row(at: Installation, count: int, rate: int = RATE) -> Row:
    """`count` calls are up, the whole server is killed and started; the calls then go on and end as if nothing was."""
    (port,) = free_ports(1)
    talk_s = count / rate + 40
    async with at.callee():
        playing = asyncio.create_task(
            at.load.play(CALL, at.target, users(), calls=count, rate=rate, port=port, talk_ms=round(talk_s * 1000))
        )
        await asyncio.sleep(count / rate + 5)
        await at.server.kill()
        seen = await _started(at)
        stats = await playing
        taken = await _taken_over(at, count)
    return Row(
        f"restart with {count:,} open calls: exec to the first answered packet",
        seen.answered_s,
        "s",
        "a bare Python process: exec to the first answered packet",
        await _bare(),
        worst={"calls failed": stats.failed, "calls not ended with a final record": count - taken},
        facts={"all roles ready s": seen.ready_s, "calls taken over": taken},
    )


async def _started(at: Installation) -> Seen:
    begun = time.perf_counter()
    starting = asyncio.create_task(at.server.start())
    answered_s = await asyncio.to_thread(_first_answer, at.server.udp, begun)
    await starting
    return Seen(answered_s, time.perf_counter() - begun)


def _first_answer(port: int, begun: float) -> float:
    """Seconds from `begun` until an OPTIONS, said again and again, is answered."""
    number = 0
    while time.perf_counter() - begun < _GIVE_UP_S:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(_ASK_EVERY_S)
            peer.connect(("127.0.0.1", port))
            number += 1
            try:
                peer.send(_options(number, "{}:{}".format(*peer.getsockname())))
                peer.recv(65535)
            except OSError:
                time.sleep(_ASK_EVERY_S)
                continue
            return time.perf_counter() - begun
    raise RuntimeError(f"no packet was answered within {_GIVE_UP_S} s after the start")


def _options(number: int, local: str) -> bytes:
    return (
        "OPTIONS sip:acme.example SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {local};branch=z9hG4bKrestart{number};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:bench@acme.example>;tag=bench\r\nTo: <sip:acme.example>\r\nCall-ID: restart-{number}\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def _taken_over(at: Installation, count: int) -> int:
    """How many calls have a final record that counts one take-over, once there are enough or time is up."""
    sql = "SELECT count() AS n FROM cdr WHERE final AND takeovers = 1 AND disposition = 'answered'"
    found = 0
    until = time.monotonic() + _ROWS_S
    while found < count and time.monotonic() < until:
        found = int((await asyncio.to_thread(at.server.query, sql))[0]["n"])
        await asyncio.sleep(0.2)
    return found


async def _bare() -> float:
    (port,) = free_ports(1)
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BARE, str(port))
    try:
        return await asyncio.to_thread(_first_answer, port, begun)
    finally:
        await process.wait()
