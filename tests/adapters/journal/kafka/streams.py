"""Streams of real aggregates, with as many types of events as they come to: calls, bindings, guards, configuration."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from domain import extension, letterbox, room, tenant
from domain.apikey import ApiKey, apikey_id
from domain.base import Context, Event, Step
from domain.catalog import CATEGORIES, topic
from domain.conference.input import Announce, Deafen, EnterPin, Kick, Leave, Lock, Mute
from domain.extension import Device, Extension, extension_id
from domain.guard import Failures, GuardStreams
from domain.ids import CONFIG_SHARD, shard_of
from domain.letterbox import Letterbox, letterbox_id
from domain.mailbox.input import Begin, Delete, Drop, Erase, GiveUpMail, Greet, Hear, Mail, Renew
from domain.ports import Record
from domain.room import Room, room_id
from domain.subscription.input import Fail, Refresh
from domain.subscription.subscription import Why
from domain.tenant import Tenant, Wanted, tenant_id
from domain.values import STRIP_ALL, Ability
from tests.domain.conference.meeting import CLOSED, Meeting
from tests.domain.history import ENDS, KINDS, play
from tests.domain.mailbox.letters import LEFT, Letters
from tests.domain.subscription.watching import DIALOG, begun
from tests.domain.test_call_voicemail import Voiced
from tests.domain.test_call_way import demanded
from tests.domain.world import START
from tests.projections.histories import bindings, moved, plain_call, record

_WAITS_S = (*(0.0, 0.01, 1.0) * 4, 50.0, 1000.0)
_SELDOM = 0.05
"""What ends a call comes so often, beside all else."""
_CONTEXT = Context("acme", "apply", "file", "cli", "a", 1)


def streams(count: int) -> Iterator[tuple[int, list[Record]]]:
    """(shard, records) of each stream; `count` of them are calls to which anything may happen, the same each time."""
    for number, events in enumerate((plain_call(), plain_call(takeover=True), *_calls(count))):
        yield _stream(moved(events, number))
    for number in range(20):
        yield _stream(
            bindings(str(1000 + number), [(0, "desk", 60), (30, "old", 600), (10, "desk", 0), (90, "desk", 60)])
        )
    yield _stream(moved(Voiced(0).events, count + 2))
    yield _stream(moved(demanded(), count + 3))
    for events in (_guarded(), _tenant(), _extension(), _key(), _room(), _conference(), _letterbox(), _mailbox()):
        yield _stream(events)
    yield _stream(_subscription())


def _stream(events: tuple[Event, ...]) -> tuple[int, list[Record]]:
    first = events[0]
    of_config = CATEGORIES[topic(type(first))] == "config"
    return CONFIG_SHARD if of_config else shard_of(first.originator_id), [record(event) for event in events]


def _calls(count: int) -> Iterator[tuple[Event, ...]]:
    chance = random.Random(3)
    weights = [_SELDOM if kind in ENDS else 1.0 for kind in range(KINDS)]
    for _ in range(count):
        kinds = chance.choices(range(KINDS), weights, k=chance.randrange(5, 100))
        yield play(
            chance.choice((1, 2, 3)),
            "1002",
            [(kind, chance.randrange(4), chance.choice(_WAITS_S), chance.random() < 0.05) for kind in kinds],
            late_offer=chance.random() < 0.5,
            ability=Ability(chance.random() < 0.5, chance.random() < 0.5, chance.random() < 0.5),
            settled=chance.random() < 0.5,
            relayed=chance.random() < 0.3,
        ).events


def _guarded() -> tuple[Event, ...]:
    guards = GuardStreams("a")
    windows = [Failures("acme", START, START + timedelta(minutes=1), count, 2) for count in (3, 40)]
    return tuple(event for window in windows for event in guards.events(window, 7, 1, window.until))


def _tenant() -> tuple[Event, ...]:
    stream, wanted = tenant_id("acme"), Wanted("Acme", ("acme.example",), "GB", "Europe/London", STRIP_ALL)
    first = tenant.declare(None, "acme", wanted, Step(stream, 0, START, _CONTEXT))
    assert isinstance(first, Tenant.Created)
    now = first.mutate(None)
    assert isinstance(now, Tenant)
    second = tenant.declare(now, "acme", wanted._replace(name="Acme Ltd"), Step(stream, 1, START, _CONTEXT))
    assert second is not None
    return first, second


def _extension() -> tuple[Event, ...]:
    stream, devices = extension_id("acme", "1001"), (Device("1001", "fingerprint"), Device("desk", "other"))
    first = extension.declare(None, "1001", extension.Wanted("Alice", 30, devices), Step(stream, 0, START, _CONTEXT))
    assert isinstance(first, Extension.Created)
    now = first.mutate(None)
    assert isinstance(now, Extension)
    second = extension.declare(
        now, "1001", extension.Wanted("Alice", 20, devices[:1]), Step(stream, 1, START, _CONTEXT)
    )
    assert second is not None
    return first, second


def _room() -> tuple[Event, ...]:
    stream, wanted = room_id("acme", "7000"), room.Wanted("Board room", "sealed", "")
    first = room.declare(None, "7000", wanted, Step(stream, 0, START, _CONTEXT))
    assert isinstance(first, Room.Created)
    now = first.mutate(None)
    assert isinstance(now, Room)
    second = room.declare(now, "7000", wanted._replace(pin=""), Step(stream, 1, START, _CONTEXT))
    assert second is not None
    return first, second


def _conference() -> tuple[Event, ...]:
    meeting = Meeting(CLOSED)
    meeting.arrive("a", "b")
    for kind, fields in (
        (EnterPin, ("a", "0000")),
        (EnterPin, ("a", "9999")),
        (EnterPin, ("b", "1234")),
        *(
            (kind, ("a", *fields, on))
            for kind, fields in ((Mute, ("b",)), (Deafen, ("b",)), (Lock, ()))
            for on in (True, False)
        ),
        (Announce, ("a", "b", "The meeting ends.")),
        (Kick, ("a", "b")),
        (Leave, ("b",)),
        (Leave, ("a",)),
    ):
        meeting.play(kind, *fields)
    return tuple(meeting.events)


def _letterbox() -> tuple[Event, ...]:
    stream, wanted = letterbox_id("acme", "1002"), letterbox.Wanted("sealed", greetings={"busy": "Busy."})
    first = letterbox.declare(None, "1002", wanted, Step(stream, 0, START, _CONTEXT))
    assert isinstance(first, Letterbox.Created)
    now = first.mutate(None)
    assert isinstance(now, Letterbox)
    wanted = msgspec.structs.replace(wanted, keep_days=7)
    second = letterbox.declare(now, "1002", wanted, Step(stream, 1, START, _CONTEXT))
    assert second is not None
    return first, second


def _mailbox() -> tuple[Event, ...]:
    letters = Letters()
    letters.play(Begin, "dropped", "1001", "Alice", "sealed")
    letters.play(Drop, "dropped", "too short")
    letters.leave("a")
    letters.leave("b")
    letters.play(Greet, "greeting", "busy", "sealed", *LEFT)
    letters.play(Delete, "greeting")
    letters.play(Erase, "greeting")
    for kind, message, *fields in ((GiveUpMail, "a", "no such user"), (Mail, "b"), (Hear, "a"), (Renew, "a")):
        letters.play(kind, message, *fields)
    for message in ("a", "b"):
        letters.play(Delete, message)
        letters.play(Erase, message)
    return tuple(letters.events)


def _key() -> tuple[Event, ...]:
    return (
        ApiKey.Created(apikey_id("k1"), 1, START, _CONTEXT, originator_topic=ApiKey.TOPIC, key_id="k1", role="analyst"),
    )


def _subscription() -> tuple[Event, ...]:
    watch = begun()
    watch.taken()
    watch.play(Refresh("c", "a", DIALOG, 600))
    watch.play(Fail("c", "a", Why.SILENT))
    return tuple(watch.events)
