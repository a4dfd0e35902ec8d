"""Rooms of phones on loopback: who hears whom, how loud, and what changes that."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from media.wire import Drop, Latched, Left, Measured, Ready, Record, RecordClosed, Refused
from tests.media.party import LEVEL_DBFS, PCMA, Stage, stage

A_HZ, B_HZ, C_HZ = 400.0, 700.0, 1100.0
ODD_HZ = 435.0
"""of no whole number of waves in 10 ms"""


def three(made: Stage) -> None:
    """A room of three, two of mu-law and one of A-law."""
    a, b, c = made.phone(frequency_hz=A_HZ), made.phone(PCMA, B_HZ), made.phone(frequency_hz=C_HZ)
    assert made.put([a.leg("a"), b.leg("b"), c.leg("c")]) == Ready("room", 1)


def test_each_hears_exactly_the_others_at_their_level(made: Stage) -> None:
    three(made)
    made.run(1.0)
    a, b, c = made.phones
    assert (a.tones(), b.tones(), c.tones()) == ((B_HZ, C_HZ), (A_HZ, C_HZ), (A_HZ, B_HZ))
    levels = a.levels(B_HZ, C_HZ)
    assert levels == pytest.approx((LEVEL_DBFS, LEVEL_DBFS), abs=0.3)


def test_a_packet_goes_out_each_tick_in_order_from_the_start(made: Stage) -> None:
    three(made)
    made.run(1.0)
    got = made.phones[0].got
    assert len(got) == 50
    assert {(later.sequence - earlier.sequence) & 0xFFFF for earlier, later in itertools.pairwise(got)} == {1}
    assert {later.timestamp - earlier.timestamp for earlier, later in itertools.pairwise(got)} == {160}
    assert [packet.marker for packet in got] == [True] + [False] * 49
    assert len({packet.ssrc for packet in got}) == 1


def test_muted_is_heard_by_nobody_and_hears(made: Stage) -> None:
    three(made)
    a, b, c = made.phones
    made.put([a.leg("a", muted=True), b.leg("b"), c.leg("c")], rev=2)
    made.run(1.0)
    assert (a.tones(), b.tones(), c.tones()) == ((B_HZ, C_HZ), (C_HZ,), (B_HZ,))


def test_deaf_hears_nobody_and_is_heard(made: Stage) -> None:
    three(made)
    a, b, c = made.phones
    made.put([a.leg("a", deaf=True), b.leg("b"), c.leg("c")], rev=2)
    made.run(1.0)
    assert (a.tones(), b.tones(), c.tones()) == ((), (A_HZ, C_HZ), (A_HZ, B_HZ))


def test_gain_is_in_decibels(made: Stage) -> None:
    three(made)
    a, b, c = made.phones
    made.put([a.leg("a", gain_db=-6.0), b.leg("b"), c.leg("c")], rev=2)
    made.run(1.0)
    assert c.levels(A_HZ, B_HZ) == pytest.approx((LEVEL_DBFS - 6, LEVEL_DBFS), abs=0.3)


def test_who_leaves_is_measured_and_no_longer_heard(made: Stage) -> None:
    three(made)
    a, b, c = made.phones
    made.run(0.5)
    made.put([a.leg("a"), b.leg("b")], rev=2)
    measured = next(word for word in made.said if isinstance(word, Measured) and not word.so_far)
    assert (measured.leg, measured.received, measured.sent, measured.lost) == ("c", 25, 25, 0)
    made.run(0.6)
    assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
    assert len(c.got) == 25


def test_rooms_do_not_hear_each_other(made: Stage) -> None:
    phones = [made.phone(frequency_hz=300.0 + 100 * n) for n in range(4)]
    made.put([phones[0].leg("a"), phones[1].leg("b")], "one")
    made.put([phones[2].leg("c"), phones[3].leg("d")], "two")
    made.run(0.6)
    assert [phone.tones() for phone in phones] == [(400.0,), (300.0,), (600.0,), (500.0,)]


def test_one_alone_hears_silence(made: Stage) -> None:
    a = made.phone(frequency_hz=A_HZ)
    made.put([a.leg("a")])
    made.run(0.5)
    assert not a.heard().any()


def test_a_leg_that_never_sends_hears_the_others(made: Stage) -> None:
    three(made)
    made.run(0.6, silent=[made.phones[0]])
    a, b, c = made.phones
    assert (a.tones(), b.tones(), c.tones()) == ((B_HZ, C_HZ), (C_HZ,), (B_HZ,))


def test_a_dropped_context_lets_go_of_its_ports(made: Stage) -> None:
    three(made)
    made.engine.drop(Drop("room", 1), made.now_s)
    assert {word.leg for word in made.take() if isinstance(word, Measured)} == {"a", "b", "c"}
    assert made.engine.legs == 0
    three(made)


def test_a_taken_port_is_refused_and_nothing_of_the_context_stays(made: Stage) -> None:
    a, b = made.phone(), made.phone()
    b.port = b.address[1]
    said = made.put([a.leg("a"), b.leg("b")])
    assert isinstance(said, Refused)
    assert (f"port {b.port} of 127.0.0.1" in said.reason, said.leg) == (True, "b")
    assert made.engine.legs == 0
    assert made.engine.inventory().contexts == ()


def test_an_older_epoch_is_refused_also_after_the_context_is_gone(made: Stage) -> None:
    a = made.phone()
    made.put([a.leg("a")], epoch=5)
    assert isinstance(made.put([], rev=9, epoch=4), Refused)
    made.engine.drop(Drop("room", 4), made.now_s)
    assert isinstance(made.take()[-1], Refused)
    made.engine.drop(Drop("room", 6), made.now_s)
    assert isinstance(made.put([a.leg("a")], rev=9, epoch=5), Refused)
    assert made.put([a.leg("a")], rev=1, epoch=6) == Ready("room", 1)


def test_the_same_rev_again_changes_nothing_and_an_older_one_is_refused(made: Stage) -> None:
    a = made.phone()
    made.put([a.leg("a")], rev=2)
    assert made.put([a.leg("a", muted=True)], rev=2) == Ready("room", 2)
    assert isinstance(made.put([], rev=1), Refused)
    assert made.engine.legs == 1
    assert made.engine.inventory().contexts == (("room", 2, 1),)


def test_a_newer_epoch_may_begin_its_revs_anew(made: Stage) -> None:
    a = made.phone()
    made.put([a.leg("a")], rev=8, epoch=1)
    assert made.put([a.leg("a")], rev=1, epoch=2) == Ready("room", 1)
    assert made.engine.inventory().contexts == (("room", 1, 2),)


def test_packets_from_another_place_than_was_said_move_the_leg_once(made: Stage) -> None:
    a, b, stranger = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ), made.phone(frequency_hz=C_HZ)
    made.put([a.leg("a"), b.leg("b")])
    moved = made.phone(frequency_hz=A_HZ)
    moved.port = a.port
    made.run(0.6, silent=[a, stranger])
    assert [word for word in made.said if isinstance(word, Latched)] == [Latched("room", "a", *moved.address)]
    stranger.port = a.port
    made.run(0.6, silent=[a])
    assert b.tones() == (A_HZ,)
    assert moved.tones() == (B_HZ,)
    assert stranger.got == []


def test_a_leg_may_move_to_another_context_and_its_stream_goes_on(made: Stage) -> None:
    three(made)
    a, b, c = made.phones
    made.run(0.3)
    made.put([c.leg("c")], "other")
    made.put([a.leg("a"), b.leg("b")], rev=2)
    made.run(0.6)
    assert (a.tones(), b.tones(), c.tones()) == ((B_HZ,), (A_HZ,), ())
    assert len({packet.ssrc for packet in c.got}) == 1
    assert [later.sequence - one.sequence for one, later in itertools.pairwise(c.got)].count(1) == len(c.got) - 1
    assert made.ends() == []


@pytest.mark.parametrize("extra", [0, 2], ids=["too few packets", "too many"])
def test_a_clock_that_drifts_leaves_no_clicks(made: Stage, extra: int) -> None:
    a, b = made.phone(frequency_hz=ODD_HZ), made.phone(frequency_hz=B_HZ)
    made.put([a.leg("a"), b.leg("b")])
    for tick in range(500):
        for _ in range(1 if tick % 60 != 30 else extra):
            a.speak()
        b.speak()
        made.tick()
    heard = b.heard()[1600:].astype(int)
    steepest = 2 * np.pi * ODD_HZ / 8000 * 32767 * 10 ** (LEVEL_DBFS / 20)
    assert np.abs(np.diff(heard)).max() < 1.5 * steepest
    assert b.levels(ODD_HZ, last_s=0.4) == pytest.approx([LEVEL_DBFS], abs=1.0)


def test_a_context_that_moves_is_left_when_its_ports_and_files_are_free(made: Stage, tmp_path: Path) -> None:
    a, b = made.phone(frequency_hz=A_HZ), made.phone(frequency_hz=B_HZ)
    record = Record("r", str(tmp_path / "a.wav"))
    made.put([a.leg("a"), b.leg("b")], records=(record,))
    made.run(1.5)
    made.engine.drop(Drop("room", 1, moves=True), made.now_s)
    made.engine.drop(Drop("elsewhere", 1, moves=True), made.now_s)
    assert made.engine.contexts == 1
    while made.engine.contexts:
        made.tick()
    assert made.words(Left) == [Left("elsewhere"), Left("room")]
    assert made.words(RecordClosed) == []
    with stage(seed=2) as other:
        other.phones = made.phones
        assert other.put([a.leg("a"), b.leg("b")], records=(record,)) == Ready("room", 1)
        other.run(0.5)
        assert (a.tones(), b.tones()) == ((B_HZ,), (A_HZ,))
        other.engine.drop(Drop("room", 1), other.now_s)
        while not other.words(RecordClosed):
            other.tick()
        (closed,) = other.words(RecordClosed)
        other.phones = []
    assert closed.duration_ms == 2000
