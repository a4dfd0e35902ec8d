"""`kill -9` of what mixes and leads conferences, under a hundred legs: all hear each other again, nobody leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.e2e.test_conference import all_hear_each_other_again, all_hear_the_others, enter, with_room
from tests.faults.crowd import crowd
from tests.fixtures.ports import media_range
from tests.fixtures.server import Server
from tests.phones.factory import Phones

CROWD = 97
CROWD_ROOM = "7001"


async def test_a_hundred_legs_outlive_every_process(tmp_path: Path, phones: Phones) -> None:
    """Three real phones in one room, the others in another one, all of them at the worker that is killed."""
    server = Server.at(tmp_path, MEDIA_PORTS=media_range(10))
    declared = with_room(numbers=("1001", "1002", "1003", "2000"))
    declared["conferences"].append({"number": CROWD_ROOM, "announce": "none"})
    try:
        await server.start()
        await server.apply(declared)
        async with crowd(server, "2000", CROWD_ROOM, CROWD) as others:
            calls = await enter(server, phones, "1001", "1002", "1003")
            await all_hear_the_others(calls)
            await others.all_hear()

            with server.without(server.mixer()):  # the spare takes over
                await all_hear_each_other_again(calls)
                await others.all_hear()
            with server.without(server.pid_of("sessions")):  # the audio flows on
                await all_hear_the_others(calls)
                await others.all_hear()
            await server.ready()
            await all_hear_the_others(calls)
            former = server.pid_of("sessions")
            for pid in (former, *server.pids_of("media")):
                os.kill(pid, signal.SIGKILL)
            await server.replaced("sessions", former)
            await all_hear_each_other_again(calls)
            await others.all_hear()

            assert [change.state for call in calls.values() for change in call.changes] == ["answered"] * 3
            async with server.client() as client:
                conferences = (await client.get("/v1/conferences")).json()["items"]
            assert [len(one["members"]) for one in conferences] == [3, CROWD]
    finally:
        await server.stop()
