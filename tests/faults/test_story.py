"""The story of a call on a real server: told from the journal after a kill, beside what was seen on the wire."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

from tests.faults.caller import KEY, call
from tests.fixtures.server import ADMIN_KEY, Server, tenant


async def show(server: Server, *words: str) -> str:
    """What `switchlog calls show` prints."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "switchlog", "calls", "show", *words,
        env=server.environment | {"SWITCHLOG_URL": f"http://127.0.0.1:{server.http}", "SWITCHLOG_API_KEY": ADMIN_KEY},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


async def written(data: Path, what: bytes) -> None:
    """The trace is written a few times a second: wait until it has this."""
    async with asyncio.timeout(20):
        while not any(what in path.read_bytes() for path in data.glob("trace/*")):
            await asyncio.sleep(0.02)


async def test_a_story_survives_a_kill_and_the_wire_agrees(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        hep = "{}:{}".format(*collector.getsockname())
        server = Server.at(tmp_path, TRACE_BYTES=str(1 << 20), HEP=hep)
        try:
            await server.start()
            await server.apply(tenant("acme"))
            one = await call(server)
            await written(tmp_path, b"ACK sip:")
            await server.kill()
            await server.start()
            await one.end()
            (cdr,) = await server.cdrs()
            one.caller.close()
            one.callee.close()
            call_id = str(cdr["call_id"])
            story = json.loads(await show(server, call_id, "--json"))
            ladder, wire = await show(server, call_id), await show(server, call_id, "--wire", "--raw")
        finally:
            await server.stop()
        packets = []
        while True:
            try:
                packets.append(collector.recv(65_535))
            except BlockingIOError:
                break
    assert [one["type"] for step in story["steps"] for one in step["events"]] == [
        *("call.offered", "call.routed", "call.legs_dialed", "call.leg_ringing", "call.connected", "call.ended")
    ]
    assert [step["takeover"] for step in story["steps"]] == [False, False, False, True]
    assert "taken over by" in ladder
    computed = {said["raw"] for step in story["steps"] for said in step["said"]}
    seen = {message["raw"] for message in story["wire"] if message["outbound"]}
    veiled = {text for text in computed if "inline:" not in text}
    assert veiled <= seen, "what the journal says was said, was said"
    assert {message["line"] for message in story["wire"]} > {"401 Unauthorized (INVITE)", "200 OK (BYE)"}
    kept = b"".join(path.read_bytes() for path in (tmp_path / "trace").iterdir()) + wire.encode() + b"".join(packets)
    assert packets and all(packet.startswith(b"HEP3") for packet in packets)
    assert KEY.encode() not in kept
    assert b"response=" not in kept
