"""The datagrams between workers of one folder."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.span import Partial
from media.ties import SocketTies

LARGE = Partial("room", 1, 1, 48000, (("a", 900),), bytes(3840))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[SocketTies, SocketTies]]:
    made = SocketTies(tmp_path / "media-1.sock"), SocketTies(tmp_path / "media-2.sock")
    yield made
    for one in made:
        one.close()


def test_what_is_sent_comes_with_the_name_of_its_sender(two: tuple[SocketTies, SocketTies]) -> None:
    one, other = two
    many = [LARGE] * 40
    one.send("media-2.sock", many)
    one.send("media-2.sock", many[:1])
    assert list(other.receive()) == [("media-1.sock", LARGE)] * 41
    assert list(other.receive()) == list(one.receive()) == []


def test_nobody_waits_for_a_worker_that_is_not_there_or_hears_nothing(two: tuple[SocketTies, SocketTies]) -> None:
    one, other = two
    one.send("media-3.sock", [LARGE])
    for _ in range(10_000):
        one.send("media-2.sock", [LARGE])
    assert 1 <= len(list(other.receive())) < 10_000


def test_noise_is_no_partial(
    two: tuple[SocketTies, SocketTies], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for noise in (b"", b"\xff", b"\x91\x96" + bytes(30)):
            stranger.sendto(noise, str(tmp_path / "media-2.sums"))
        one.send("media-2.sock", [LARGE])
        assert list(other.receive()) == [("media-1.sock", LARGE)]
    assert len(caplog.records) == 3


def test_only_its_owner_may_speak_to_it_and_it_leaves_nothing_behind(tmp_path: Path) -> None:
    ties = SocketTies(tmp_path / "media-1.sock")
    again = SocketTies(tmp_path / "media-1.sock")
    assert (tmp_path / "media-1.sums").stat().st_mode & 0o777 == 0o600
    ties.close()
    again.close()
    assert list(tmp_path.iterdir()) == []
