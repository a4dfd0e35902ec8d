"""Packets that just go on: told from all others, and counted as these are."""

from collections.abc import Sequence

import numpy as np
import pytest

from media import header
from media.batch import Batch
from media.cells import FRAME_BYTES, Cells
from media.columns import Columns
from media.header import Numbers
from media.libsrtp import Place
from media.rtp import Packet, build
from media.steady import Steady

ROWS, ROW, TYPE, SSRC = 4, 1, 8, 77
START = Packet(TYPE, False, 65530, (1 << 32) - 480, SSRC, bytes([5]) * FRAME_BYTES)


def following(packet: Packet, count: int = 1) -> Packet:
    sequence, timestamp = (packet.sequence + count) % 65536, (packet.timestamp + 160 * count) % (1 << 32)
    return packet._replace(sequence=sequence, timestamp=timestamp)


def batch(packets: Sequence[Packet], now_s: float = 0.0, row: int = ROW, sources: bool = False) -> Batch:
    """They all come in one tick; with `sources` through sockets that take packets from everywhere."""
    data = [build(packet) for packet in packets]
    matrix = np.zeros((len(data), 2048), np.uint8)
    for number, one in enumerate(data):
        matrix[number, : len(one)] = np.frombuffer(one, np.uint8)
    rows, lengths = np.full(len(data), row), np.array([len(one) for one in data])
    where = dict.fromkeys(range(len(data)), ("192.0.2.1", 4000)) if sources else {}
    places = [Place(line) for line in matrix]
    return Batch(matrix, places, rows, lengths, np.full(len(data), now_s), where, [], len(data) == 1)


def words(came: Batch) -> Numbers:
    return header.words(came.packets)


def heard(first: Packet = START) -> Columns:
    """One leg that speaks A-law, and its first packet has come."""
    columns = Columns(ROWS)
    columns.hear(ROW, SSRC, first.sequence)
    columns.expect(ROW, TYPE)
    count(columns, batch([first]))
    return columns


def count(columns: Columns, came: Batch) -> None:
    """As packets are that do not just go on."""
    columns.count_all(header.read(words(came)), came.rows, came.arrived_s)


def test_packets_that_go_on_are_counted_as_others_are_over_all_that_wraps() -> None:
    one_way, other_way = heard(), heard()
    steady, taken, packet = Steady(one_way, Cells(ROWS)), 0, START
    chance = np.random.default_rng(1)
    for tick in range(1, 200):
        packet = following(packet, 2 if tick % 40 == 0 else 1)
        came = batch([packet], tick * 0.02 + float(chance.random()) * 0.01)
        count(other_way, came)
        if len(steady.take(came, words(came))):
            count(one_way, came)
        else:
            taken += 1
    one_way.settle()
    assert taken > 180
    assert (one_way.received(ROW), one_way.lost(ROW)) == (200, 4)
    for name in ("highest", "received_here", "last_heard_s", "jitter", "transit"):
        assert getattr(one_way, name)[ROW] == pytest.approx(getattr(other_way, name)[ROW]), name


def test_the_sound_is_put_where_it_belongs() -> None:
    columns, cells = heard(), Cells(ROWS)
    cells.put(np.array([ROW]), np.array([START.timestamp]), np.full((1, FRAME_BYTES), 4, np.uint8))
    came = batch([following(START)])
    assert not len(Steady(columns, cells).take(came, words(came)))
    cells.turn()
    assert cells.take(np.array([ROW])).codes.tolist() == [[4] * FRAME_BYTES]
    cells.turn()
    assert cells.take(np.array([ROW])).codes.tolist() == [[5] * FRAME_BYTES]


NEXT = following(START)


@pytest.mark.parametrize(
    "packet",
    [
        START,
        NEXT._replace(marker=True),
        NEXT._replace(payload_type=0),
        NEXT._replace(ssrc=SSRC + 1),
        NEXT._replace(timestamp=START.timestamp + 80),
        NEXT._replace(payload=bytes(80)),
        following(START, 2),
    ],
)
def test_what_does_not_just_go_on_is_left_to_others(packet: Packet) -> None:
    came = batch([packet])
    assert Steady(heard(), Cells(ROWS)).take(came, words(came)).tolist() == [0]


def test_one_that_is_left_to_others_does_not_hold_up_the_rest() -> None:
    columns = heard()
    columns.hear(2, SSRC, START.sequence)
    columns.expect(2, TYPE)
    came, other = batch([NEXT]), batch([NEXT], row=2)
    both = came._replace(
        packets=np.concatenate([other.packets, came.packets]),
        rows=np.array([2, ROW]),
        lengths=np.tile(came.lengths, 2),
        arrived_s=np.tile(came.arrived_s, 2),
    )
    assert Steady(columns, Cells(ROWS)).take(both, words(both)).tolist() == [0]
    columns.settle()
    assert columns.received(ROW) == 2


def test_of_one_leg_only_one_is_taken_at_once() -> None:
    came = batch([NEXT, following(NEXT)])
    assert Steady(heard(), Cells(ROWS)).take(came, words(came)).tolist() == [0, 1]


def test_where_it_comes_from_is_looked_at_by_others() -> None:
    came = batch([NEXT], sources=True)
    assert Steady(heard(), Cells(ROWS)).take(came, words(came)).tolist() == [0]


def test_a_number_that_runs_over_makes_no_other_payload_type() -> None:
    packet = START._replace(timestamp=0)
    columns = heard(packet)
    steady = Steady(columns, Cells(ROWS))
    for _ in range(5):
        packet = following(packet)
        came = batch([packet])
        assert not len(steady.take(came, words(came)))
    assert packet.sequence == 65535
    columns.settle()
    came = batch([following(packet)._replace(payload_type=TYPE + 1)])
    assert steady.take(came, words(came)).tolist() == [0]


@pytest.mark.parametrize("change", ["hear", "expect", "clear"])
def test_after_a_change_nothing_goes_on(change: str) -> None:
    columns = heard()
    if change == "hear":
        columns.hear(ROW, SSRC, NEXT.sequence)
    elif change == "expect":
        columns.expect(ROW, 0)
    else:
        columns.clear(ROW)
    came = batch([NEXT])
    assert Steady(columns, Cells(ROWS)).take(came, words(came)).tolist() == [0]
