"""Media that go through us: what a call keeps of that, and what follows for what its phones are told. Values only."""

from __future__ import annotations

from datetime import datetime

import msgspec

WAIT_S = 5
"""How long a call waits for media of our own: a worker that died is there again much sooner."""


class RelayPlace(msgspec.Struct, frozen=True):
    """Where our ends are: the ports for RTP towards the caller and towards whoever is called.

    `secret` is sealed; all keys of the call's media are derived from it.
    """

    caller_port: int
    callee_port: int
    secret: str


class Relay(msgspec.Struct, frozen=True):
    """`why` the media go through us (`recording`, `encryption`, `asked`); there is no `place` before they can.

    `encrypted` says whether phones that are called are offered SRTP; None: as the caller offers it.
    """

    why: str
    encrypted: bool | None
    since: datetime
    place: RelayPlace | None = None
