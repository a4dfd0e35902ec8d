"""Flow tokens (RFC 5626 section 5.2): a flow of one node, written so that others can name it and nobody can forge it.

What may live here: their text. Stateless: what a token says is the flow itself, so a node that was started anew knows
the flows of before, and whether their connections are still there.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b
from hmac import compare_digest

from adapters.sip.message.memo import Memo
from adapters.sip.message.text import to_wire
from domain.values import Flow

_MAC_BYTES = 8
_KEPT = 16_384


class FlowTokens:
    """Writes and reads them with the secret that all nodes of a cluster share."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = blake2b(key=secret[:64], digest_size=_MAC_BYTES)
        self._written: dict[Flow, str] = {}
        self._read: Memo[Flow] = Memo(_KEPT)

    def write(self, flow: Flow) -> str:
        """`<node>.<flow>.<mac>`: fit for the user part of a URI and for a parameter of a Via."""
        known = self._written.get(flow)
        if known is not None:
            return known
        plain = f"{flow.transport} {flow.local} {flow.remote} {flow.connection}"
        named = f"{flow.node}.{urlsafe_b64encode(plain.encode()).decode().rstrip('=')}"
        if len(self._written) >= _KEPT:
            self._written.clear()
        token = self._written[flow] = f"{named}.{self._mac(named)}"
        return token

    def read(self, token: str) -> Flow | None:
        """The flow that a token of this cluster names; None for any other text."""
        known = self._read.get(token)
        if known is not None:
            return known
        named, _, mac = token.rpartition(".")
        if not compare_digest(to_wire(mac), self._mac(named).encode()):
            return None
        node, _, written = named.rpartition(".")
        try:
            plain = urlsafe_b64decode(f"{written}{'=' * (-len(written) % 4)}").decode()
            transport, local, remote, connection = plain.split(" ")
            return self._read.put(token, Flow(transport, local, remote, int(connection), node))
        except (Error, ValueError):  # a token of another version
            return None

    def _mac(self, named: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(to_wire(f"flow {named}"))
        return keyed.hexdigest()
