"""Native blocks made of columns of Python values: what an INSERT sends. No I/O.

A driver's own columns are written for every type and every value; these are for the types of our tables and for values
that fit them, and cost a fraction. The layout is that of ClickHouse's "Native" format, revision 54406 and later.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from adapters.analytics.protocol import string, varint

Values = Sequence[Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US, _SECOND_US = 86_400_000_000, 1_000_000
_LENGTHS = tuple(varint(length) for length in range(4096))
"""How the length of a short string is written."""

_DICTIONARY_VERSION = struct.pack("<Q", 1)
_DICTIONARY_SENT = (1 << 9) | (1 << 10)
"""LowCardinality: the keys follow (HasAdditionalKeys), and belong to this block alone (NeedUpdateDictionary)."""
_INDEX_TYPES = ("B", "H", "I")


class Unsuited(Exception):
    """A column of a type that is not written here; the text names it."""


def encode(columns: Sequence[tuple[str, str]], values: Sequence[Values], *, marked: bool) -> bytes:
    """The block of `columns` (name, type) with `values`, a sequence a column, all of one length.

    `marked` = the peer expects a byte before each column that says how it is serialized (revision 54454 and later).
    Raises Unsuited for a type, ValueError, TypeError or OverflowError for a value that cannot be written.
    """
    rows = len(values[0]) if values else 0
    if len(values) != len(columns) or any(len(column) != rows for column in values):
        raise ValueError("as many columns as names, and all of one length")
    parts = [varint(len(columns)), varint(rows)]
    for (name, kind), column in zip(columns, values, strict=True):
        write = _writer(kind)
        parts += (string(name), string(kind), b"\x00" if marked else b"", write(column))
    return b"".join(parts)


def _writer(kind: str) -> Callable[[Values], bytes]:
    name, _, inner = kind.partition("(")
    if name == "Nullable" and (simple := _SIMPLE.get(_bare(inner[:-1]))):
        write, nothing = simple
        return lambda values: _nullable(values, write, nothing)
    if kind == "LowCardinality(String)":
        return _low_cardinality
    if simple := _SIMPLE.get(_bare(kind)):
        return simple[0]
    raise Unsuited(f"a column of the type {kind}")


def _bare(kind: str) -> str:
    """`DateTime64(6, 'UTC')` without its zone: a zone changes nothing on the wire."""
    return "DateTime64(6)" if kind.startswith("DateTime64(6") else kind


def _strings(values: Values) -> bytes:
    distinct = set(values)
    if 2 * len(distinct) > len(values):
        return b"".join([_string(text) for text in values])
    written = {text: _string(text) for text in distinct}
    return b"".join([written[text] for text in values])


def _string(text: str) -> bytes:
    raw = text.encode()
    length = len(raw)
    return (_LENGTHS[length] if length < len(_LENGTHS) else varint(length)) + raw


def _low_cardinality(values: Values) -> bytes:
    keys = {text: number for number, text in enumerate(dict.fromkeys(values))}
    width = next(number for number in range(len(_INDEX_TYPES)) if len(keys) <= 1 << (8 << number))
    return b"".join(
        (
            _DICTIONARY_VERSION,
            struct.pack("<QQ", width | _DICTIONARY_SENT, len(keys)),
            *(_string(text) for text in keys),
            struct.pack("<Q", len(values)),
            _numbers(_INDEX_TYPES[width], [keys[text] for text in values]),
        )
    )


def _numbers(code: str, values: Values) -> bytes:
    numbers = array(code, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _integers(code: str) -> Callable[[Values], bytes]:
    return lambda values: _numbers(code, values)


def _octets(values: Values) -> bytes:
    return bytes(values)


def _times(values: Values) -> bytes:
    """Microseconds since 1970 UTC."""
    since = [value - _EPOCH for value in values]
    return _numbers("q", [one.days * _DAY_US + one.seconds * _SECOND_US + one.microseconds for one in since])


def _uuids(values: Values) -> bytes:
    """Two little-endian halves, the upper one first."""
    numbers = (value.int if isinstance(value, UUID) else UUID(value).int for value in values)
    halves = array("Q", b"".join([number.to_bytes(16, sys.byteorder) for number in numbers]))
    if sys.byteorder == "little":
        halves[0::2], halves[1::2] = halves[1::2], halves[0::2]
    else:
        halves.byteswap()
    return halves.tobytes()


def _nullable(values: Values, write: Callable[[Values], bytes], nothing: object) -> bytes:
    """Which are null, then all values; in place of a null stands `nothing`."""
    nulls = bytes([value is None for value in values])
    if 1 not in nulls:
        return nulls + write(values)
    if 0 not in nulls:  # as in the columns of what calls mostly have not
        return nulls + write([nothing] * len(values))
    return nulls + write([nothing if value is None else value for value in values])


_SIMPLE: dict[str, tuple[Callable[[Values], bytes], object]] = {
    "String": (_strings, ""),
    "UUID": (_uuids, UUID(int=0)),
    "Bool": (_octets, 0),
    "UInt8": (_octets, 0),
    "UInt16": (_integers("H"), 0),
    "UInt32": (_integers("I"), 0),
    "UInt64": (_integers("Q"), 0),
    "DateTime64(6)": (_times, _EPOCH),
}
"""Type -> how its values are written, and what stands for a null."""
