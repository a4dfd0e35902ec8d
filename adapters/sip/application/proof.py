"""Who sent a request: the device that proves itself by one of its credentials, or challenges for who did not.

What may live here: the question to the challenger, and what its verdict means to the budgets of sources.
"""

from __future__ import annotations

from typing import NamedTuple

from adapters.sip.application.parts import Parts
from adapters.sip.digest.challenge import Asked, Refused, Stale, Verified
from adapters.sip.digest.nonce import Use
from adapters.sip.gate.gate import Failing
from adapters.sip.message.message import Request
from domain.values import Flow

_CREDENTIALS = 4
"""Authorization values of one request that are looked at: each costs a digest."""


class Proved(NamedTuple):
    """The device, and what to give back if the journal does not take its request."""

    device: str
    use: Use


class Unproved(NamedTuple):
    """WWW-Authenticate values, the preferred one first."""

    challenges: list[str]


def prove(parts: Parts, request: Request, flow: Flow, tenant: str, domain: str, at: float) -> Proved | Unproved:
    """Nothing is journaled. `at` is Unix seconds."""
    asked = Asked(request.method, request.uri, flow.remote.rpartition(":")[0])
    stale = wrong = False
    for value in request.get_all("Authorization")[:_CREDENTIALS]:
        verdict = parts.challenger.check(
            value,
            asked,
            lambda username, realm, algorithm: parts.credentials.ha1(tenant, username, realm, algorithm),
            at,
        )
        if isinstance(verdict, Verified) and verdict.realm == domain:
            parts.witness.proved(flow, tenant, verdict.username)
            return Proved(verdict.username, verdict.use)
        stale = stale or isinstance(verdict, Stale)
        wrong = wrong or isinstance(verdict, Refused)
    if wrong and not stale:
        parts.witness.failed(flow, Failing.WRONG_PASSWORD, tenant)
    return Unproved(parts.challenger.challenges(domain, asked.source, at, stale))
