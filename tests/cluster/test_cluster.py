"""`make cluster`: all runs, what dies comes back, phones of both nodes call each other, and all ends in order."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path

import httpx
import psutil

from cluster import installation
from cluster.broker import Brokers, is_free
from cluster.cluster import Cluster
from cluster.properties import Ports
from cluster.topology import FIRST_BROKER, NODES, Node, broker_ports, nodes
from switchlog.cli.client import local_api
from switchlog.setting.settings import Settings, load
from tests.cluster.patience import until
from tests.e2e.talk import both_hear, connect
from tests.fixtures.broker import fresh_ports, had, in_memory
from tests.fixtures.ports import free_ports, held
from tests.phones.factory import all_stopped
from tests.phones.phone import Phone

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "cluster")
READY_S = 120.0
END_S = 90.0
_SHIFTS = range(5000, 10_000, 100)
"""All ports but those for media are where tests have theirs."""


def node(name: str, folder: Path, script: str) -> Node:
    return Node(name, {"SWITCHLOG_DATA": str(folder / name), "WHO": name}, ("sh", "-c", script))


def told(shift: int = 0) -> dict[str, Settings]:
    """What the engine and the nodes are told, by name."""
    found = nodes("127.0.0.1:9092,127.0.0.1:9093", Path("/cluster"), shift)
    return {one.name: load(environment=one.settings) for one in found}


def free_shift() -> int:
    """One by which all the ports are ours, of which others get none."""
    for shift in _SHIFTS:
        settings = [told(shift)[name] for name in NODES]
        wanted = [*(one.sip_udp for one in settings), *(one.sip_tls for one in settings)]
        wanted += [
            *(one.http for one in settings),
            *(one.link for one in settings),
            told(shift)["clickhouse"].clickhouse_listen,
        ]
        ports = [int(one.rpartition(":")[2]) for one in wanted]
        ports += chain(*broker_ports(shift))
        if held(ports) and all(map(is_free, ports)):
            return shift
    raise AssertionError("everywhere is somebody")


def test_ports_and_settings_are_as_the_docs_say() -> None:
    assert broker_ports() == [Ports(9092, 9192), Ports(9093, 9193), Ports(9094, 9194)]
    engine, a, b = nodes("127.0.0.1:9092,127.0.0.1:9093", Path("/cluster"))
    assert (engine.name, a.name, b.name) == ("clickhouse", "a", "b")
    assert engine.command[1:] == ("-m", "switchlog", "serve", "--role", "analytics")
    assert a.command[1:] == ("-m", "switchlog", "serve", "--node", "a", "--demo")
    assert b.command[1:] == ("-m", "switchlog", "serve", "--node", "b", "--demo")
    assert a.settings["SWITCHLOG_DATA"] == "/cluster/a"
    settings = told()
    assert settings["a"].journal == settings["b"].journal == "kafka://127.0.0.1:9092,127.0.0.1:9093"
    assert settings["a"].clickhouse == settings["b"].clickhouse
    assert settings["clickhouse"].clickhouse_listen in settings["a"].clickhouse
    assert settings["a"].master_key_file == settings["b"].master_key_file == "/cluster/keys/master.key"
    usual = load(environment={})
    for name in ("sip_udp", "sip_tcp", "sip_tls", "http"):
        assert getattr(settings["a"], name) == getattr(usual, name)
    assert (settings["b"].sip_udp, settings["b"].sip_tls, settings["b"].http) == (
        "127.0.0.1:5070",
        "127.0.0.1:5071",
        "127.0.0.1:8090",
    )
    assert (settings["a"].link, settings["b"].link) == ("127.0.0.1:5090", "127.0.0.1:5100")
    assert told(10)["b"].sip_udp == "127.0.0.1:5080"


def test_who_was_killed_comes_back_and_who_cannot_run_is_the_end_of_all(tmp_path: Path) -> None:
    said: list[str] = []
    cannot = tmp_path / "cannot"
    script = (
        f"[ ! -e {cannot} ] || exit 1; trap 'echo $WHO >> {tmp_path}/ended; exit' TERM;"
        f" echo >> {tmp_path}/began-$WHO; while :; do sleep 0.01; done"
    )

    def began(name: str) -> int:
        path = tmp_path / f"began-{name}"
        return len(path.read_text()) if path.exists() else 0

    with in_memory("cluster") as data:
        brokers = had(lambda: installation.brokers(tmp_path, [fresh_ports() for _ in range(3)], data))
        whole = Cluster(brokers, [node(name, tmp_path, script) for name in "ab"], said.append, away_s=0)
        try:
            whole.start()
            assert said == [f"Kafka answers at {brokers.bootstrap}"]
            until(lambda: whole.look() and bool(began("a") and began("b")), "both have begun")
            brokers.nodes[0].kill()
            assert whole.look()
            assert said[1:] == ["broker 1 has ended and is started again"]
            brokers.nodes[0].wait_ready()
            psutil.Process(whole.pids["b"]).kill()
            until(lambda: whole.look() and began("b") == 2, "b has begun again")
            assert said[2:] == ["node b has ended and is started again in 0 s"]
            processes = [psutil.Process(pid) for pid in [*whole.pids.values(), *(one.pid for one in brokers.nodes)]]
            cannot.touch()
            psutil.Process(whole.pids["b"]).kill()
            until(lambda: not whole.look(), "all is over")
            assert said[-1] == "node b has ended"
        finally:
            whole.stop()
    assert (tmp_path / "ended").read_text() == "a\n"
    assert not any(process.is_running() for process in processes)


def test_who_writes_ends_before_who_keeps_it_and_nobody_waits_for_the_other(tmp_path: Path) -> None:
    class NoBrokers(Brokers):
        def __init__(self) -> None:
            self.nodes = ()

    ended = tmp_path / "ended"
    ready = f"touch {tmp_path}/ready-$WHO; while :; do sleep 0.01; done"
    end = f"echo $WHO >> {ended}; exit"
    both = f"touch {tmp_path}/asked-$WHO; while ! [ -e {tmp_path}/asked-$OTHER ]; do sleep 0.01; done; {end}"
    keeper = node("engine", tmp_path, f"trap '{end}' TERM; {ready}")._replace(keeps=True)
    writers = [node(name, tmp_path, f"OTHER={other}; trap '{both}' TERM; {ready}") for name, other in ("ab", "ba")]
    whole = Cluster(NoBrokers(), [keeper, *writers], lambda said: None)
    whole.start()
    until(lambda: all((tmp_path / f"ready-{name}").exists() for name in ("engine", "a", "b")), "all are ready")
    whole.stop()
    assert sorted(ended.read_text().split()[:2]) == ["a", "b"] and ended.read_text().split()[2:] == ["engine"]


def test_a_port_in_use_ends_it_with_the_reason(tmp_path: Path) -> None:
    had(installation.installed)
    with socket.socket() as other:
        (free,) = free_ports(1)
        other.bind(("127.0.0.1", free))
        other.listen()
        command = [*COMMAND, "--data", str(tmp_path), "--shift", str(free - FIRST_BROKER)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr == f"port {free} is in use, and node 1 needs it\n"


async def test_phones_of_both_nodes_talk_and_all_ends_with_one_signal(tmp_path: Path) -> None:
    """As `make cluster` runs it, at ports of its own."""
    had(installation.installed)
    shift = free_shift()
    whole = await asyncio.create_subprocess_exec(
        *(*COMMAND, "--data", str(tmp_path), "--shift", str(shift)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[str] = []
    ready = asyncio.Event()
    listening = asyncio.create_task(listen(whole, said, ready))
    try:
        async with asyncio.timeout(READY_S):
            await ready.wait()
        children = psutil.Process(whole.pid).children(recursive=True)
        async with all_stopped() as phones:
            alice, bob = [
                await phones(
                    "pjsua", number, f"demo-{name}-{number}", "demo.example", settings.sip_udp, tone_hz=tone_hz
                )
                for number, name, settings, tone_hz in (
                    ("1001", "alice", told(shift)["a"], 440.0),
                    ("1002", "bob", told(shift)["b"], 697.0),
                )
            ]
            await registered(alice, bob)
            await known(tmp_path / "a")
            out, incoming = await connect(alice, bob, "1002")
            await both_hear(out, 440.0, incoming, 697.0)
            await incoming.hang_up()
            await out.state("ended", 20)
    finally:
        whole.terminate()
        async with asyncio.timeout(END_S):
            status = await whole.wait()
            await listening
        print("".join(said))
    assert status == 0
    assert not [child for child in children if child.is_running()]
    assert said[0].startswith("Kafka answers at 127.0.0.1:")
    assert len(children) >= 3 + 2 + 2 * 4


async def listen(whole: asyncio.subprocess.Process, said: list[str], ready: asyncio.Event) -> None:
    """Keep what it says; `ready` is set when both nodes are, and when it ends before that."""
    assert whole.stdout is not None
    async for line in whole.stdout:
        said.append(line.decode())
        if "".join(said).count("Switchlog is ready") == len(NODES):
            ready.set()
    ready.set()


async def known(data: Path) -> None:
    """Until both nodes have read where the phones are, as the one with this data folder says."""
    local = local_api(data)
    assert local is not None
    headers = {"Authorization": f"Bearer {local.key}"}
    async with asyncio.timeout(READY_S), httpx.AsyncClient(base_url=local.url, headers=headers, timeout=30) as client:
        while any(row["lag"] != 0 for row in (await client.get("/v1/nodes")).json()["items"]):
            await asyncio.sleep(0.05)


async def registered(*phones: Phone) -> None:
    for phone in phones:
        await phone.registered(20)
