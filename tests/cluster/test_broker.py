"""A real broker does what the tests of faults need of it: it dies, freezes, fills up and comes back with its data."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from cluster import installation
from cluster.broker import Broker, BrokerError, free_ports, members
from tests.cluster.client import create, held, put
from tests.cluster.patience import until
from tests.fixtures.broker import fresh_ports, fresh_prefix, had


def test_it_takes_records_and_gives_them_back(broker: Broker) -> None:
    topic = fresh_prefix()
    create(broker.bootstrap, topic)
    put(broker.bootstrap, topic, b"one")
    assert topic in broker.topics()
    assert held(broker.bootstrap, topic) == [b"one"]


def test_a_killed_one_comes_back_with_what_it_acknowledged(lone_broker: Broker) -> None:
    topic, address = fresh_prefix(), lone_broker.bootstrap
    create(address, topic)
    put(address, topic, b"one")
    process = psutil.Process(lone_broker.pid)
    lone_broker.kill()
    assert not process.is_running()
    assert members(address) == set()
    lone_broker.start()
    put(address, topic, b"two")
    assert lone_broker.bootstrap == address
    assert held(address, topic) == [b"one", b"two"]


def test_a_frozen_one_does_not_answer_until_it_is_thawed(lone_broker: Broker) -> None:
    lone_broker.freeze()
    assert members(lone_broker.bootstrap) == set()
    assert lone_broker.running
    lone_broker.thaw()
    lone_broker.wait_ready()


def test_one_with_a_full_disk_ends_itself_and_comes_back_once_there_is_room(lone_broker: Broker) -> None:
    topic, address = fresh_prefix(), lone_broker.bootstrap
    create(address, topic)
    put(address, topic, b"one")
    lone_broker.fill_disk()
    with pytest.raises(KafkaError):
        put(address, topic, b"never", patience_s=2.0)
    assert lone_broker.wait_ended() != 0
    lone_broker.start()
    assert held(address, topic) == [b"one"]


def test_none_is_left_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    own = fresh_ports()
    had(lambda: installation.broker(tmp_path, own))
    code = (
        "import sys, pathlib; from cluster import installation; from cluster.properties import Ports; "
        "one = installation.broker(pathlib.Path(sys.argv[1]), Ports(*map(int, sys.argv[2:]))); "
        "one.spawn(); print(one.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), *map(str, own)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        until(lambda: process.name() == "java", "begun")
        parent.kill()
        process.wait(10)
    assert not process.is_running()


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    one = had(lambda: installation.broker(tmp_path, fresh_ports()))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=another\n")
    with pytest.raises(BrokerError, match="(?s)node 1 ended: .*Stored node id 7 doesn't match"):
        one.start()
    assert not one.running


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        free = fresh_ports()
        other.bind(("127.0.0.1", free.controller))
        other.listen()
        one = had(lambda: installation.broker(tmp_path, free))
        with pytest.raises(BrokerError, match=f"port {free.controller} is in use, and node 1 needs it"):
            one.start()
    assert not one.running


def test_one_that_runs_is_not_started_again(broker: Broker) -> None:
    with pytest.raises(BrokerError, match="runs already"):
        broker.start()


def test_nothing_is_asked_of_one_that_does_not_run(tmp_path: Path) -> None:
    one = had(lambda: installation.broker(tmp_path, fresh_ports()))
    one.kill()
    one.stop()
    with pytest.raises(BrokerError, match="does not run"):
        one.freeze()


def test_ports_are_none_that_clients_are_given() -> None:
    begin = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [port for pair in free_ports(20) for port in pair]
    assert len(set(ports)) == 40
    assert max(ports) < begin
