"""What is said aloud in a room, to all or to one, is heard by real phones, and by nobody else."""

from __future__ import annotations

from typing import Any

import numpy as np

from media.tone import dbfs
from tests.e2e.talk import LOUD_DBFS, QUIET_DBFS
from tests.e2e.test_conference import ROOM, enter, with_room
from tests.fixtures.server import Server
from tests.phones.call import PhoneCall
from tests.phones.factory import Phones

LOOKS = 10
TEXT = "This conference ends in five minutes, whether everybody has been heard or not."


async def level(call: PhoneCall) -> float:
    """Of what it hears in the next second, whatever that is."""
    samples = (await call.heard(1.0)).astype(np.float64)
    return dbfs(float(np.sqrt(2 * np.mean(samples**2)))) if len(samples) else dbfs(0)


async def comes(call: PhoneCall, loud: bool) -> None:
    """Sooner or later it hears something, or nothing any more."""
    found = []
    for _ in range(LOOKS):
        found.append(await level(call))
        if (found[-1] > LOUD_DBFS) if loud else (found[-1] < QUIET_DBFS):
            return
    raise AssertionError(f"loud={loud} never came: {found}")


async def test_words_to_all_and_to_one(server: Server, phones: Phones) -> None:
    await server.apply(with_room(announce="words"))
    calls = await enter(server, phones, "1001", "1002")
    await comes(calls["1002"], loud=True)  # how many others there are
    async with server.client() as client:

        async def ask(path: str, body: Any = None) -> None:
            answer = await client.post(f"/v1/conferences/{ROOM}/{path}?tenant=acme", json=body)
            assert answer.json() == {"changed": True}, answer.text

        (conference,) = (await client.get("/v1/conferences")).json()["items"]
        members = {one["number"]: one["member"] for one in conference["members"]}
        for member in members.values():
            await ask(f"members/{member}/mute")
        for call in calls.values():
            await comes(call, loud=False)
        await ask("announce", {"text": TEXT})
        for call in calls.values():
            await comes(call, loud=True)
        for call in calls.values():
            await comes(call, loud=False)
        await ask(f"members/{members['1001']}/announce", {"text": TEXT, "language": "en-us"})
        await comes(calls["1001"], loud=True)
        assert await level(calls["1002"]) < QUIET_DBFS
        await comes(calls["1001"], loud=False)
