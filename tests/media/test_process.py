"""`python -m media` as a process of its own: it outlives who spoke to it, and ends when it should."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.wire import Context, Drop, Inventory, Left, Load, Put, Ready, Retiring
from tests.fixtures.ports import free_pair
from tests.media.party import Phone
from tests.media.test_control import Client

TIMEOUT_S = 10.0
A_HZ, B_HZ = 400.0, 700.0


class Worker:
    """The process, and connections to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process = subprocess.Popen([sys.executable, "-m", "media", "--control", str(path)])
        self.clients: list[Client] = []

    def connect(self) -> Client:
        self.clients.append(connected(self.path))
        return self.clients[-1]

    def close(self) -> None:
        for client in self.clients:
            client.sock.close()
        self.process.kill()
        self.process.wait()


def connected(path: Path) -> Client:
    """A client, once the worker listens."""
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return Client(path)
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.01)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path / "control")
    yield made
    made.close()


@pytest.fixture
def phones() -> Iterator[tuple[Phone, Phone]]:
    made = Phone(free_pair(), frequency_hz=A_HZ), Phone(free_pair(), frequency_hz=B_HZ)
    yield made
    for phone in made:
        phone.sock.close()


def talk(phones: tuple[Phone, Phone], packets: int) -> None:
    """Let both speak and hear: each packet that a phone gets paces the next of both."""
    first = phones[0]
    for phone in phones:
        phone.speak()
    until = len(first.got) + packets
    while len(first.got) < until:
        assert select.select([first.sock], [], [], TIMEOUT_S)[0]
        before = len(first.got)
        for phone in phones:
            phone.listen()
        for _ in range(len(first.got) - before):
            for phone in phones:
                phone.speak()


def room(phones: tuple[Phone, Phone]) -> Put:
    return Put("room", 1, 1, Context(tuple(phone.leg(str(n)) for n, phone in enumerate(phones))))


def test_a_room_goes_on_while_who_put_it_is_away(worker: Worker, phones: tuple[Phone, Phone]) -> None:
    client = worker.connect()
    (empty,) = client.hear(1)
    assert isinstance(empty, Inventory)
    client.say(room(phones))
    assert (empty.contexts, empty.capacity_legs, client.hear(1)) == ((), 1000, [Ready("room", 1)])
    client.sock.close()
    talk(phones, 30)
    assert (phones[0].tones(), phones[1].tones()) == ((B_HZ,), (A_HZ,))
    again = worker.connect()
    assert empty.run, "it is the same process"
    assert again.hear(1) == [Inventory((("room", 1, 1),), 1000, run=empty.run)]
    again.say(room(phones))
    assert again.hear(1) == [Ready("room", 1)]


def test_after_a_kill_another_worker_takes_the_same_ports(
    worker: Worker, phones: tuple[Phone, Phone], tmp_path: Path
) -> None:
    client = worker.connect()
    client.say(room(phones))
    talk(phones, 5)
    worker.process.kill()
    worker.process.wait()
    spare = Worker(tmp_path / "spare")
    try:
        other = spare.connect()
        other.say(room(phones))
        assert other.hear(2)[1] == Ready("room", 1)
        talk(phones, 30)
        assert (phones[0].tones(), phones[1].tones()) == ((B_HZ,), (A_HZ,))
    finally:
        spare.close()


def test_it_tells_its_load_and_ends_by_sigterm(worker: Worker) -> None:
    client = worker.connect()
    said = client.hear(2)[1]
    assert isinstance(said, Load)
    assert said.legs == 0
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(TIMEOUT_S) == 0
    assert not worker.path.exists()


def test_by_sigterm_it_waits_for_another_worker_to_take_its_rooms(
    worker: Worker, phones: tuple[Phone, Phone], tmp_path: Path
) -> None:
    client = worker.connect()
    client.say(room(phones))
    talk(phones, 5)
    worker.process.send_signal(signal.SIGTERM)
    assert client.hear_until(Retiring())
    talk(phones, 5)
    client.say(Drop("room", 1, moves=True))
    assert client.hear_until(Left("room"))
    spare = Worker(tmp_path / "spare")
    try:
        other = spare.connect()
        other.say(room(phones))
        assert other.hear_until(Ready("room", 1))
    finally:
        spare.close()
    assert worker.process.wait(TIMEOUT_S) == 0


def test_without_parent_it_lives_while_somebody_is_connected(tmp_path: Path) -> None:
    path = tmp_path / "control"
    words = [sys.executable, "-m", "media", "--control", str(path), "--orphan-s", "0.5"]
    parent = f"import subprocess; print(subprocess.Popen({words!r}).pid); input()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        watched = os.pidfd_open(int(started.stdout.readline()))
        client = connected(path)
        started.kill()
    try:
        assert not select.select([watched], [], [], 1.5)[0]
        assert isinstance(client.hear(1)[0], Inventory)
        client.sock.close()
        assert select.select([watched], [], [], TIMEOUT_S)[0]
        assert not path.exists()
    finally:
        os.close(watched)


def test_a_path_that_cannot_be_is_said_in_a_line(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "media", "--control", str(tmp_path / "nowhere" / "control")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("media: ")
    assert done.stderr.count("\n") == 1
