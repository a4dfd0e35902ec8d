"""Identifiers: 64 shards, stream ids that carry their shard, leg ids that carry their call.

Everything here is a pure function; chance and time come in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

SHARDS = 64
"""Shards of calls and registrations: the unit of ownership, fencing and take-over."""
CONFIG_SHARD = 64
"""The one shard of configuration (in Kafka the one partition of its topic)."""

_RANDOM_BITS = 62


class Part(NamedTuple):
    """Of all shards those whose number leaves `number` when it is divided by `of`."""

    number: int = 0
    of: int = 1

    def holds(self, shard: int) -> bool:
        return shard % self.of == self.number


WHOLE = Part()


def _hash64(*names: str) -> int:
    return int.from_bytes(blake2b("\x00".join(names).encode(), digest_size=8).digest(), "big")


def _uuid8(high48: int, shard: int, low62: int) -> UUID:
    """RFC 9562 UUIDv8: 48 bits, version, 12 bits of shard, variant, 62 bits."""
    return UUID(int=(high48 << 80) | (8 << 76) | (shard << 64) | (2 << 62) | low62)


def new_stream_id(at_ms: int, shard: int, chance: bytes) -> UUID:
    """An id ordered by time: `at_ms` is Unix time in milliseconds, `chance` at least 8 random bytes."""
    low = int.from_bytes(chance[:8], "big") & ((1 << _RANDOM_BITS) - 1)
    return _uuid8(at_ms & ((1 << 48) - 1), shard, low)


def named_stream_id(shard: int, *names: str) -> UUID:
    """The same id for the same names: streams that are found by what they are about."""
    digest = blake2b("\x00".join(names).encode(), digest_size=16).digest()
    low = int.from_bytes(digest[8:], "big") & ((1 << _RANDOM_BITS) - 1)
    return _uuid8(int.from_bytes(digest[:6], "big"), shard, low)


@lru_cache(maxsize=8192)
def text_of(stream: UUID) -> str:
    """`str(stream)`, which each event of a stream says."""
    return str(stream)


def shard_of(stream: UUID) -> int:
    """The shard that owns the stream."""
    return (stream.int >> 64) & 0xFFF


def shard_of_call(sip_call_id: str) -> int:
    """A Call-ID's own shard: the same on every node, so that what cannot be served at one is not taken at two."""
    return _hash64(sip_call_id) % SHARDS


def home_of_call(sip_call_id: str, mine: Callable[[int], bool]) -> int:
    """The shard of a new INVITE at a node to which some shards belong: its Call-ID's own if that does, else another.

    So a node needs no other one to take a call, as long as any shard is `mine`; if none is, it is the Call-ID's own.
    """
    return _home(shard_of_call(sip_call_id), sip_call_id, mine)


def _home(first: int, name: str, mine: Callable[[int], bool]) -> int:
    """`first`, or another one that is `mine` if that is not and any is."""
    if mine(first):
        return first
    some = [shard for shard in range(SHARDS) if mine(shard)]
    return some[_hash64(name) // SHARDS % len(some)] if some else first


@lru_cache(maxsize=8192)
def shard_of_registration(tenant: str, number: str) -> int:
    """The one shard of an address-of-record: one writer for its CSeq, limits and `*`."""
    return _hash64("registration", tenant, number) % SHARDS


def home_of_guard(tenant: str, mine: Callable[[int], bool]) -> int:
    """The shard for what a process counts about a tenant: the same everywhere, or another one that is `mine`."""
    return _home(_hash64("guard", tenant) % SHARDS, tenant, mine)


def registration_id(tenant: str, number: str, opened_at_ms: int, chance: bytes) -> UUID:
    """The stream of an address-of-record's bindings, from the first one (Unix milliseconds) to the end of the last.

    When the next first binding comes, be it in the same millisecond, another stream begins (`chance`: at least 8 random
    bytes): nobody must remember those that are over.
    """
    return new_stream_id(opened_at_ms, shard_of_registration(tenant, number), chance)


@lru_cache(maxsize=8192)
def shard_of_room(tenant: str, number: str) -> int:
    """The one shard of what happens in a room: one writer for who may come in."""
    return _hash64("room", tenant, number) % SHARDS


def conference_id(tenant: str, number: str, opened_at_ms: int, chance: bytes) -> UUID:
    """The stream of one conference in a room, as `registration_id` of a registration."""
    return new_stream_id(opened_at_ms, shard_of_room(tenant, number), chance)


def mailbox_id(tenant: str, number: str, opened_at_ms: int, chance: bytes) -> UUID:
    """The stream of a mailbox from its first message to the end of the last, as `registration_id` of a registration.

    It is where the number's phones are bound, which are told of its messages.
    """
    return new_stream_id(opened_at_ms, shard_of_registration(tenant, number), chance)


def leg_id(call: UUID, index: int) -> str:
    """A leg's id, unique in the world: the call's id in 26 letters of base32 and the leg's number."""
    leg = f"{_letters(call)}{index}"
    if len(_calls) >= _CALLS:
        _calls.clear()
    _calls[leg] = call
    return leg


def call_of_leg(leg: str) -> UUID:
    """The call that a leg id names. Raises ValueError when `leg` is not a leg id."""
    return _calls.get(leg) or _read_leg(leg)


def is_leg_id(text: str) -> bool:
    """Whether it can be one."""
    return len(text) >= 27 and text[26:].isdigit() and text[:26].isascii() and text[:26].isalnum()


_CALLS = 16_384
_calls: dict[str, UUID] = {}
"""Leg ids that were made here: a call asks for its own twenty times."""


@lru_cache(maxsize=8192)
def _read_leg(leg: str) -> UUID:
    if not is_leg_id(leg):
        raise ValueError(f"not a leg id: {leg!r}")
    return UUID(int=int(leg[:26].translate(_DIGITS), 32) >> 2)


_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [high + low for high in _BASE32 for low in _BASE32]
_DIGITS = str.maketrans(
    _BASE32 + _BASE32[:26].upper() + "0189",
    "0123456789abcdefghijklmnopqrstuv" + "0123456789abcdefghijklmnop" + "....",
    "",
)
"""RFC 4648's letters as Python's digits of base 32; what is no letter of its becomes no digit."""


@lru_cache(maxsize=8192)
def _letters(call: UUID) -> str:
    bits = call.int << 2  # 130 bits: 13 pairs of letters
    return "".join([_PAIRS[(bits >> shift) & 1023] for shift in range(120, -1, -10)])
