"""A 503 made from the bytes of a request: no parsing, no transaction, no state (RFC 3261 21.5.4), and RFC 7339's words.

What may live here: copying what a response must copy (8.2.6.2), and the `oc` parameters in a Via.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from adapters.sip.message.via import split_host_port

_COPIED = re.compile(rb"\r\n(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE)
_LONG = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}
_NEEDED = {b"via", b"from", b"to", b"call-id", b"cseq"}
_TO = re.compile(rb"\r\n(?:to|t)[ \t]*:", re.IGNORECASE)
_RPORT = re.compile(rb";[ \t]*rport[ \t]*(?=[;,\r]|$)", re.IGNORECASE)
_VIA = re.compile(rb"\n(?:via|v)[ \t]*:[^\r\n,]*", re.IGNORECASE)
_OFFERS = re.compile(rb";[ \t]*oc[ \t]*(?=[;,\r\s]|$)", re.IGNORECASE)
_ALGORITHMS = re.compile(rb";[ \t]*oc-algo[ \t]*=[ \t]*\"([^\"]*)\"", re.IGNORECASE)
_LARGEST = 8192
VALIDITY_MS = 1000


def refusal(data: bytes, remote: str, retry_after_s: int) -> bytes | None:
    """503 with Retry-After to a request from `remote`; None where even the copied headers cannot be found.

    Never longer than the request by more than a few lines, so that a forged sender gains nothing by it.
    """
    head = data[: max(data.find(b"\r\n\r\n"), 0)][:_LARGEST]
    found = list(_COPIED.finditer(head))
    if {_LONG.get(name := one[1].lower(), name) for one in found} != _NEEDED:
        return None
    lines = [one[0] for one in found]
    top = next((number for number, line in enumerate(lines) if line[2:3] in b"vV"), 0)
    lines[top] = _stamped(lines[top], remote)
    tag = b";tag=" + blake2b(data, digest_size=6).hexdigest().encode()
    copied = b"".join(line + tag if _untagged_to(line) else line for line in lines)
    end = b"\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n" % retry_after_s
    return b"SIP/2.0 503 Service Unavailable" + copied + end


def with_overload(data: bytes, refused_percent: int, sequence: str) -> bytes:
    """The request as the rest is to see it: if its sender takes part in RFC 7339 by the loss algorithm, its top Via
    carries our answer from here on, and so does every response that copies it."""
    found = _VIA.search(data, 0, _LARGEST)
    if found is None or not _OFFERS.search(found[0]):
        return data
    algorithms = _ALGORITHMS.search(found[0])
    if algorithms and b"loss" not in algorithms[1]:
        return data
    via = _ALGORITHMS.sub(b"", found[0])
    words = b';oc=%d;oc-algo="loss";oc-validity=%d;oc-seq=%s' % (refused_percent, VALIDITY_MS, sequence.encode())
    return data[: found.start()] + _OFFERS.sub(words, via, count=1) + data[found.end() :]


def _untagged_to(line: bytes) -> bool:
    return _TO.match(line) is not None and b"tag=" not in line.lower()


def _stamped(via: bytes, remote: str) -> bytes:
    host, port = split_host_port(remote)
    return _RPORT.sub(b";received=%s;rport=%d" % (host.encode(), port), via, count=1)
