"""Cursors: how they compare, and a cursor as one word that others keep and hand back without knowing what is in it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from domain.ports import PARTITION, Cursor

_decode = msgspec.msgpack.Decoder(dict[str, int]).decode
_MOST = 2**63 - 1
_DIGITS = 19


def least(cursors: Sequence[Cursor]) -> Cursor:
    """The place that none of `cursors` is before."""
    partitions = set[str]().union(*cursors)
    return {partition: min(cursor.get(partition, 0) for cursor in cursors) for partition in sorted(partitions)}


def covers(cursor: Cursor, other: Cursor) -> bool:
    """Has `cursor` seen everything that `other` has?"""
    return all(cursor.get(partition, 0) >= position for partition, position in other.items())


def lag(cursor: Cursor, end: Cursor) -> int:
    """How many positions are between; some of them may hold no record."""
    return sum(max(position - cursor.get(partition, 0), 0) for partition, position in end.items())


def cursor_word(cursor: Cursor) -> str:
    """base64url, without padding, of a msgpack map; the same cursor is always the same word."""
    places = {partition: position for partition, position in sorted(cursor.items()) if position}
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(places)).decode().rstrip("=")


def read_cursor(word: str) -> Cursor:
    """What `cursor_word` made `word` of; a bare number is a position in a journal of one partition.

    No word is both: that of a map has a letter at its first or second place. Raises ValueError.
    """
    if word.isascii() and word.isdigit() and len(word) <= _DIGITS:
        places = {PARTITION: int(word)} if int(word) else {}
    else:
        try:
            places = _decode(base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise ValueError("not a place in a journal") from None
    if not all(0 <= position <= _MOST for position in places.values()):
        raise ValueError("not a place in a journal")
    return places
