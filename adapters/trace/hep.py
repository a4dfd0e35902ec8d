"""HEP version 3 (the Homer encapsulation protocol): a SIP message as a datagram for a collector.

Source: the HEP3 specification of the SIPCAPTURE project, chunks of vendor 0. Pure: bytes in, bytes out.
"""

from __future__ import annotations

import ipaddress
import struct

from adapters.trace.message import Seen, call_id_of

_MAGIC = b"HEP3"
_SIP = 1
_UDP, _TCP = 17, 6
_CHUNK = struct.Struct("!HHH")


def encapsulate(seen: Seen, capture_id: int) -> bytes:
    """The HEP3 packet; `capture_id` names us at the collector (32 bits). Raises ValueError for an unusable address."""
    local, remote = _split(seen.local), _split(seen.remote)
    source, target = (local, remote) if seen.outbound else (remote, local)
    family, first = (2, 3) if source[0].version == 4 else (10, 5)
    if source[0].version != target[0].version:
        raise ValueError(f"{seen.local} and {seen.remote} are of different families")
    seconds, micros = divmod(seen.at_us, 1_000_000)
    chunks = [
        _chunk(1, struct.pack("!B", family)),
        _chunk(2, struct.pack("!B", _UDP if seen.transport == "udp" else _TCP)),
        _chunk(first, source[0].packed),
        _chunk(first + 1, target[0].packed),
        _chunk(7, struct.pack("!H", source[1])),
        _chunk(8, struct.pack("!H", target[1])),
        _chunk(9, struct.pack("!I", seconds)),
        _chunk(10, struct.pack("!I", micros)),
        _chunk(11, struct.pack("!B", _SIP)),
        _chunk(12, struct.pack("!I", capture_id)),
        _chunk(15, seen.data),
        _chunk(17, call_id_of(seen.data)),
    ]
    body = b"".join(chunks)
    return _MAGIC + struct.pack("!H", len(_MAGIC) + 2 + len(body)) + body


def _chunk(kind: int, payload: bytes) -> bytes:
    return _CHUNK.pack(0, kind, _CHUNK.size + len(payload)) + payload


def _split(address: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    host, _, port = address.rpartition(":")
    return ipaddress.ip_address(host.strip("[]")), int(port)
