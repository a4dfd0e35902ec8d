"""Whom the worker looks at in which tick; what it tells then is in the tests of the engine."""

import random

import pytest

from media.batch import Network
from media.cells import Cells
from media.columns import Columns
from media.look import LOOK_TICKS, Look
from media.report import Reports
from media.room import Room
from media.stream import Stream
from media.talk import Talk
from media.wire import Codec, Context, FromWorker, Leg, Measured

ROWS = 120


@pytest.mark.parametrize(("legs", "ticks"), [(0, 0), (3, 1), (ROWS, 3)])
def test_each_leg_is_measured_once_in_five_looks_and_many_not_all_in_one_tick(legs: int, ticks: int) -> None:
    said: list[FromWorker] = []
    columns, cells, network = Columns(ROWS), Cells(ROWS), Network("127.0.0.1", ROWS)
    streams = [Stream(Leg(str(row), 0, None, (Codec("PCMU", 0),)), row, "room") for row in range(legs)]
    reports = Reports(columns, streams, network, random.Random(1).getrandbits)
    look = Look(columns, cells, reports, network, Talk(ROWS), said)
    for stream in streams:
        reports.join(stream.row, 0.0)
    look.arrange([Room("room", 1, 1, Context(()), {stream.leg.id: stream for stream in streams})])
    due = [tick for tick in range(5 * LOOK_TICKS) if look.is_due(tick)]
    assert len(due) == 5 * ticks
    for tick in due:
        look.look(tick, tick * 0.02)
    measured = sorted(int(one.leg) for one in said if isinstance(one, Measured))
    assert measured == list(range(legs))
    network.close_all()
