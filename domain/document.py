"""Reads a YAML or JSON text into nodes that know their line and field, with typed getters that say what is wrong.

What may live here: nothing that knows a particular key. Aliases are refused and depth is bounded, so that a short text
cannot grow into a large one; a key that is written twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

import yaml

from domain.refusal import Refusal

MAX_DEPTH = 32
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "a truth value", "null": "nothing"}


class Item:
    """One value of the document. `field` is its path, `line` counts from 1."""

    def __init__(self, node: yaml.Node, source: str, field: str) -> None:
        self._node = node
        self.source = source
        self.field = field
        self.line = node.start_mark.line + 1

    def refuse(self, detail: str) -> NoReturn:
        """Raise Refusal(`invalid`) that names this place."""
        raise Refusal("invalid", detail, source=self.source, line=self.line, field=self.field)

    def text(self) -> str:
        """Raises Refusal unless it is a text that is not empty."""
        kind = self._kind()
        if kind == "a number":
            self.refuse(f'must be text: write it in quotes, "{self._node.value}"')
        if kind != "text":
            self.refuse(f"must be text, not {kind}")
        value = str(self._node.value)
        if not value.strip():
            self.refuse("must not be empty")
        return value

    @property
    def is_nothing(self) -> bool:
        """Whether it is written as `null`, or not at all."""
        return self._kind() == "nothing"

    @property
    def is_true(self) -> bool:
        """Whether it is written as `true`."""
        return self._node.tag.rpartition(":")[2] == "bool" and str(self._node.value).lower() == "true"

    def whole(self, least: int, most: int) -> int:
        """Raises Refusal unless it is a whole number from `least` to `most`."""
        tag = self._node.tag.rpartition(":")[2]
        if not isinstance(self._node, yaml.ScalarNode) or tag != "int" or not self._node.value.isdecimal():
            self.refuse(f"must be a whole number from {least} to {most}, not {self._shown()}")
        value = int(self._node.value)
        if not least <= value <= most:
            self.refuse(f"must be from {least} to {most}, not {value}")
        return value

    def truth(self) -> bool:
        """Raises Refusal unless it is `true` or `false`."""
        if self._kind() != "a truth value":
            self.refuse(f"must be true or false, not {self._shown()}")
        return str(self._node.value).lower() in ("true", "yes", "on")

    def items(self) -> list[Item]:
        """Raises Refusal unless it is a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            self.refuse(f"must be a list, not {self._shown()}")
        return [Item(node, self.source, f"{self.field}[{at}]") for at, node in enumerate(self._node.value)]

    def mapping(self, known: frozenset[str] | None = None) -> Mapping:
        """Raises Refusal unless it is a mapping without doubled keys, all of them in `known` if that is given."""
        if not isinstance(self._node, yaml.MappingNode):
            self.refuse(f"must be a mapping of names to values, not {self._shown()}")
        found: dict[str, Item] = {}
        for key_node, value_node in self._node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            place = Item(key_node, self.source, f"{self.field}.{key}" if self.field else key)
            if known is not None and key not in known:
                place.refuse(f"unknown key: known here are {', '.join(sorted(known))}")
            if key in found:
                place.refuse(f"doubled key: it is already in line {found[key].line}")
            found[key] = Item(value_node, self.source, place.field)
        return Mapping(self, found)

    def _kind(self) -> str:
        if isinstance(self._node, yaml.ScalarNode):
            return _KINDS.get(self._node.tag.rpartition(":")[2], "a date or another type: write it in quotes")
        return "a list" if isinstance(self._node, yaml.SequenceNode) else "a mapping"

    def _shown(self) -> str:
        kind = self._kind()
        return f"{kind} ({self._node.value[:40]!r})" if isinstance(self._node, yaml.ScalarNode) else kind


class Mapping:
    """The named values of a mapping."""

    def __init__(self, place: Item, found: dict[str, Item]) -> None:
        self.place = place
        self._found = found

    def get(self, key: str) -> Item | None:
        return self._found.get(key)

    def need(self, key: str) -> Item:
        """Raises Refusal if it is missing."""
        item = self._found.get(key)
        if item is None:
            place = self.place
            field = f"{place.field}.{key}" if place.field else key
            raise Refusal("invalid", "is missing", source=place.source, line=place.line, field=field)
        return item

    def __iter__(self) -> Iterator[tuple[str, Item]]:
        return iter(self._found.items())


def read(text: str, source: str) -> Item:
    """The document's root. Raises Refusal(`invalid`) for what is neither YAML nor JSON."""
    text = _SURROGATES.sub(_join_surrogates, text)
    try:
        _check_shape(text, source)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        detail = f"not YAML or JSON: {error.problem or error.context or 'unreadable'}"
        raise Refusal("invalid", detail, source=source, line=line) from None
    except yaml.YAMLError as error:
        raise Refusal("invalid", f"not YAML or JSON: {str(error).splitlines()[0]}", source=source) from None
    if node is None:
        raise Refusal("invalid", "the document is empty", source=source, line=1)
    return Item(node, source, "")


def _check_shape(text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.AliasEvent):
            raise Refusal("invalid", "aliases (*name) are not taken here: write it out", source=source, line=line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Refusal("invalid", f"nested deeper than {MAX_DEPTH} levels", source=source, line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _join_surrogates(match: re.Match[str]) -> str:
    """JSON writes characters beyond 16 bits as two escapes; YAML as one."""
    high, low = int(match[1], 16), int(match[2], 16)
    return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"
