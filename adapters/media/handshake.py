"""The attributes of a DTLS handshake in session descriptions: `a=setup` (RFC 4145, 8842), `a=fingerprint` (RFC 8122).

What may live here: pure functions of texts. Both attributes may stand for the whole session or for a stream; the
stream's win, and whoever calls has looked for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

FINGERPRINTS_LIMIT = 16
"""fingerprints of a stream that are read"""

# The strongest first: of several that stand for the same certificate that one counts (RFC 8122 section 5.1).
_DIGEST_BYTES = {"sha-512": 64, "sha-384": 48, "sha-256": 32, "sha-224": 28, "sha-1": 20}
_HEX = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})*", re.IGNORECASE | re.ASCII)

# Where both are possible we wait: the peer's first datagram opens its NAT, and shows where it is.
_ANSWERS = {"actpass": "passive", "active": "passive", "passive": "active"}
# (ours, theirs) -> whether we begin. Without `a=setup` an offer means active, an answer passive (RFC 4145 section 4).
_ROLES = {
    ("actpass", "active"): False,
    ("actpass", "passive"): True,
    ("actpass", ""): True,
    ("passive", "actpass"): False,
    ("passive", "active"): False,
    ("passive", ""): False,
    ("active", "passive"): True,
    ("active", "actpass"): True,
}


class HandshakeError(ValueError):
    """The peer's attributes make no handshake; the text says why."""


class Handshake(NamedTuple):
    """Who begins, and the certificate that the peer is to show."""

    active: bool
    fingerprint: str


def setup_answer(offered: str, before: str = "") -> str:
    """Our `a=setup` in the answer to an offer with this one, "" for none. Raises HandshakeError.

    `before` is what we said last in this session: where the choice is ours the role stays, or the peer would wait for
    the hello of a handshake that goes on (RFC 8842 section 5.3).
    """
    theirs = offered.strip().lower() or "active"
    ours = _ANSWERS.get(theirs)
    if ours is None:
        raise HandshakeError(f"a=setup:{offered[:20]} makes no connection")
    return before if theirs == "actpass" and before in _ANSWERS.values() else ours


def agree(ours: str, theirs: str, fingerprints: Sequence[str]) -> Handshake:
    """What our `a=setup` and the peer's came to, whoever offered, "" for none. Raises HandshakeError."""
    role = _ROLES.get((ours.strip().lower(), theirs.strip().lower()))
    if role is None:
        raise HandshakeError(f"a=setup:{theirs[:20]} does not go with ours, {ours}")
    return Handshake(role, choose(fingerprints))


def choose(fingerprints: Sequence[str]) -> str:
    """The fingerprint of the strongest hash. Raises HandshakeError if none is known, or one that is is malformed."""
    if not fingerprints:
        raise HandshakeError("there is no a=fingerprint")
    known: dict[str, str] = {}
    for text in fingerprints[:FINGERPRINTS_LIMIT]:
        name, _, value = text.strip().partition(" ")
        name, value = name.lower(), value.strip()
        if name in _DIGEST_BYTES:
            if not _HEX.fullmatch(value) or (len(value) + 1) // 3 != _DIGEST_BYTES[name]:
                raise HandshakeError(f"the a=fingerprint of {name} is malformed")
            known.setdefault(name, value.upper())
    for name in _DIGEST_BYTES:
        if name in known:
            return f"{name} {known[name]}"
    raise HandshakeError(f"no a=fingerprint is of {', '.join(_DIGEST_BYTES)}")
