"""Records as Kafka holds them: there and back, the words that outsiders read, and what is no record of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.journal.kafka.message import (
    CLAIMED,
    Control,
    Found,
    Message,
    Tenure,
    note_of,
    read,
    time_of,
    time_text,
    write,
    write_control,
    write_note,
)
from adapters.journal.kafka.topic import Place, every_place, place
from domain.catalog import CATEGORIES
from domain.ids import CONFIG_SHARD, SHARDS, new_stream_id
from domain.ports import JournalError, Note, Noted, Record, Stored, Unreadable
from tests.conformance.record import record, stream

AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
STREAM = stream("a", 12)


def back(message: Message, offset: int = 0) -> Found:
    return read(message.place, offset, message.key, message.value, message.headers, 1_700_000_000_000)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def placed(draw: st.DrawFn) -> tuple[Record, int]:
    kind, category = draw(st.sampled_from([*CATEGORIES.items(), ("call.of-tomorrow.9", "calls")]))
    shard = CONFIG_SHARD if category == "config" else draw(st.integers(0, SHARDS - 1))
    at = draw(st.datetimes(datetime(1970, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
    return (
        Record(
            new_stream_id(draw(st.integers(0, 2**48 - 1)), shard, draw(st.binary(min_size=8, max_size=8))),
            draw(st.integers(1, 2**31)),
            kind,
            category,
            draw(texts),
            at,
            draw(st.binary(max_size=50)),
            draw(st.none() | st.floats(0, 1e11)),
        ),
        shard,
    )


@given(placed(), st.integers(1, 2**40), st.integers(0, 2**50), texts)
def test_a_record_comes_back_as_it_was(its: tuple[Record, int], epoch: int, offset: int, node: str) -> None:
    wanted, shard = its
    message = write(wanted, shard, epoch, node)
    assert back(message, offset) == Stored(offset + 1, shard, epoch, wanted, message.place.key)


def test_the_headers_are_cloud_events_words() -> None:
    message = write(record(STREAM, 3, live_until=12.5), 12, 7, "node a/1")
    assert message.place == place("calls", 12)
    assert message.key == str(STREAM).encode()
    assert dict(message.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{STREAM}:3".encode(),
        "ce_source": b"/switchlog/node%20a%2F1",
        "ce_type": b"call.tested.1",
        "ce_subject": str(STREAM).encode(),
        "ce_time": b"2026-01-02T03:04:05.678904Z",
        "ce_tenant": b"acme",
        "ce_sequence": b"3",
        "content-type": b"application/json",
        "epoch": b"7",
        "liveuntil": b"12.5",
    }
    assert message.value == b'{"n":3}'


def test_until_further_notice_is_a_header_less() -> None:
    assert "liveuntil" not in dict(write(record(STREAM, 1), 12, 1, "a").headers)


def test_a_record_of_a_shard_that_cannot_hold_it_is_refused() -> None:
    with pytest.raises(JournalError, match="does not hold"):
        write(record(STREAM, 1), CONFIG_SHARD, 1, "a")


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_come_back(at: datetime) -> None:
    assert time_of(time_text(at)) == at


def test_times_are_utc_with_microseconds() -> None:
    assert time_text(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == b"2025-12-31T23:00:00.000000Z"
    assert time_of(b"2026-01-01T01:00:00+02:00") == datetime(2025, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("its", [place("calls", 3), place("registrations", 3), place("config", 0)])
def test_a_claim_comes_back_and_is_no_event(its: Place) -> None:
    tenure = Tenure(4, "switchlog-a-1", "a", "192.0.2.1:5061")
    message = write_control(CLAIMED, its, tenure, AT)
    assert message.key == b"shard-%d" % its.shard
    assert "ce_sequence" not in dict(message.headers)
    assert back(message, 9) == Control(10, its.shard, CLAIMED, AT, tenure)


def test_claims_of_all_shards_are_announced_beside_the_configuration() -> None:
    message = write_control(CLAIMED, place("config", 0), Tenure(4, "t", "a"), AT, 12)
    assert back(message) == Control(1, 12, CLAIMED, AT, Tenure(4, "t", "a"))
    assert isinstance(back(message._replace(place=place("calls", 3))), Unreadable)


def test_a_claim_of_a_later_version_is_one_still() -> None:
    message = write_control(CLAIMED, place("calls", 3), Tenure(4, "t", "a"), AT)
    assert message.value is not None
    value = message.value.replace(b"{", b'{"to":"b",')
    assert isinstance(back(message._replace(value=value)), Control)


def test_a_note_comes_back_and_obeys_what_is_said_of_control_records() -> None:
    note = Note("shard.told.1", "shard-64", AT, b'{"n":1}')
    message = write_note(note, "node a/1")
    assert (message.place, message.key, message.value) == (place("config", 0), b"shard-64", note.data)
    headers = dict(message.headers)
    assert (headers["ce_type"], headers["ce_subject"]) == (b"shard.told.1", b"shard-64")
    assert (headers["ce_source"], headers["content-type"]) == (b"/switchlog/node%20a%2F1", b"application/json")
    assert not {"ce_sequence", "ce_tenant", "epoch"} & headers.keys()
    assert headers["ce_id"] == dict(write_note(note, "b").headers)["ce_id"]
    assert headers["ce_id"] != dict(write_note(structs.replace(note, data=b"{}"), "b").headers)["ce_id"]
    assert back(message, 9) == Noted(10, note)
    assert note_of(message.place, 9, message.key, message.value, message.headers) == Noted(10, note)


def test_every_control_record_is_a_note_and_no_other_record() -> None:
    claim = write_control(CLAIMED, place("config", 0), Tenure(4, "t", "a"), AT, 12)
    assert claim.value is not None
    found = note_of(claim.place, 0, claim.key, claim.value, claim.headers)
    assert found == Noted(1, Note(CLAIMED, "shard-12", AT, claim.value))
    other = write(structs.replace(record(STREAM, 1), category="config"), CONFIG_SHARD, 1, "a")
    for message in (other, claim._replace(headers=[]), claim._replace(key=b"")):
        assert note_of(message.place, 0, message.key, message.value, message.headers) is None


def without(*names: str) -> list[tuple[str, bytes]]:
    return [header for header in GOOD.headers if header[0] not in names]


def but(name: str, value: bytes, message: Message | None = None) -> list[tuple[str, bytes]]:
    return [header for header in (message or GOOD).headers if header[0] != name] + [(name, value)]


GOOD = write(record(STREAM, 1, live_until=1.0), 12, 1, "a")
OTHER = str(stream("b", 13)).encode()
LOOSE = OTHER[:6] + b"_" + OTHER[7:]
CLAIM = write_control(CLAIMED, GOOD.place, Tenure(1, "t", "a"), AT)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (GOOD._replace(headers=[]), "no CloudEvent"),
        (GOOD._replace(headers=but("ce_specversion", b"2.0")), "no CloudEvent"),
        *((GOOD._replace(headers=without(name)), name) for name in ("ce_type", "ce_subject", "ce_time", "ce_tenant")),
        *((GOOD._replace(headers=without(name)), name) for name in ("ce_sequence", "epoch")),
        (GOOD._replace(headers=but("ce_subject", OTHER)), "key"),
        (GOOD._replace(key=OTHER, headers=but("ce_subject", OTHER)), "belongs to shard 13, not 12"),
        (GOOD._replace(key=b"\xff", headers=but("ce_subject", b"\xff")), "no stream id"),
        (GOOD._replace(key=b"g" * 36, headers=but("ce_subject", b"g" * 36)), "no stream id"),
        (GOOD._replace(key=LOOSE, headers=but("ce_subject", LOOSE)), "no stream id"),
        (GOOD._replace(headers=but("ce_type", b"\xff")), "utf-8"),
        (GOOD._replace(headers=but("ce_sequence", b"one")), "one"),
        (GOOD._replace(headers=but("ce_sequence", b"-1")), "sequence -1"),
        (GOOD._replace(headers=but("ce_sequence", b"9" * 5000)), "digits"),
        (GOOD._replace(headers=but("ce_sequence", b"9223372036854775808")), "there is none"),
        (GOOD._replace(headers=but("epoch", b"0")), "epoch 0"),
        (GOOD._replace(headers=but("ce_time", b"yesterday")), "yesterday"),
        (GOOD._replace(headers=but("ce_time", b"2026-01-01T00:00:00")), "no zone"),
        (GOOD._replace(headers=but("liveuntil", b"nan")), "no time"),
        (GOOD._replace(headers=but("liveuntil", b"soon")), "soon"),
        (GOOD._replace(headers=but("category", b"config")), "config"),
        (GOOD._replace(headers=but("category", b"security")), "security"),
        (CLAIM._replace(key=b"shard-13", headers=but("ce_subject", b"shard-13", CLAIM)), "partition of shard 12"),
        (CLAIM._replace(value=b"{}"), "epoch"),
        (CLAIM._replace(value=b"noise"), "JSON"),
    ],
)
def test_what_is_no_record_of_ours_is_told_with_its_place(message: Message, why: str) -> None:
    found = back(message, 41)
    assert isinstance(found, Unreadable)
    assert (found.partition, found.position) == ("calls-12", 42)
    assert found.time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert why in found.reason


def test_what_can_be_read_of_it_is_told_too() -> None:
    found = back(GOOD._replace(headers=without("epoch")))
    assert isinstance(found, Unreadable)
    assert (found.type, found.stream, found.sequence) == ("call.tested.1", STREAM, 1)


@pytest.mark.parametrize("missing", ["key", "value"])
def test_a_tombstone_and_a_record_without_a_key_are_none(missing: str) -> None:
    parts = {"key": GOOD.key, "value": GOOD.value, missing: None}
    assert isinstance(read(GOOD.place, 0, parts["key"], parts["value"], GOOD.headers), Unreadable)


noise = st.lists(
    st.tuples(
        st.sampled_from([name for name, _ in GOOD.headers]) | texts,
        st.binary(max_size=40) | st.just(b"1.0") | st.none(),
    ),
    max_size=14,
)


@given(st.sampled_from(every_place()), st.none() | st.binary(), st.none() | st.binary(), noise, st.integers())
def test_nothing_that_can_be_written_stops_a_reader(
    its: Place, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], timestamp_ms: int
) -> None:
    assert isinstance(read(its, 0, key, value, headers, timestamp_ms), Unreadable | Control | Stored)


@given(noise)
def test_nor_does_a_record_with_one_header_of_noise(headers: list[tuple[str, bytes]]) -> None:
    for header in headers:
        read(GOOD.place, 0, GOOD.key, GOOD.value, [*GOOD.headers, header])
