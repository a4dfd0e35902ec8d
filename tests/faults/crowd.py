"""Many members of a conference in one process: calls made of text, media of the benchmark's phones."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.media import Shape, begin, phones
from tests.faults.caller import Caller, target_of
from tests.fixtures.server import Server

TIMEOUT_S = 30.0
_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n"
_SDP += "a=rtpmap:101 telephone-event/8000\r\n"


class Crowd:
    """Members that all speak; whether they hear is asked of their process."""

    def __init__(self, speakers: subprocess.Popen[str]) -> None:
        self._speakers = speakers

    async def all_hear(self) -> None:
        """Each gets sounds from now on, sooner or later."""
        await asyncio.to_thread(self._count)
        heard: list[int] = []
        async with asyncio.timeout(TIMEOUT_S):
            while not heard or 0 in heard:
                await asyncio.sleep(0.1)
                counted = await asyncio.to_thread(self._count)
                heard = [one + other for one, other in zip(heard or [0] * len(counted), counted, strict=True)]

    def _count(self) -> list[int]:
        """Packets with a sound that each has got since the last question."""
        assert self._speakers.stdin is not None
        assert self._speakers.stdout is not None
        self._speakers.stdin.write("\n")
        self._speakers.stdin.flush()
        counted: list[int] = json.loads(self._speakers.stdout.readline())
        return counted


@asynccontextmanager
async def crowd(server: Server, number: str, room: str, count: int) -> AsyncIterator[Crowd]:
    """So many calls from an extension to a room, answered and speaking."""
    caller = await Caller.at(server, number)
    try:
        assert (await caller.register()).status == 200
        with phones(Shape(count, 1), gaps=True) as (speakers, remotes):
            begin(speakers, [await _joined(caller, room, at, port) for at, port in enumerate(remotes)])
            yield Crowd(speakers)
    finally:
        caller.close()


async def _joined(caller: Caller, room: str, at: int, port: int) -> int:
    """The port that the server has for a call."""
    uri, call_id = f"sip:{room}@{caller.domain}", f"crowd-{caller.local_tag}-{at}"
    answered = await caller.ask("INVITE", uri, call_id, f"<{uri}>", body=_SDP.format(port))
    assert answered.status == 200, (answered.get("Reason"), at)
    caller.acknowledge(target_of(answered), call_id, answered)
    found = re.search(rb"m=audio (\d+)", answered.body)
    assert found is not None
    return int(found[1])
