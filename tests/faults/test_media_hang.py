"""A media worker that stands still and does not die: it is killed, and the spare takes over."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.e2e.test_conference import all_hear_each_other_again, all_hear_the_others, enter, with_room
from tests.fixtures.server import Server
from tests.phones.factory import Phones

GONE = "a media worker is gone"


async def test_phones_hear_each_other_again_when_their_worker_stands_still(tmp_path: Path, phones: Phones) -> None:
    server = Server.at(tmp_path)
    try:
        await server.start()
        await server.apply(with_room())
        calls = await enter(server, phones, "1001", "1002", "1003")
        await all_hear_the_others(calls)

        stopped = server.mixer()
        os.kill(stopped, signal.SIGSTOP)
        await all_hear_each_other_again(calls)
        assert server.mixer() != stopped
        await server.replaced("media", stopped)

        assert [change.state for call in calls.values() for change in call.changes] == ["answered"] * 3
        async with server.client() as client:
            (conference,) = (await client.get("/v1/conferences")).json()["items"]
        assert len(conference["members"]) == 3
        log = (server.data / "server.log").read_text()
        assert "a media worker stands still and is killed" in log
        assert log.count(GONE) == 1
    finally:
        await server.stop()
    log = (server.data / "server.log").read_text()
    assert log.count(GONE) == 1, "an ordinary stop is none of that"
