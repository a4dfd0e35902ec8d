"""Calls as the real core plays them, for the rows that need a journal and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue

from adapters.journal.codec import encode
from domain.call.call import Call
from domain.call.input import Answered, HungUp, Input, Progressed
from domain.call.resume import live_until
from domain.call.turn import Turn, World, take_turn
from domain.catalog import CATEGORIES, topic
from domain.ids import SHARDS, new_stream_id, shard_of
from domain.ports import Journal, OwnershipLost, Record
from tests.domain.world import START, offer, remote, request, seconds, world

EVENTS_A_CALL = 6
_IN_FLIGHT = 2_000
SDP = (
    "v=0\r\no=user 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


def calls(count: int) -> Iterator[list[Record]]:
    """Answered calls of ten seconds, one a second, each as the records of its stream."""
    scene = world()
    for number in range(count):
        yield list(_records(number, scene))


def write_calls(
    journal: Journal, streams: Iterable[Sequence[Record]], written: Callable[[int], None] = lambda count: None
) -> int:
    """Append each call to a journal, and close it; returns how many records that were. RuntimeError if it cannot.

    Not more than `_IN_FLIGHT` calls are on their way at once. `written` is told of each call with how many there were.
    """
    answers: SimpleQueue[int | OwnershipLost] = SimpleQueue()
    calls = waiting = total = 0
    try:
        epochs = journal.claim(range(SHARDS), "bench")
        for records in streams:
            if waiting == _IN_FLIGHT:
                _good(answers.get())
                waiting -= 1
            shard = shard_of(records[0].stream)
            journal.submit(shard, epochs[shard], records, answers.put)
            calls, waiting, total = calls + 1, waiting + 1, total + len(records)
            written(calls)
        for _ in range(waiting):
            _good(answers.get())
    finally:
        journal.close()
    return total


def _good(answer: int | OwnershipLost) -> None:
    if isinstance(answer, OwnershipLost):
        raise RuntimeError(answer.reason)


def call_records(count: int) -> list[Record]:
    """The first `count` records of such calls."""
    records = [record for call in calls(-(-count // EVENTS_A_CALL)) for record in call]
    return records[:count]


def _records(number: int, scene: World) -> Iterator[Record]:
    now = START + seconds(number)
    call_id = new_stream_id(round(now.timestamp() * 1000), number % SHARDS, number.to_bytes(8, "big"))
    turn = take_turn(None, offer(call_id), scene, now)
    yield from records_of(turn)
    assert turn.call is not None
    for wait_s, inp in _conversation(turn.call):
        now += seconds(wait_s)
        turn = take_turn(turn.call, inp, scene, now)
        yield from records_of(turn)


def _conversation(call: Call) -> Iterator[tuple[float, Input]]:
    callee = next(name for name in call.legs if name != call.caller_leg)
    dialog = remote(call.legs[callee].dialog)
    yield 0.1, Progressed("ringing", "sip:1002", callee, dialog, "", "phone")
    yield 2.0, Answered("answer", "sip:1002", callee, dialog, SDP, "phone")
    yield 10.0, HungUp("bye", "sip:1001", call.caller_leg, request("BYE", "z9hG4bK-bye", 2))


def records_of(turn: Turn) -> Iterator[Record]:
    """The turn's events as a shard submits them."""
    assert turn.call is not None
    until = live_until(turn.call)
    for event in turn.events:
        kind = topic(type(event))
        yield Record(
            stream=event.originator_id,
            sequence=event.originator_version,
            type=kind,
            category=CATEGORIES[kind],
            tenant=event.context.tenant,
            time=event.timestamp,
            data=encode(event),
            live_until=until,
        )
