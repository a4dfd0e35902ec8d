"""The control socket: who is told what, and what becomes of those who come, go or talk nonsense."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from media.control import MOST_DROPPED, Control, ControlError
from media.wire import (
    Alive,
    Context,
    Drop,
    Dtmf,
    Frames,
    FromWorker,
    Inventory,
    Load,
    Measured,
    Put,
    ToWorker,
    frame,
    from_worker,
)

INVENTORY = Inventory((("room", 3, 7),), 10)
PUT = Put("room", 3, 7, Context(()))
DIGIT = Dtmf("room", "a", "5", 100)
MEASURED = Measured("room", "a", "PCMU", 1, 1, 0, 0, 0)
SO_FAR = Measured("room", "a", "PCMU", 1, 1, 0, 0, 0, so_far=True)


Connect = Callable[[], "Client"]


def inventory() -> Inventory:
    return INVENTORY


class Client:
    """A sessions process, as far as the socket goes."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if nobody listens there."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.connect(str(path))
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(2)
        self._frames = Frames()

    def say(self, message: ToWorker) -> None:
        self.sock.sendall(frame(message))

    def hear(self, count: int) -> list[FromWorker]:
        """The next words, but for that it is alive: that may come at any time."""
        got: list[FromWorker] = []
        while len(got) < count:
            said = [from_worker.decode(body) for body in self._frames.feed(self.sock.recv(65536))]
            got += [word for word in said if not isinstance(word, Alive)]
        return got

    def hear_until(self, word: FromWorker) -> bool:
        """Whether it comes, whatever comes before it."""
        try:
            while word not in self.hear(1):
                pass
        except TimeoutError:
            return False
        return True

    def is_parted(self) -> bool:
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    made = Control(tmp_path / "control")
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def connect(control: Control, path: Path) -> Iterator[Callable[[], Client]]:
    """Makes clients that the control socket has taken."""
    clients: list[Client] = []

    def connected() -> Client:
        clients.append(Client(path))
        control.poll(1, inventory)
        return clients[-1]

    yield connected
    for client in clients:
        client.sock.close()


def test_a_newcomer_gets_the_inventory_first(control: Control, connect: Connect) -> None:
    client = connect()
    assert client.hear(1) == [INVENTORY]
    assert control.connected == 1


def test_what_is_said_is_heard_also_in_pieces(control: Control, connect: Connect) -> None:
    client = connect()
    data = frame(PUT)
    client.sock.sendall(data[:5])
    assert control.poll(1, inventory) == []
    client.sock.sendall(data[5:] + data)
    assert control.poll(1, inventory) == [PUT, PUT]


def test_contexts_that_are_no_more_are_forgotten_some_time_later(control: Control, connect: Connect) -> None:
    client = connect()
    client.hear(1)
    for number in range(MOST_DROPPED + 1):
        client.say(Drop(f"call-{number}", 1))
        while control.poll(0, inventory):
            pass
    client.say(Put("call-1", 2, 1, Context(())))
    assert len(control.poll(1, inventory)) == 1
    assert len(control._owners) == MOST_DROPPED
    control.tell([msgspec.structs.replace(MEASURED, context=f"call-{number}") for number in (0, 1, MOST_DROPPED)])
    assert [one.context for one in client.hear(2)] == ["call-1", f"call-{MOST_DROPPED}"]  # type: ignore[union-attr]


def test_words_of_a_context_go_to_who_put_it_last_and_load_to_all(control: Control, connect: Connect) -> None:
    one, other = connect(), connect()
    one.say(PUT)
    control.poll(1, inventory)
    control.tell([DIGIT, Load(1, 2)])
    other.say(PUT)
    control.poll(1, inventory)
    control.tell([MEASURED])
    assert one.hear(3) == [INVENTORY, DIGIT, Load(1, 2)]
    assert other.hear(3) == [INVENTORY, Load(1, 2), MEASURED]


def test_what_lasts_is_kept_for_the_next_when_its_owner_is_gone(control: Control, connect: Connect) -> None:
    first = connect()
    first.say(PUT)
    control.poll(1, inventory)
    first.sock.close()
    control.poll(1, inventory)
    control.tell([DIGIT, SO_FAR, MEASURED])
    assert connect().hear(2) == [INVENTORY, MEASURED]
    second = connect()
    control.tell([Load(1, 2)])
    assert second.hear(2) == [INVENTORY, Load(1, 2)]


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\2\x81\xa1"])
def test_nonsense_parts_with_who_said_it_alone(control: Control, connect: Connect, nonsense: bytes) -> None:
    rude, polite = connect(), connect()
    rude.hear(1)
    rude.sock.sendall(nonsense)
    polite.say(PUT)
    assert control.poll(1, inventory) + control.poll(0, inventory) == [PUT]
    assert rude.is_parted()
    assert control.connected == 1


def test_who_does_not_read_is_parted_with_and_who_reads_late_gets_all(control: Control, connect: Connect) -> None:
    lazy, slow = connect(), connect()
    heavy = Dtmf("room", "a" * 100_000, "5", 1)
    slow.say(PUT)
    control.poll(1, inventory)
    control.tell([heavy] * 20)
    got = slow.hear(2)
    while len(got) < 21:
        control.poll(0, inventory)
        got += slow.hear(1)
    assert got == [INVENTORY] + [heavy] * 20
    lazy.say(PUT)
    control.poll(1, inventory)
    control.tell([heavy] * 200)
    assert control.connected == 1


def test_the_socket_is_its_owners_alone_and_takes_the_place_of_a_dead_one(control: Control, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    Control(path).close()


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="nowhere"):
        Control(tmp_path / "nowhere" / "control")
    with pytest.raises(ControlError, match="too long"):
        Control(tmp_path / ("x" * 120))
