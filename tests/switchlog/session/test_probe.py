"""When parties are to be asked: what is kept for calls that are over does not pile up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from adapters.journal.codec import decode
from domain.call.call import Call
from switchlog.session.probe import Prober
from tests.switchlog.exchange import Exchange
from tests.switchlog.phone import talk

MANY = 5_000


def connected_and_ended() -> tuple[Call.Connected, Call.Ended]:
    exchange = Exchange()
    alice, _, answered, _ = talk(exchange)
    alice.within(answered, "BYE")
    events = [decode(one.record.type, one.record.data) for one in exchange.journal.stored]
    (begun,) = (event for event in events if isinstance(event, Call.Connected))
    (ended,) = (event for event in events if isinstance(event, Call.Ended))
    return begun, ended


def test_calls_that_are_over_are_forgotten_long_before_they_would_be_asked() -> None:
    begun, ended = connected_and_ended()
    asked: list[UUID] = []

    def find(stream: UUID) -> None:
        asked.append(stream)

    prober = Prober(1800, find, lambda call: None)
    lasting = [UUID(int=number) for number in range(10)]
    prober.told(replace(begun, originator_id=stream) for stream in lasting)
    most = 0
    for number in range(MANY):
        stream = UUID(int=1_000 + number)
        prober.told([replace(begun, originator_id=stream)])
        prober.told([replace(ended, originator_id=stream)])
        most = max(most, len(prober))
    assert most < MANY / 2
    prober.on_due(begun.timestamp + timedelta(seconds=1800))
    assert sorted(asked) == lasting


def test_a_call_that_is_taken_up_late_is_asked_at_its_own_moment_before_those_that_began_after_it() -> None:
    exchange = Exchange()
    talk(exchange)
    (call,) = exchange.board.live_calls
    assert call.answered_at is not None
    begun, _ = connected_and_ended()
    prober = Prober(60, lambda stream: None, lambda call: None)
    answered_at = call.answered_at
    prober.told([replace(begun, timestamp=answered_at + timedelta(seconds=100), originator_id=UUID(int=1))])
    prober.take_up([call], answered_at + timedelta(seconds=110))
    assert prober.next_due() == answered_at + timedelta(seconds=120)
