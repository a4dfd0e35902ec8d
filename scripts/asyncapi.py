"""The topics and events of a journal on Kafka as an AsyncAPI document, from the code: `python -m scripts.asyncapi`.

It writes `docs/events/asyncapi.yaml`, the one thing made from the code that is kept in the repository: whoever changes
an event sees in the same change what its readers will see of it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from adapters.journal.kafka.address import PREFIX
from adapters.journal.kafka.message import CLAIMED, RELEASED, Tenure
from adapters.journal.kafka.topic import CALLS, CONFIG, JOURNAL, TOPICS, topic_of
from domain.base import Event
from domain.catalog import CATEGORIES, EVENTS, names_of
from scripts.reference import text

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "events" / "asyncapi.yaml"

OTHER = "shard.other"
"""The name of the message for control records that have none of their own."""
_REF = "#/components/schemas/{name}"
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WHOLE = "^[1-9][0-9]*$"
_TITLES = {
    "calls": "Calls, each from its INVITE to its end",
    "registrations": "Bindings of phones, and what is counted of failed authentications",
    "config": "Tenants, extensions and API keys; and who owns which shard",
}
_DESCRIPTION = """\
Every record of these topics is a CloudEvent 1.0 in binary mode: attributes are headers that begin with `ce_`, the
value is the event as JSON. The key is the stream, such as one call; the records of a stream are in one partition, in
order, and their `ce_sequence` rises from 1 without a gap. There are 64 partitions, one for each shard of the
installation, and one of configuration. Records are written in transactions: read with
`isolation.level=read_committed`, and do not count by offsets, which have gaps where transactions ended.

Records whose type begins with `shard.` are control records: who may write the partition. They have no `ce_sequence`
and their key is no stream; skip them, and skip types that are not listed here.
"""


def document() -> dict[str, Any]:
    """The whole of it, as JSON would have it."""
    schemas = _schemas()
    messages = {name: _event(name, schemas[1][name]) for name in EVENTS}
    messages |= {name: _control(name) for name in (CLAIMED, RELEASED)}
    messages[OTHER] = _note()
    tenure = msgspec.json.schema(Tenure)["$defs"]["Tenure"]
    tenure["properties"]["epoch"]["minimum"] = 1
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Switchlog",
            "version": _version(),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in JOURNAL},
        "operations": {f"append-{name}": _operation(name) for name in JOURNAL},
        "components": {
            "messages": messages,
            "messageTraits": _traits(),
            "schemas": {**schemas[0], "Tenure": tenure},
        },
    }


def as_text(it: Mapping[str, Any]) -> str:
    """As it stands in the file."""
    head = "# Made from the code by `python -m scripts.asyncapi`.\n"
    return head + yaml.dump(it, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


def messages_of(topic: str) -> list[str]:
    """The types of the records that `topic` holds."""
    events = [name for name, category in CATEGORIES.items() if topic_of(category) == topic]
    return [*events, *((CLAIMED, RELEASED) if topic in (CALLS, CONFIG) else ()), *((OTHER,) if topic == CONFIG else ())]


def _channel(name: str) -> dict[str, Any]:
    its = TOPICS[name]
    return {
        "address": its.full(PREFIX),
        "title": _TITLES[name],
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in messages_of(name)},
        "bindings": {
            "kafka": {
                "topic": its.full(PREFIX),
                "partitions": its.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": -1},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(name: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": f"Every record of {TOPICS[name].full(PREFIX)}, once it is durable.",
    }


def _event(name: str, schema: str) -> dict[str, Any]:
    kind = EVENTS[name]
    former = "" if names_of(kind)[0] == name else f"As an earlier version wrote {names_of(kind)[0]}. "
    category = CATEGORIES[name]
    said = {} if topic_of(category) == category else {"category": {"const": category}}
    return {
        "summary": " ".join(f"{former}{text(kind)}".split()),
        "traits": [{"$ref": "#/components/messageTraits/event"}],
        "headers": {"properties": {"ce_type": {"const": name}, **said}},
        "payload": {"$ref": _REF.format(name=schema)},
    }


def _control(name: str) -> dict[str, Any]:
    did = "owns the shard from here on" if name == CLAIMED else "gave the shard up"
    return {
        "summary": f"Control record: a node {did}.",
        "traits": [{"$ref": "#/components/messageTraits/control"}],
        "headers": {"properties": {"ce_type": {"const": name}}},
        "payload": {"$ref": _REF.format(name="Tenure")},
    }


def _note() -> dict[str, Any]:
    return {
        "summary": "Any other control record: what nodes tell each other. These types change from version to version.",
        "traits": [{"$ref": "#/components/messageTraits/control"}],
        "headers": {"properties": {"ce_type": {"type": "string", "pattern": r"^shard\."}}},
        "payload": {},
    }


def _traits() -> dict[str, Any]:
    """What the records of events have in common, and the control records."""
    stream, shard = {"type": "string", "format": "uuid"}, {"type": "string", "pattern": "^shard-[0-9]{1,2}$"}
    event = {
        "ce_id": {"type": "string", "pattern": f"^{_UUID}:[1-9][0-9]*$"},
        "ce_subject": stream,
        "ce_tenant": {"type": "string", "description": "The tenant's slug."},
        "ce_sequence": {"type": "string", "pattern": _WHOLE},
        "epoch": {"type": "string", "pattern": _WHOLE, "description": "The term of the shard's owner that wrote it."},
    }
    until = {
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$",
        "description": "Unix seconds until which the stream may go on; without it, until further notice.",
    }
    control = {"ce_id": {"type": "string"}, "ce_subject": shard}
    return {"event": _trait(event, {"liveuntil": until}, stream), "control": _trait(control, {}, shard)}


def _trait(own: Mapping[str, Any], optional: Mapping[str, Any], key: Mapping[str, Any]) -> dict[str, Any]:
    required = {
        "ce_specversion": {"const": "1.0"},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string", "pattern": "^/switchlog/"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
        **own,
    }
    return {
        "contentType": "application/json",
        "headers": {"type": "object", "required": list(required), "properties": {**required, **optional}},
        "bindings": {"kafka": {"key": dict(key), "bindingVersion": "0.5.0"}},
    }


def _schemas() -> tuple[dict[str, Any], dict[str, str]]:
    """The schemas by name, and the name of each event type's: events are named by their type, values by their class."""
    kinds = list(dict.fromkeys(EVENTS.values()))
    found, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    names = {ref["$ref"].rpartition("/")[2]: kind for ref, kind in zip(found, kinds, strict=True)}
    for name, fields in _times(kinds):
        for field in fields:
            _say_time(components[name]["properties"][field])
    schemas: dict[str, Any] = {}
    for name, schema in components.items():
        kind = names.get(name)
        schemas[names_of(kind)[0] if kind else name] = schema
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
        if kind:
            schema["title"], schema["description"] = names_of(kind)[0], " ".join(text(kind).split())
            schema["properties"]["originator_version"]["minimum"] = 1
    return dict(sorted(schemas.items())), {name: names_of(kind)[0] for name, kind in EVENTS.items()}


