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
    ringing_at: float = 0.0
    answered_at: float = 0.0
    ended_at: float = 0.0
    """the BYE sent or received by the caller, or its final response"""
    status: int = 0
    """of the INVITE; 0 while there is none"""
    bye_status: int = 0
    refused: str = ""
    """something that must not happen, in words"""
    offers: set[tuple[str, str]] = field(default_factory=set)
    """(Call-ID, branch) of every INVITE that the callee saw for this call"""

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
