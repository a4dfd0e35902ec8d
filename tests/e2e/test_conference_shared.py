"""One room at several media workers: real phones at each hear all others, and one of the workers may go."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_conference import all_hear_each_other_again, all_hear_the_others, enter, hears_only, with_room
from tests.fixtures.server import Server, running
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones

EACH: dict[str, dict[str, Any]] = {
    "1001": {"maker": "pjsua", "srtp": True},
    "1002": {"maker": "baresip", "codecs": ("opus",)},
    "1003": {"maker": "pjsua"},
    "1004": {"maker": "pjsua"},
}
NUMBERS = tuple(EACH)


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[Server]:
    """A server each of whose two workers carries two phones, beside a spare."""
    server = Server.at(tmp_path, MEDIA_WORKERS="2", MEDIA_LEGS="2")
    async with running(server, with_room(numbers=NUMBERS)) as one:
        yield one


async def entered(server: Server, phones: Phones, *numbers: str) -> dict[str, PhoneCall]:
    calls = await enter(server, phones, *numbers, each=EACH)
    await all_hear_the_others(calls)
    assert len(server.mixers()) == 2
    return calls


async def test_phones_at_two_workers_hear_each_other_and_what_is_said_to_all(shared: Server, phones: Phones) -> None:
    calls = await entered(shared, phones, *NUMBERS)
    async with shared.client() as client:
        numbers = (await client.get("/metrics")).text
        workers = (await client.get("/v1/media")).json()["items"]
        (conference,) = (await client.get("/v1/conferences")).json()["items"]
        member = next(one["member"] for one in conference["members"] if one["number"] == "1002")
        assert "switchlog_media_contexts_shared 1.0" in numbers
        assert sorted(one["contexts"] for one in workers) == [0, 1, 1]
        muted = await client.post(f"/v1/conferences/7000/members/{member}/mute?tenant=acme")
        assert muted.json() == {"changed": True}
        heard = [number for number in NUMBERS if number != "1002"]
        for number, call in calls.items():
            await hears_only(call, *(other for other in heard if other != number))
    for number in ("1001", "1003"):
        await calls.pop(number).hang_up()
    await hears_only(calls["1002"], "1004")
    await hears_only(calls["1004"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
async def test_a_worker_of_it_that_goes_is_replaced_by_the_spare(
    shared: Server, phones: Phones, number: signal.Signals
) -> None:
    calls = await entered(shared, phones, "1001", "1002", "1003")
    for one in shared.mixers():  # its home, and the other one
        os.kill(one, number)
        await shared.replaced("media", one)
        await all_hear_each_other_again(calls)
        assert len(shared.mixers()) == 2
    assert [change.state for call in calls.values() for change in call.changes] == ["answered"] * 3


async def test_it_outlives_the_sessions_and_all_at_once_and_their_parent(shared: Server, phones: Phones) -> None:
    calls = await entered(shared, phones, "1001", "1002", "1003")
    former = shared.mixers()
    await shared.replace_role("sessions")
    await all_hear_the_others(calls)
    assert shared.mixers() == former, "each leg is where it was"
    sessions = shared.pid_of("sessions")
    for pid in (sessions, *former):
        os.kill(pid, signal.SIGKILL)
    await shared.replaced("sessions", sessions)
    await all_hear_each_other_again(calls)
    await shared.kill()
    await shared.start()
    await all_hear_each_other_again(calls)
    assert len(shared.mixers()) == 2
