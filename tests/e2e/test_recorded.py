"""Recordings of calls between real phones: both tones on their sides, true silence, and hashes that agree."""

from __future__ import annotations

import asyncio
import hashlib
import wave
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest

from media.pcm import Samples
from media.tone import levels
from tests.e2e.talk import HEARD_S, LOUD_DBFS, QUIET_DBFS, TONES_HZ, both_hear, connect, phone
from tests.e2e.test_relayed import declared, heard_again
from tests.fixtures.server import Server
from tests.phones.factory import Phones

ALICE_HZ, BOB_HZ = TONES_HZ["1001"], TONES_HZ["1002"]
ALWAYS = {"mode": "always", "layout": "stereo"}


async def finished(server: Server, count: int = 1) -> list[dict[str, Any]]:
    """The recordings once this many are over, the oldest first."""

    def over(items: list[dict[str, Any]]) -> bool:
        return len(items) >= count and all("stopped_at" in one for one in items)

    return [*reversed(await server.items("/v1/recordings", over))]


async def sound(client: httpx.AsyncClient, item: dict[str, Any]) -> tuple[int, Samples]:
    """Its rate and its samples, a row a channel; the hash and the length are those that the journal has."""
    answer = (await client.get(f"/v1/recordings/{item['recording']}/audio")).raise_for_status()
    assert hashlib.sha256(answer.content).hexdigest() == item["sha256"]
    with wave.open(BytesIO(answer.content)) as wav:
        assert wav.getnframes() * 1000 // wav.getframerate() == item["duration_ms"]
        frames = np.frombuffer(wav.readframes(wav.getnframes()), dtype=np.int16)
        return wav.getframerate(), frames.reshape(-1, wav.getnchannels()).T


def middle(samples: Samples, rate_hz: int, at_s: float | None = None) -> Samples:
    """A piece of it as long as a phone is heard."""
    length = int(HEARD_S * rate_hz)
    start = (len(samples) - length) // 2 if at_s is None else int(at_s * rate_hz)
    return samples[start : start + length]


def only(samples: Samples, rate_hz: int, tone_hz: float, other_hz: float) -> None:
    heard, other = levels(samples, rate_hz, (tone_hz, other_hz))
    assert heard > LOUD_DBFS, (heard, other)
    assert other < QUIET_DBFS, (heard, other)


