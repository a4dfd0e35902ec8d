"""The command port: answers, refusals, repetition, and strangers on the line."""

from __future__ import annotations

import asyncio
import stat
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.command.local import MAX_FRAME, Command, CommandClient, CommandServer
from domain.refusal import Refusal


class Desk:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.gate = asyncio.Event()

    def add(self, command: Command) -> Any:
        self.asked.append(command)
        return {"sum": sum(command.args["numbers"]), "actor": command.actor}

    async def wait(self, command: Command) -> Any:
        self.asked.append(command)
        await self.gate.wait()
        return len(self.asked)

    def refuse(self, command: Command) -> Any:
        raise Refusal("invalid", "is missing", source="acme.yaml", line=3, field="tenants[0].slug")

    def fail(self, command: Command) -> Any:
        raise RuntimeError("a secret reason")


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def path(tmp_path: Path, desk: Desk) -> AsyncIterator[Path]:
    where = tmp_path / "sessions.sock"
    server = CommandServer(where, {"add": desk.add, "wait": desk.wait, "refuse": desk.refuse, "fail": desk.fail})
    await server.start()
    yield where
    await server.close()


async def test_a_command_is_answered(path: Path, desk: Desk) -> None:
    answer = await CommandClient(path).call("add", {"numbers": [1, 2]}, "api:k", "1")
    assert answer == {"sum": 3, "actor": "api:k"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_same_id_gets_the_first_answer(path: Path, desk: Desk) -> None:
    first = await CommandClient(path).call("add", {"numbers": [1]}, "api:k", "1")
    assert await CommandClient(path).call("add", {"numbers": [1]}, "api:k", "1") == first
    assert len(desk.asked) == 1
    await CommandClient(path).call("add", {"numbers": [1]}, "api:k", "2")
    assert len(desk.asked) == 2


async def test_a_repetition_waits_for_the_attempt_that_is_under_way(path: Path, desk: Desk) -> None:
    client = CommandClient(path)
    async with asyncio.TaskGroup() as group:
        attempts = [group.create_task(client.call("wait", {}, "api:k", "1")) for _ in range(2)]
        group.create_task(client.call("add", {"numbers": []}, "api:k", "2"))
        while not desk.asked:
            await asyncio.sleep(0)
        desk.gate.set()
    assert {task.result() for task in attempts} <= {1, 2}
    assert len([one for one in desk.asked if one.name == "wait"]) == 1


async def test_a_refusal_keeps_its_place(path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        await CommandClient(path).call("refuse", {}, "api:k", "1")
    assert str(caught.value) == "acme.yaml:3: tenants[0].slug: is missing"
    assert caught.value.kind == "invalid"


async def test_a_failure_is_answered_without_its_reason(path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        await CommandClient(path).call("fail", {}, "api:k", "1")
    assert caught.value.kind == "unavailable"
    assert "secret" not in str(caught.value)


async def test_an_unknown_command_is_missing(path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        await CommandClient(path).call("none", {}, "api:k", "1")
    assert caught.value.kind == "missing"


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        await CommandClient(tmp_path / "none.sock").call("add", {}, "api:k", "1")
    assert caught.value.kind == "unavailable"


async def test_no_answer_in_time_is_unavailable(path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        await CommandClient(path, timeout_s=0.02).call("wait", {}, "api:k", "1")
    assert caught.value.kind == "unavailable"


@pytest.mark.parametrize("sent", [struct.pack(">I", MAX_FRAME + 1), b"\0", b""])
async def test_a_stranger_is_given_up_and_the_next_one_served(path: Path, sent: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(sent)
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    assert (await CommandClient(path).call("add", {"numbers": []}, "api:k", "1"))["sum"] == 0


async def test_a_frame_that_is_no_command_is_answered(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(struct.pack(">I", 3) + b"abc")
    assert b"not a command" in await reader.read()
    writer.close()


async def test_a_long_path_and_a_socket_left_over_are_no_obstacle(tmp_path: Path, desk: Desk) -> None:
    folder = tmp_path / ("a" * 120)
    folder.mkdir()
    for _ in range(2):
        server = CommandServer(folder / "sessions.sock", {"add": desk.add})
        await server.start()
        assert (await CommandClient(folder / "sessions.sock").call("add", {"numbers": [7]}, "api:k", "1"))["sum"] == 7
        await server.close()
        (folder / "sessions.sock").write_bytes(b"")