def _times(kinds: list[type[Event]]) -> Iterator[tuple[str, list[str]]]:
    """Each class that has times, by its name among the components, with the fields that are."""
    seen: dict[type[Any], inspect.Type] = {}
    for it in inspect.multi_type_info(kinds):
        _collect(it, seen)
    by_class = {cls: ref["$ref"].rpartition("/")[2] for cls, ref in zip(seen, _refs(tuple(seen)), strict=True)}
    for cls, it in seen.items():
        fields = [field.encode_name for field in it.fields if _is_time(field.type)]  # type: ignore[attr-defined]
        if fields:
            yield by_class[cls], fields


@cache
def _refs(classes: tuple[type[Any], ...]) -> tuple[dict[str, Any], ...]:
    found, _ = msgspec.json.schema_components(classes, ref_template=_REF)
    return found


def _collect(it: inspect.Type, seen: dict[type[Any], inspect.Type]) -> None:
    match it:
        case inspect.DataclassType(cls, fields) | inspect.StructType(cls, fields):
            if cls not in seen:
                seen[cls] = it
                for field in fields:
                    _collect(field.type, seen)
        case inspect.UnionType(types):
            for one in types:
                _collect(one, seen)
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType() | inspect.FrozenSetType():
            _collect(it.item_type, seen)
        case inspect.DictType():
            _collect(it.value_type, seen)
        case _:
            pass


def _is_time(it: inspect.Type) -> bool:
    return isinstance(it, inspect.DateTimeType) or (isinstance(it, inspect.UnionType) and any(map(_is_time, it.types)))


def _say_time(schema: dict[str, Any]) -> None:
    for one in schema.get("anyOf", [schema]):
        if one.get("type") == "string":
            one["format"] = "date-time"


def _version() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


class _Plain(yaml.SafeDumper):
    """Long texts as blocks, and nothing by reference: people read it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Plain.add_representer(
    str,
    lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None),
)


def main() -> None:
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(as_text(document()))


if __name__ == "__main__":
    main()
