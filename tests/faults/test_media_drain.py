"""A media worker is drained, another one ended by SIGTERM: phones hear each other all the time, but for a moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from media.pcm import Samples
from media.tone import levels
from tests.e2e.talk import CLOCK_RATE_HZ, LOUD_DBFS, TONES_HZ, both_hear, connect, phone
from tests.e2e.test_conference import all_hear_the_others, enter, with_room
from tests.e2e.test_recorded import ALWAYS, finished, only, sound
from tests.fixtures.server import Server
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones

LONGEST_GAP_S = 0.5
LISTENED_S = 2.0
WINDOW_S = 0.02
ALICE_HZ, BOB_HZ, CAROL_HZ, DAVE_HZ = TONES_HZ.values()


async def drained(server: Server, worker: int) -> None:
    """By the command line, as an operator does it."""
    words = (sys.executable, "-m", "switchlog", "media", "drain", str(worker))
    command = await asyncio.create_subprocess_exec(*words, env=server.environment)
    assert await asyncio.wait_for(command.wait(), 40) == 0


def longest_gap_s(samples: Samples, tone_hz: float) -> float:
    """The longest time in which the tone is not heard."""
    window = int(WINDOW_S * CLOCK_RATE_HZ)
    pieces = samples[: len(samples) // window * window].reshape(-1, window)
    heard = np.array([levels(piece, CLOCK_RATE_HZ, (tone_hz,))[0] > LOUD_DBFS for piece in pieces])
    changes = np.flatnonzero(np.concatenate(([True], heard, [True])))
    return float(np.diff(changes).max() - 1) * WINDOW_S


async def hears_on(call: PhoneCall, tone_hz: float, happens: asyncio.Task[None]) -> None:
    """While something happens to its worker, and somewhat longer."""
    over = False
    while not over:
        over = happens.done()
        samples = await call.heard(LISTENED_S)
        assert len(samples) > LISTENED_S * CLOCK_RATE_HZ * 0.9
        assert longest_gap_s(samples, tone_hz) < LONGEST_GAP_S
    await happens


async def test_a_worker_that_ends_in_order_loses_nothing(tmp_path: Path, phones: Phones) -> None:
    """A room, in which one phone speaks SRTP, and a call that is recorded."""
    server = Server.at(tmp_path)
    declared = with_room(numbers=tuple(TONES_HZ))
    declared["extensions"][3] |= {"recording": ALWAYS}
    try:
        await server.start()
        await server.apply(declared)
        each: dict[str, dict[str, Any]] = {"1001": {"srtp": True}, "1002": {"codecs": ("opus",)}}
        room = await enter(server, phones, "1001", "1002", each=each)
        carol, dave = await phone(server, phones, "pjsua", "1003"), await phone(server, phones, "baresip", "1004")
        out, incoming = await connect(carol, dave, "1004")
        await asyncio.gather(all_hear_the_others(room), both_hear(out, CAROL_HZ, incoming, DAVE_HZ))

        first = server.mixer()
        number = server.pids_of("media").index(first) + 1
        draining = asyncio.create_task(drained(server, number))
        await asyncio.gather(hears_on(room["1001"], BOB_HZ, draining), hears_on(out, DAVE_HZ, draining))
        second = server.mixer()
        assert second != first
        await server.replaced("media", first)

        os.kill(second, signal.SIGTERM)
        ending = asyncio.create_task(server.replaced("media", second))
        await asyncio.gather(hears_on(room["1001"], BOB_HZ, ending), hears_on(out, DAVE_HZ, ending))
        assert server.mixer() not in (first, second)
        await asyncio.gather(all_hear_the_others(room), both_hear(out, CAROL_HZ, incoming, DAVE_HZ))

        await out.hang_up()
        async with server.client() as client:
            (conference,) = (await client.get("/v1/conferences")).json()["items"]
            assert len(conference["members"]) == 2
            (item,) = await finished(server)
            assert item["reason"] == ""
            rate_hz, (left, right) = await sound(client, item)
        for at_s in (0.5, len(left) / rate_hz - 1.0):
            piece = slice(int(at_s * rate_hz), int((at_s + 0.5) * rate_hz))
            only(left[piece], rate_hz, CAROL_HZ, DAVE_HZ)
            only(right[piece], rate_hz, DAVE_HZ, CAROL_HZ)
        (cdr,) = await server.cdrs()
        assert cdr["talk_ms"] - item["duration_ms"] < 1000 * 2 * LONGEST_GAP_S, "what was not recorded"
        assert [change.state for call in room.values() for change in call.changes] == ["answered"] * 2
    finally:
        await server.stop()
