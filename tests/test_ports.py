"""The ports of tests: what one process has nobody else is given, and none comes again while there are others."""

from __future__ import annotations

import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from tests.fixtures.ports import HOST, PHONE_PORTS, free_pairs, free_ports, held, media_range, phone_ports

_OTHER = """
from tests.fixtures.ports import *
print(*free_ports(60), *(port + n for port in free_pairs(60) for n in (0, 1)))
print(media_range())
input()
"""
"""A process that wants ports, and has them until it may end."""


def _taken(process: subprocess.Popen[str]) -> tuple[set[int], str]:
    assert process.stdout is not None
    return {int(port) for port in process.stdout.readline().split()}, process.stdout.readline().strip()


def _other() -> subprocess.Popen[str]:
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-c", _OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    )


def test_no_two_processes_have_the_same() -> None:
    with _other() as one, _other() as two:
        (first, media), (second, other_media) = _taken(one), _taken(two)
        ours = {*free_ports(60), *(port + n for port in free_pairs(60) for n in range(2))}
        assert len(first) == len(second) == len(ours) == 180
        assert not first & second and not first & ours and not second & ours
        assert len({media, other_media, media_range()}) == 3
        assert not held([next(iter(first))])
        for process in (one, two):
            process.kill()
    assert any(held([port]) for port in first)


def test_a_port_comes_again_after_all_others() -> None:
    many = free_ports(300)
    assert len(set(many)) == 300
    assert not set(many) & set(free_ports(300))


def test_a_port_in_use_is_passed_over() -> None:
    (one,) = free_ports(1)
    if one % 100 == 99:  # the next one is elsewhere
        (one,) = free_ports(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, one + 1))
        assert one + 1 not in free_ports(100)


def test_phones_do_not_meet_and_pairs_are_even() -> None:
    firsts = sorted(phone_ports() for _ in range(12))
    assert all(second - first >= PHONE_PORTS for first, second in pairwise(firsts))
    assert not any(port % 2 for port in free_pairs(60))


def test_a_range_of_media_is_as_long_as_wanted() -> None:
    first, last = map(int, media_range(3).split("-"))
    assert last - first == 299
    assert not held([first, first + 100, last])
