"""What a media worker says of audio, as calls write it down: over the ends of calls, of workers and of processes."""

from __future__ import annotations

from typing import Any

from adapters.journal.codec import decode
from adapters.sip.dialog.identifier import SipIdentifiers
from adapters.sip.message.message import Response
from domain.call.call import Call
from media.wire import Leg, Silent
from projections.cdr import CallRecord, fold_cdr
from switchlog.query.story import tell
from tests.switchlog.exchange import Exchange, HeldJournal
from tests.switchlog.mixing import CAROL, WORKER, RememberedRooms, joined
from tests.switchlog.mixing import exchange as exchange
from tests.switchlog.mixing import rooms as rooms
from tests.switchlog.phone import BOB, Phone

ROOM = "room/acme/7000"


def events(exchange: Exchange, kind: type[Any] = Call.LegMeasured) -> list[Any]:
    """The events of this kind of all calls."""
    stored = [one.record for one in exchange.journal.stored if one.record.category == "calls"]
    return [event for one in stored if isinstance(event := decode(one.type, one.data), kind)]


def record_of(exchange: Exchange) -> CallRecord:
    """Of the first call."""
    stored = [one.record for one in exchange.journal.stored if one.record.category == "calls"]
    record = fold_cdr(decode(one.type, one.data) for one in stored if one.stream == stored[0].stream)
    assert record is not None
    return record


def first(rooms: RememberedRooms) -> Leg:
    return next(iter(rooms.room().values()))


def so_far(rooms: RememberedRooms, leg: Leg, **figures: Any) -> None:
    rooms.say(rooms.measured(leg, so_far=True, **figures))


def hang_up(phone: Phone, answered: Response) -> None:
    phone.within(answered, "BYE")


