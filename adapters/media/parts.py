"""What the media performer is built from.

What may live here: those names. No behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from adapters.media.context import ContextName
from adapters.media.offer import Means
from adapters.media.pool import Pool
from adapters.media.port import Ports
from domain.call.call import Call
from domain.call.input import Input
from domain.values import Cause, Flow
from media.wire import PlayDone, RecordClosed

Happening = PlayDone | RecordClosed


class Attendance(Protocol):
    """Who is told what happens in contexts of a kind. It says by the performer's `arrange` what they are to be."""

    def refuses(self, call: Call) -> Cause | None:
        """Why the call may not come in now, before it is answered; None if it may."""

    def came(self, call: Call, leg: str) -> None:
        """A leg's stream has begun; told again after a restart."""

    def gone(self, name: ContextName, leg: str) -> None:
        """A leg's call is over; told again after a restart."""

    def pressed(self, name: ContextName, leg: str, digit: str) -> None:
        """The party pressed a key."""

    def heard(self, name: ContextName, message: Happening) -> None:
        """Something came to its end there, perhaps after all legs had gone."""


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
