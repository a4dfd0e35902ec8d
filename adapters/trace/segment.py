"""Messages on disk: frames in segment files that are named by the time of their first message.

What may live here: the format of a frame, and reading segments back. A frame is a fixed head, two addresses and the
message; a torn last frame, from a crash, ends its segment. Nothing is ever changed in place.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import zip_longest
from pathlib import Path

from adapters.trace.message import Seen, call_id_of

SUFFIX = ".sip"
_HEAD = struct.Struct("<QQBBHHI")
"""Microseconds, hash of the Call-ID, direction, transport, lengths of both addresses and of the message."""
_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
_OTHER = len(_TRANSPORTS)


def key_of(call_id: bytes) -> int:
    """What a frame is found by."""
    return int.from_bytes(blake2b(call_id, digest_size=8).digest(), "little")


def frame(seen: Seen) -> bytes:
    """The message as stored."""
    local, remote = seen.local.encode(), seen.remote.encode()
    transport = _TRANSPORTS.index(seen.transport) if seen.transport in _TRANSPORTS else _OTHER
    key = key_of(call_id_of(seen.data))
    head = _HEAD.pack(seen.at_us, key, seen.outbound, transport, len(local), len(remote), len(seen.data))
    return b"".join((head, local, remote, seen.data))


def name_of(at_us: int) -> str:
    """The file's name; names sort by time."""
    return f"{at_us:020d}{SUFFIX}"


def segments(folder: Path) -> list[Path]:
    """All segments, oldest first; none if there is no folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def find(folder: Path, call_ids: Collection[str], since_us: int, until_us: int) -> Iterator[Seen]:
    """The messages with one of the Call-IDs seen in [since, until], oldest first. Blocks."""
    keys = {key_of(call_id.encode()) for call_id in call_ids}
    wanted = {call_id.encode() for call_id in call_ids}
    paths = segments(folder)
    for path, following in zip_longest(paths, paths[1:]):
        ends_before = following is not None and int(following.stem) < since_us
        if ends_before or int(path.stem) > until_us:
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # the oldest one was dropped meanwhile
            continue
        for seen in _frames(data, keys):
            if since_us <= seen.at_us <= until_us and call_id_of(seen.data) in wanted:
                yield seen


def _frames(data: bytes, keys: Collection[int]) -> Iterator[Seen]:
    position, size = 0, len(data)
    while position + _HEAD.size <= size:
        at_us, key, outbound, transport, local, remote, length = _HEAD.unpack_from(data, position)
        start = position + _HEAD.size
        position = start + local + remote + length
        if position > size:
            return
        if key in keys:
            name = _TRANSPORTS[transport] if transport < _OTHER else "other"
            middle = start + local
            here, there = data[start:middle].decode(), data[middle : middle + remote].decode()
            yield Seen(at_us, bool(outbound), name, here, there, data[middle + remote : position])
