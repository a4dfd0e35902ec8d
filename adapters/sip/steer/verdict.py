"""What became of a phone's request, told to the node that it came to: there the gate keeps the budgets of addresses.

The owner of a shard writes it into the Via of the next answer that it sends by the phone's flow. Nothing is told where
there is no answer.

What may live here: those words, and what waits to be said.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections import OrderedDict
from typing import NamedTuple

from adapters.sip.gate.gate import Failing
from adapters.sip.message.header import Via
from domain.values import Flow

_PROVED, _FAILED = "proved", "failed"
_WAITING = 10_000


class Proof(NamedTuple):
    """A device's credentials were right."""

    tenant: str
    device: str


Verdict = Proof | Failing


class Verdicts:
    """Those that wait for an answer by their flow: the last one of each."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Flow, Verdict] = OrderedDict()

    def put(self, flow: Flow, verdict: Verdict) -> None:
        self._waiting[flow] = verdict
        if len(self._waiting) > _WAITING:
            self._waiting.popitem(last=False)

    def take(self, flow: Flow) -> str:
        """What is to be added to the Via of an answer by this flow, once."""
        verdict = self._waiting.pop(flow, None)
        if verdict is None:
            return ""
        if isinstance(verdict, Failing):
            return f";{_FAILED}={verdict.name}"
        written = urlsafe_b64encode("\0".join(verdict).encode()).decode().rstrip("=")
        return f";{_PROVED}={written}"


def verdict_in(via: Via) -> Verdict | None:
    """What a node says in a Via; None for nothing, and for words of another version."""
    failed, written = via.params.get(_FAILED), via.params.get(_PROVED)
    if failed:
        return Failing.__members__.get(failed)
    if not written:
        return None
    try:
        tenant, device = urlsafe_b64decode(f"{written}{'=' * (-len(written) % 4)}").decode().split("\0")
    except (Error, ValueError):
        return None
    return Proof(tenant, device)
