"""Phones of IPv4 and of IPv6 in one room: the ports of a worker that is bound to all addresses are of both."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from media import port
from media.wire import Latched, Ready
from tests.media.party import Stage, stage

A_HZ, B_HZ, C_HZ = 400.0, 700.0, 1100.0
POINTED_S = 6.0
"""after which a leg's socket takes packets of its phone alone"""


def sock(six: bool) -> dict[str, Any]:
    """A socket for a phone."""
    return {"sock": socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)} if six else {}


@pytest.fixture
def made() -> Iterator[Stage]:
    with stage(host=port.BOTH) as made:
        yield made


def test_phones_of_both_families_hear_each_other(made: Stage) -> None:
    a, b = made.phone(frequency_hz=A_HZ, **sock(True)), made.phone(frequency_hz=B_HZ)
    c = made.phone(frequency_hz=C_HZ, **sock(True))
    assert made.put([a.leg("a"), b.leg("b"), c.leg("c")]) == Ready("room", 1)
    for seconds in (1.0, POINTED_S):
        made.run(seconds)
        assert (a.tones(), b.tones(), c.tones()) == ((B_HZ, C_HZ), (A_HZ, C_HZ), (A_HZ, B_HZ))
    assert made.words(Latched) == [], "each is where it said, in the words of its family"
    made.put([b.leg("b", rtcp_mux=True), c.leg("c", rtcp_mux=True)], rev=2)
    made.run(POINTED_S)
    assert b.other and c.other, "reports come as well"


@pytest.mark.parametrize("six", [True, False])
def test_a_phone_that_is_elsewhere_than_it_said_is_answered_there(made: Stage, six: bool) -> None:
    a, b = made.phone(frequency_hz=A_HZ, **sock(six)), made.phone(frequency_hz=B_HZ)
    said = msgspec.structs.replace(a.leg("a"), remote=(a.host, 9))
    assert made.put([said, b.leg("b")]) == Ready("room", 1)
    made.run(0.5)
    assert a.tones(0.3) == (B_HZ,)
    assert made.words(Latched) == [Latched("room", "a", *a.address)]