@pytest.mark.parametrize("speaks", ["", "caller", "callee"])
async def test_each_side_is_recorded_apart(server: Server, phones: Phones, speaks: str) -> None:
    """Also where one of the two speaks SRTP only."""
    srtp = {"srtp": speaks == "callee"} if speaks else {}
    await server.apply(declared(recording=ALWAYS, **srtp))
    alice = await phone(server, phones, "pjsua", "1001", srtp=speaks == "caller")
    bob = await phone(server, phones, "baresip", "1002", srtp=speaks == "callee")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await asyncio.sleep(2)  # so much is to be recorded
    await out.hang_up()
    async with server.client() as client:
        (item,) = await finished(server)
        assert (item["tenant"], item["from_number"], item["to_number"]) == ("acme", "1001", "1002")
        assert (item["layout"], item["by"], item["reason"]) == ("stereo", "policy", "")
        rate_hz, (left, right) = await sound(client, item)
        only(middle(left, rate_hz), rate_hz, ALICE_HZ, BOB_HZ)
        only(middle(right, rate_hz), rate_hz, BOB_HZ, ALICE_HZ)
        events = await server.rows(
            "SELECT type, data FROM call_events WHERE type LIKE 'call.recording_s%' ORDER BY position", bool
        )
        types = [row["type"].rpartition(".")[0] for row in events]
        assert types == ["call.recording_started", "call.recording_stopped"]
        assert item["sha256"] in events[1]["data"]
    kept = [path for path in (server.data / "storage").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == [item["recording"]]
    assert b"WAVE" not in kept[0].read_bytes()[:64], "it is sealed at rest"
    assert not list((server.data / "spool").iterdir())


async def test_on_demand_with_a_masked_stretch(server: Server, phones: Phones) -> None:
    await server.apply(declared(recording={"mode": "on_demand"}))
    alice, bob = await phone(server, phones, "baresip", "1001"), await phone(server, phones, "pjsua", "1002")
    out, incoming = await connect(alice, bob, "1002")
    async with server.client() as client:
        (call,) = await server.items("/v1/calls", bool)

        async def wish(name: str, changed: bool = True) -> None:
            answer = await client.post(f"/v1/calls/{call['call_id']}/recording/{name}")
            assert answer.json() == {"changed": changed}, answer.text

        await wish("stop", changed=False)
        await wish("start")
        await wish("start", changed=False)
        await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
        await asyncio.sleep(1)  # how long each stretch is
        await wish("mask")
        await asyncio.sleep(2)
        await wish("unmask")
        await asyncio.sleep(2)
        await wish("stop")
        (item,) = await finished(server)
        rate_hz, (left, right) = await sound(client, item)
        silent = np.flatnonzero((left == 0) & (right == 0))
        begin, end = silent[0], silent[-1]
        runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
        longest = max(runs, key=len)
        assert len(longest) > 1.5 * rate_hz, (begin, end, rate_hz)
        only(middle(left[longest[-1] :], rate_hz), rate_hz, ALICE_HZ, BOB_HZ)
        only(middle(right[: longest[0]], rate_hz), rate_hz, BOB_HZ, ALICE_HZ)
        await incoming.press("*1")
        await server.rows(
            "SELECT 1 FROM call_events WHERE type LIKE 'call.recording_started%'", lambda rows: len(rows) == 2
        )
        await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
        await out.hang_up()
        first, second = await finished(server, 2)
        assert (first["by"][:4], second["by"][:4]) == ("api:", "leg:")
        assert (await client.delete(f"/v1/recordings/{first['recording']}")).json() == {"erased": True}
        assert (await client.get(f"/v1/recordings/{first['recording']}/audio")).status_code == 404
        await server.rows("SELECT 1 FROM call_events WHERE type LIKE 'call.recording_erased%'", bool)
        assert await finished(server, 1) == [second]
    masked = server.query("SELECT 1 FROM call_events WHERE type LIKE 'call.recording_masked%'")
    assert len(masked) == 2


@pytest.mark.parametrize("role", ["media", "sessions"])
async def test_a_recording_outlives_its_processes(server: Server, phones: Phones, role: str) -> None:
    await server.apply(declared(recording=ALWAYS))
    alice, bob = await phone(server, phones, "pjsua", "1001"), await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await asyncio.sleep(1)
    await server.replace_role(role)
    await heard_again(out, incoming)
    await asyncio.sleep(1)
    await incoming.hang_up()
    async with server.client() as client:
        (item,) = await finished(server)
        rate_hz, (left, right) = await sound(client, item)
        assert item["duration_ms"] > 2000
        only(middle(left, rate_hz, 0.2), rate_hz, ALICE_HZ, BOB_HZ)
        only(left[-int(HEARD_S * rate_hz) :], rate_hz, ALICE_HZ, BOB_HZ)
        only(right[-int(HEARD_S * rate_hz) :], rate_hz, BOB_HZ, ALICE_HZ)


@pytest.mark.parametrize("gently", [False, True])
async def test_a_recording_goes_on_after_its_server_was_away(server: Server, phones: Phones, gently: bool) -> None:
    """After a `kill -9` of everything, and after an ordinary end: in the same file."""
    await server.apply(declared(recording=ALWAYS))
    alice, bob = await phone(server, phones, "pjsua", "1001"), await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await asyncio.sleep(2)
    await (server.stop() if gently else server.kill())
    await server.start()
    await heard_again(out, incoming)
    await asyncio.sleep(1)
    await out.hang_up()
    async with server.client() as client:
        (item,) = await finished(server)
        rate_hz, (left, right) = await sound(client, item)
        assert item["reason"] == ""
        only(middle(left, rate_hz, 0.2), rate_hz, ALICE_HZ, BOB_HZ)
        only(right[-int(HEARD_S * rate_hz) :], rate_hz, BOB_HZ, ALICE_HZ)


async def test_both_parties_are_told_that_they_are_recorded(server: Server, phones: Phones) -> None:
    await server.apply(declared(recording=ALWAYS | {"announce": True}))
    alice, bob = await phone(server, phones, "pjsua", "1001"), await phone(server, phones, "baresip", "1002")
    out, incoming = await connect(alice, bob, "1002")
    rows = await server.rows("SELECT data FROM call_events WHERE type LIKE 'call.recording_announced%'", bool)
    assert '"language":"en","why":""' in rows[0]["data"]
    await both_hear(out, ALICE_HZ, incoming, BOB_HZ)
    await out.hang_up()
