"""The branches of nodes that pass a message on without any state (RFC 3261 section 16.11).

What may live here: their text. A repetition gets the same branch again, an ACK or CANCEL that of its INVITE; and a
branch says which node the answer goes back to. Those on the link are of another kind than those that phones see: what
a phone has seen, it may write.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest

from adapters.sip.message.text import to_wire

_BYTES = 8


class Hops:
    """Makes and checks branches of one kind with the secret that all nodes of a cluster share."""

    def __init__(self, secret: bytes, kind: str) -> None:
        self._keyed = blake2b(key=secret[:64], digest_size=_BYTES)
        self._start = f"z9hG4bK.{kind}."

    def branch(self, inner: str, back: str) -> str:
        """For a message whose top Via has the branch `inner`; answers go back to the node `back`."""
        name = self._hash(inner)
        return f"{self._start}{name}.{back}.{self._hash(f'{name} {back}')}"

    def back(self, branch: str) -> str | None:
        """Where the answer to such a branch goes; None for any other branch."""
        if not branch.startswith(self._start):
            return None
        named, _, mac = branch.rpartition(".")
        name, _, back = named[len(self._start) :].partition(".")
        return back if compare_digest(to_wire(mac), self._hash(f"{name} {back}").encode()) else None

    def _hash(self, text: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(to_wire(f"{self._start} {text}"))
        return keyed.hexdigest()
