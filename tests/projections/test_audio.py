"""What the record of a call says of its audio, and what becomes of tables that did not say it yet."""

from __future__ import annotations

from typing import Any

from adapters.analytics import tables
from adapters.analytics.client import Warehouse
from adapters.journal.codec import decode
from domain.base import Event
from domain.call.input import AudioLost, AudioRestored, DeadlineReached, HungUp, Input, Measured
from domain.call.measure import Way
from domain.call.resume import CLOSE_DEADLINE
from projections.audio import Audio
from projections.cdr import fold_cdr
from projections.projection import CallRecords
from projections.row import CdrRow, LegRow
from tests.domain.history import figures
from tests.domain.test_call_room import answered
from tests.domain.test_call_turn import Table
from tests.domain.world import request
from tests.projections.engine import Desk
from tests.projections.histories import append, moved, plain_call, stored
from tests.projections.test_follower import shown

NEWER = {"cdr": ("mos_x100", "audio_losses"), "cdr_legs": ("codec", "packets_received", "jitter_ms", "audio_losses")}
"""Some of the columns that tables of the first version did not have."""


class Talk:
    """A call to a room, and all its events."""

    def __init__(self) -> None:
        self.table = Table(dialled="7000")
        self.events: list[Event] = [*self.table.events]
        self._play(answered(self.table))

    def _play(self, inp: Input, wait_s: float = 1.0) -> None:
        self.table.play(inp, wait_s)
        self.events += self.table.events

    def measured(self, **named: Any) -> None:
        self._play(Measured("m", "media", self.table.leg(1), figures(**named)))

    def lost(self) -> None:
        self._play(AudioLost("m", "media", self.table.leg(1), Way.FROM_PHONE, 2500), 5)
        self._play(AudioRestored("m", "media", self.table.leg(1), Way.FROM_PHONE), 5)

    def hung_up(self) -> None:
        self._play(HungUp("b", "x", self.table.leg(0), request("BYE", "bye")))

    def closed(self) -> None:
        self._play(DeadlineReached("d", "system", CLOSE_DEADLINE), 5)

    def rows(self) -> tuple[CdrRow, LegRow, LegRow]:
        """Of the call, its caller and the room."""
        record = fold_cdr(self.events)
        assert record is not None
        caller, room = record.legs
        return record.cdr, caller, room


def test_a_call_is_final_once_its_audio_is_measured() -> None:
    talk = Talk()
    talk.lost()
    talk.hung_up()
    assert not talk.rows()[0].final
    talk.measured(lost=5, discarded=2, jitter_us=2499, remote_lost=7, round_trip_ms=31, mos_x100=390, silent_ms=2500)
    cdr, caller, room = talk.rows()
    assert (cdr.final, cdr.mos_x100, cdr.audio_losses, cdr.version) == (True, 390, 1, len(talk.events))
    assert (caller.codec, caller.packets_received, caller.packets_sent) == ("PCMA", 500, 500)
    assert (caller.packets_lost, caller.packets_discarded, caller.packets_lost_by_phone) == (5, 2, 7)
    assert (caller.jitter_ms, caller.round_trip_ms, caller.mos_x100, caller.silent_ms) == (2, 31, 390, 2500)
    assert (caller.audio_losses, room.audio_losses) == (1, 0)
    assert (room.codec, room.packets_received, room.mos_x100) == ("", None, None)


def test_it_is_final_also_without() -> None:
    talk = Talk()
    talk.hung_up()
    talk.closed()
    cdr, caller, _ = talk.rows()
    assert (cdr.final, cdr.mos_x100, caller.packets_received) == (True, None, None)


def test_a_call_of_phones_alone_has_no_figures() -> None:
    record = fold_cdr(plain_call())
    assert record is not None
    assert (record.cdr.final, record.cdr.mos_x100, record.cdr.audio_losses) == (True, None, 0)
    assert {(leg.codec, leg.packets_sent, leg.round_trip_ms) for leg in record.legs} == {("", None, None)}


def test_streams_add_up_and_their_means_are_weighted() -> None:
    talk = Talk()
    talk.measured(received=100, jitter_us=1000, mos_x100=400, round_trip_ms=10, whole=False)
    talk.hung_up()
    talk.measured(codec="G722", received=300, sent=7, jitter_us=5000, mos_x100=440)
    _, caller, _ = talk.rows()
    assert (caller.codec, caller.packets_received, caller.packets_sent) == ("G722", 400, 507)
    assert (caller.jitter_ms, caller.mos_x100, caller.round_trip_ms) == (4, 430, 10)
    assert caller.packets_lost_by_phone is None


def test_nonsense_stays_within_its_column() -> None:
    audio = Audio()
    wild = {"jitter_us": 1 << 60, "round_trip_ms": 1 << 40, "mos_x100": 1 << 20, "lost": -5}
    audio.streams = (figures(**wild),)
    assert (audio.jitter_ms, audio.round_trip_ms) == ((1 << 32) - 1,) * 2
    assert (audio.mos_x100, audio.total("lost")) == ((1 << 16) - 1, 0)
    audio.streams = (figures(received=-1, jitter_us=-1),)
    assert audio.jitter_ms is None


def test_nobody_waits_for_the_rows_of_a_call_that_is_not_final() -> None:
    talk = Talk()
    talk.hung_up()
    before = len(talk.events)
    talk.measured()
    kept = stored(talk.events)
    records = CallRecords(decode, lambda stream: kept)
    for one in kept[:before]:
        records.take(one)
    assert records.urgent == 0
    records.take(kept[before])
    assert records.urgent == 1


def test_tables_of_an_earlier_version_get_the_columns_and_are_as_if_rebuilt(warehouse: Warehouse) -> None:
    desk = Desk(warehouse, plain_call())
    desk.settle()
    for table, columns in NEWER.items():
        dropped = ", ".join(f"DROP COLUMN {column}" for column in columns)
        warehouse.execute(f"ALTER TABLE {table}_g1 {dropped}")
    talk = Talk()
    talk.lost()
    talk.hung_up()
    talk.measured()
    desk.restarted().advance()
    append(desk.journal, moved(talk.events, 9))
    desk.settle()
    assert desk.select("SELECT mos_x100, audio_losses FROM cdr ORDER BY mos_x100") == [(440, 1), (None, 0)]
    assert desk.job("verify")["differences"] == []
    before = shown(warehouse)
    assert desk.job("rebuild")["state"] == "done"
    assert shown(warehouse) == before


def test_a_table_that_has_all_columns_is_left_alone() -> None:
    for table in tables.TABLES:
        assert tables.add_columns(table, 3, table.names()) == ()
        (statement,) = tables.add_columns(table, 3, table.names()[1:], cluster="{cluster}")
        assert statement.startswith(f"ALTER TABLE {table.name}_g3 ON CLUSTER '{{cluster}}' ADD COLUMN IF NOT EXISTS `")
