"""What the media performer is built from.

What may live here: those names. No behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from adapters.media.gauge import Gauges
from adapters.media.keyring import Keyring
from adapters.media.pool import Pool
from adapters.media.port import Ports
from adapters.media.secure import Means
from adapters.media.speaker import Speaker
from domain.call.call import Call
from domain.call.input import Input
from domain.values import Flow


class MediaParts(NamedTuple):
    """What the performer is built from."""

    pool: Pool
    ports: Ports
    host: Callable[[Flow], str]
    """at which address the peer of a flow reaches our media"""
    unseal: Callable[[str], str]
    means: Means
    speaker: Speaker
    keyring: Keyring
    find: Callable[[UUID], Call | None]
    """a call of our shards"""
    tell: Callable[[UUID, Input], None]
    """let a call decide on what happened"""
    clock: Callable[[], datetime]
    gauges: Gauges
    """is told which legs leave"""
