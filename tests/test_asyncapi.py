"""The document that readers of our topics hold us to: it is what the code says, and it says enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, ValidationError

from adapters.journal.kafka.message import Message, write, write_note
from adapters.journal.kafka.topic import JOURNAL, topic_of
from adapters.keys.courier import Courier, Device
from domain.catalog import CATEGORIES, EVENTS, names_of
from domain.ids import CONFIG_SHARD
from domain.ports import Record
from scripts import asyncapi
from tests.conformance.record import START, stream
from tests.fixtures.outsider import Contract, Heard

GOLDEN = Path(__file__).parent / "golden" / "events" / "first.jsonl"
STORED = [tuple(line.split(" ", 1)) for line in GOLDEN.read_text().splitlines()]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(asyncapi.DOCUMENT.read_text())
    return found


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


def heard(message: Message) -> Heard:
    assert message.value is not None
    place = message.place
    return Heard(place.topic, place.partition, 0, message.key.decode(), dict(message.headers), message.value)


def stored(kind: str, data: bytes) -> Message:
    category = CATEGORIES.get(kind, "calls")
    shard = CONFIG_SHARD if category == "config" else 12
    return write(Record(stream("a", shard), 1, kind, category, "acme", START, data, 12.5), shard, 3, "node")


def references(it: Any) -> Iterator[str]:
    if isinstance(it, dict):
        if isinstance(ref := it.get("$ref"), str):
            yield ref
        for value in it.values():
            yield from references(value)
    elif isinstance(it, list):
        for value in it:
            yield from references(value)


def test_the_document_is_what_the_code_says() -> None:
    wanted = asyncapi.as_text(asyncapi.document())
    assert asyncapi.DOCUMENT.read_text() == wanted, "run `python -m scripts.asyncapi` and look at what changed"


def test_every_type_is_in_the_topic_that_holds_it(document: dict[str, Any]) -> None:
    for name, category in CATEGORIES.items():
        holding = [topic for topic in JOURNAL if name in document["channels"][topic]["messages"]]
        assert holding == [topic_of(category)]
    assert document["channels"]["calls"]["address"] == "switchlog.calls"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > len(EVENTS)
    for ref in found:
        at: Any = document
        for name in ref.removeprefix("#/").split("/"):
            at = at[name]


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
        assert schema.get("description"), schema["title"]


def test_times_are_said_to_be_times(document: dict[str, Any]) -> None:
    for name in {names_of(event)[0] for event in EVENTS.values()}:
        properties = document["components"]["schemas"][name]["properties"]
        assert properties["timestamp"] == {"type": "string", "format": "date-time"}
    assert document["components"]["schemas"]["Contact"]["properties"]["expires_at"]["format"] == "date-time"


@pytest.mark.parametrize(("kind", "data"), STORED, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(STORED)])
def test_what_the_first_version_stored_is_as_it_says(contract: Contract, kind: str, data: str) -> None:
    assert contract.check(heard(stored(kind, data.encode()))) == json.loads(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"originator_version":', b'"originator_version":"1","x":'),
        (b'"timestamp":"', b'"timestamp":"yesterday '),
        (b'"context":', b'"contest":'),
        (b'"tenant":', b'"tenants":'),
    ],
)
def test_what_is_otherwise_is_not_taken(contract: Contract, old: bytes, new: bytes) -> None:
    kind, data = STORED[0]
    assert old in data.encode()
    with pytest.raises(ValidationError):
        contract.check(heard(stored(kind, data.encode().replace(old, new))))


@pytest.mark.parametrize(
    "missing", ["ce_specversion", "ce_id", "ce_source", "ce_time", "ce_tenant", "ce_sequence", "epoch"]
)
def test_every_header_is_asked_for(contract: Contract, missing: str) -> None:
    good = heard(stored(STORED[0][0], STORED[0][1].encode()))
    contract.check(good)
    headers = {name: value for name, value in good.headers.items() if name != missing}
    with pytest.raises(ValidationError):
        contract.check(good._replace(headers=headers))


def test_what_nodes_tell_each_other_is_as_it_says(contract: Contract) -> None:
    courier = Courier(b"k" * 32)
    gone = Device("acme", "1001", None)
    for note in (courier.check("c1", START), courier.device(gone, START)):
        good = heard(write_note(note, "node"))
        assert set(contract.check(good)) == {"name", "key", "sealed"}
        with pytest.raises(AssertionError, match="calls holds no"):
            contract.check(good._replace(topic="calls"))


def test_a_type_in_the_wrong_topic_is_not_taken(contract: Contract) -> None:
    good = heard(stored(STORED[0][0], STORED[0][1].encode()))
    with pytest.raises(AssertionError, match="config holds no"):
        contract.check(good._replace(topic="config"))
