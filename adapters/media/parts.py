"""What the media performer is built from.

What may live here: those names. No behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from adapters.media.offer import Means
from adapters.media.pool import Pool
from adapters.media.port import Ports
from adapters.media.room import RoomName
from domain.call.call import Call
from domain.call.input import Input
from domain.values import Cause, Flow


class Attendance(Protocol):
    """Who is told what happens in rooms. It says who may be heard there by the performer's `seat`."""

    def refuses(self, room: RoomName) -> Cause | None:
        """Why nobody may come in now, before a call is answered; None if somebody may."""

    def came(self, call: Call, leg: str) -> None:
        """A leg's stream has begun; told again after a restart."""

    def gone(self, room: RoomName, leg: str) -> None:
        """A leg's call is over; told again after a restart."""

    def pressed(self, room: RoomName, leg: str, digit: str) -> None:
        """The party pressed a key."""


class MediaParts(NamedTuple):
    """What the performer is built from."""

    pool: Pool
    ports: Ports
    host: Callable[[Flow], str]
    """at which address the peer of a flow reaches our media"""
    unseal: Callable[[str], str]
    means: Means
    tell: Callable[[UUID, Input], None]
    """let a call decide on what happened"""
    clock: Callable[[], datetime]
