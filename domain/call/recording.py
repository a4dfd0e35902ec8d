"""Recordings of a call: what it keeps of those whose files are not in the storage yet. Values only."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class Recording(msgspec.Struct, frozen=True):
    """A recording that has begun; its sides are the caller's and the other party's, in this order.

    While it is `masked` its file has silence; while it is `paused`, nothing. Once it is `over` nothing is added to it.
    """

    id: str
    layout: str
    began_at: datetime
    keep_days: int = 0
    """how long its file is kept; 0 for ever"""
    notice: str = ""
    """in which language the parties are being told of it; empty: they need not be, or have been"""
    masked: bool = False
    paused: bool = False
    over: bool = False


class Kept(msgspec.Struct, frozen=True):
    """A file in the storage by its `name` there: SHA-256 of its WAV as it is served, how long that is, how large the
    file. There is none, and nothing but a `reason`, if nothing could be recorded; a reason with a file is why it ended
    before it was to."""

    name: str = ""
    sha256: str = ""
    duration_ms: int = 0
    stored_bytes: int = 0
    reason: str = ""


def recording_id(call: UUID, number: int) -> str:
    """The name of a call's recording, from 1 on: no other one anywhere has it."""
    return f"{call}-{number}"


def call_of_recording(recording: str) -> UUID:
    """The call that was recorded. Raises ValueError for what is no name of a recording."""
    call, _, number = recording.rpartition("-")
    if not (number.isascii() and number.isdecimal() and len(number) < 6):
        raise ValueError(f"{recording[:80]!r} is no recording")
    return UUID(call)