def test_the_figures_of_a_call_are_in_its_record_at_its_end(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    exchange.wait(5)
    for received in (100, 150, 200):
        so_far(rooms, first(rooms), received=received)
    assert events(exchange) == [], "one event a stream, not one a report"
    hang_up(phone, answered)
    assert exchange.types[-2:] == ["ended", "leg_measured"]
    record = record_of(exchange)
    caller, room = record.legs
    assert (record.cdr.final, record.cdr.mos_x100) == (True, 441)
    assert (caller.codec, caller.packets_received, caller.packets_sent, caller.jitter_ms) == ("PCMU", 250, 249, 2)
    assert (caller.round_trip_ms, room.packets_received) == (None, None)
    exchange.wait(60)
    assert exchange.types[-1] == "leg_measured"


def test_a_worker_that_never_says_it_does_not_keep_a_record_open(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.measures = None
    phone, answered = joined(exchange)
    hang_up(phone, answered)
    assert not record_of(exchange).cdr.final
    exchange.wait(5.1)
    assert exchange.types[-2:] == ["ended", "closed"]
    assert record_of(exchange).cdr.final


def test_of_a_killed_worker_the_last_report_counts_and_then_the_next_stream(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    phone, answered = joined(exchange)
    so_far(rooms, first(rooms), received=100, sent=100)
    so_far(rooms, first(rooms), received=200, sent=200)
    rooms.die()
    rooms.start()
    (killed,) = events(exchange)
    assert (killed.figures.received, killed.figures.whole) == (200, False)
    hang_up(phone, answered)
    assert [one.figures.received for one in events(exchange)] == [200, 250]
    assert record_of(exchange).legs[0].packets_received == 450
    assert record_of(exchange).cdr.final


def test_who_hangs_up_while_the_worker_is_away_is_measured_all_the_same(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    phone, answered = joined(exchange)
    so_far(rooms, first(rooms), received=200, sent=200)
    rooms.die()
    hang_up(phone, answered)
    assert exchange.types[-2:] == ["ended", "leg_measured"]
    assert record_of(exchange).cdr.final
    rooms.start()
    assert len(events(exchange)) == 1


def test_a_spare_goes_on_with_another_stream(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    so_far(rooms, first(rooms), received=200, sent=200)
    assert exchange.studio is not None
    exchange.studio.died(WORKER)
    exchange.deliver()
    (killed,) = events(exchange)
    assert (killed.figures.received, killed.figures.whole) == (200, False)
    leg = first(rooms)
    hang_up(phone, answered)
    exchange.studio.heard("spare", rooms.measured(leg, received=50, sent=50))
    exchange.deliver()
    record = record_of(exchange)
    assert (record.legs[0].packets_received, record.cdr.final) == (250, True)


def test_a_worker_whose_connection_broke_has_gone_on_counting(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    so_far(rooms, first(rooms), received=200, sent=200)
    rooms.meet(exchange)
    assert events(exchange) == []
    hang_up(phone, answered)
    assert [one.figures.received for one in events(exchange)] == [250]


def test_a_call_that_was_never_answered_is_not_measured(exchange: Exchange, rooms: RememberedRooms) -> None:
    rooms.taken_ports = set(range(20000, 20100))
    phone = Phone(exchange, "1001", CAROL)
    phone.register()
    phone.invite("7000")
    exchange.wait(60)
    assert events(exchange) == []
    assert record_of(exchange).cdr.final


def test_missing_audio_is_an_event_and_so_is_its_return(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    joined(exchange, "1002", BOB)
    leg = first(rooms)
    exchange.wait(10)
    for missing_ms in (2500, 3000):
        rooms.say(Silent(ROOM, leg.id, missing_ms))
        so_far(rooms, leg, missing_ms=missing_ms)
    (lost,) = events(exchange, Call.AudioLost)
    assert (lost.leg, lost.direction.value, lost.missing_ms) == (record_of(exchange).legs[0].leg, "from_phone", 2500)
    assert metrics(exchange)["media_audio_missing"] == 1
    rooms.say(Silent(ROOM, leg.id, 0))
    so_far(rooms, leg, missing_ms=0)
    assert len(events(exchange, Call.AudioRestored)) == 1
    assert (metrics(exchange)["media_audio_missing"], metrics(exchange)["media_audio_lost_total"]) == (0, 1)
    assert record_of(exchange).cdr.audio_losses == 1


def test_audio_that_does_not_reach_the_phone_is_told_for_itself(exchange: Exchange, rooms: RememberedRooms) -> None:
    joined(exchange)
    exchange.wait(10)
    rooms.say(Silent(ROOM, first(rooms).id, 5000, unheard=True))
    rooms.say(Silent(ROOM, first(rooms).id, 2500))
    so_far(rooms, first(rooms), missing_ms=3000, unheard_ms=5000)
    lost = events(exchange, Call.AudioLost)
    assert [(one.direction.value, one.missing_ms) for one in lost] == [("to_phone", 5000), ("from_phone", 2500)]
    assert metrics(exchange)["media_audio_missing"] == 1, "one phone"
    so_far(rooms, first(rooms), missing_ms=0, unheard_ms=5000)
    assert [one.direction.value for one in events(exchange, Call.AudioRestored)] == ["from_phone"]


def test_what_was_missing_when_the_call_was_answered_is_told_by_a_later_report(
    exchange: Exchange, rooms: RememberedRooms
) -> None:
    joined(exchange)
    rooms.say(Silent(ROOM, first(rooms).id, 2500))
    assert events(exchange, Call.AudioLost) == []
    exchange.wait(3)
    so_far(rooms, first(rooms), missing_ms=5500)
    assert len(events(exchange, Call.AudioLost)) == 1


def test_after_a_restart_of_the_sessions_it_is_known_whether_audio_is_still_missing(rooms: RememberedRooms) -> None:
    journal = HeldJournal()
    exchange = Exchange(journal, media=rooms)
    phone, answered = joined(exchange)
    exchange.wait(10)
    rooms.say(Silent(ROOM, first(rooms).id, 2500))
    again = Exchange(journal, epoch=2, start_s=60, media=rooms)
    so_far(rooms, first(rooms), received=500, missing_ms=4000)
    assert len(events(again, Call.AudioLost)) == 1
    so_far(rooms, first(rooms), received=500, missing_ms=0)
    assert len(events(again, Call.AudioRestored)) == 1
    phone.exchange = again
    hang_up(phone, answered)
    assert record_of(again).cdr.final


def test_the_story_of_a_call_tells_it(exchange: Exchange, rooms: RememberedRooms) -> None:
    phone, answered = joined(exchange)
    exchange.wait(10)
    rooms.say(Silent(ROOM, first(rooms).id, 2500))
    rooms.say(Silent(ROOM, first(rooms).id, 0))
    hang_up(phone, answered)
    stored = [one for one in exchange.journal.stored if one.record.category == "calls"]
    story = tell(stored, decode, SipIdentifiers(b"k" * 32))
    assert story is not None
    told = {event.type: event.summary for step in story.steps for event in step.events}
    assert told["call.audio_lost"] == "nothing comes from the phone for 2.5 s"
    assert told["call.audio_restored"] == "comes from the phone again, or not expected"
    assert told["call.leg_measured"] == "PCMU, 250 packets, 0 lost, jitter 1.5 ms, MOS 4.41"


def metrics(exchange: Exchange) -> dict[str, float]:
    assert exchange.studio is not None
    return dict(exchange.studio.gauges.metrics())
