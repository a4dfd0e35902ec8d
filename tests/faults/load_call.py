"""One call as its phones see it: what they want, and what they were told and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Plan(Enum):
    """What the phones of a call want."""

    CALLER_HANGS_UP = "caller hangs up"
    CALLEE_HANGS_UP = "callee hangs up"
    HOLD = "hold, resume, hang up"
    REJECT = "486"
    CANCEL = "cancel"


@dataclass
class Seen:
    """One call as its phones saw it: Unix seconds of the caller's clock, or of the callee's where it says so."""

    token: str
    plan: Plan
    ring_s: float
    talk_s: float
    invited_at: float = 0.0
    trying_at: float = 0.0
    """first provisional response: the server has the call"""
    ringing_at: float = 0.0
    answered_at: float = 0.0
    cancelled_at: float = 0.0
    """when the caller said so"""
    ended_at: float = 0.0
    """the BYE sent or received by the caller, or its final response"""
    settled_at: float = 0.0
    """nothing is asked any more by the caller"""
    callee_answered_at: float = 0.0
    callee_ended_at: float = 0.0
    """the BYE or CANCEL that the callee got, its own BYE, or its refusal"""
    status: int = 0
    """of the INVITE; 0 while there is none"""
    bye_status: int = 0
    refused: str = ""
    """something that must not happen, in words"""
    offers: set[tuple[str, str]] = field(default_factory=set)
    """(Call-ID, branch) of every INVITE that the callee saw for this call"""

    @property
    def taken(self) -> bool:
        """Whether the server ever acknowledged that it has the call; a 503 and silence do not."""
        return bool(self.trying_at or self.answered_at or (self.status and self.status != 503))

    @property
    def over(self) -> bool:
        return bool(self.ended_at)

    @property
    def state(self) -> str:
        """Where the caller stands."""
        if self.over:
            return "over"
        if self.answered_at:
            return "answered"
        return "ringing" if self.ringing_at else "asked"
