"""Media that go through us: what a call keeps of that, and what follows for what its phones are told. Values only."""

from __future__ import annotations

from datetime import datetime

import msgspec

WAIT_S = 5
"""How long a call waits for media of our own: a worker that died is there again much sooner."""
DEMAND = "demand"
"""The reason of a call that was to be recorded when its phones heard each other directly."""


class RelayPlace(msgspec.Struct, frozen=True):
    """Where our ends are: the ports for RTP towards the caller and towards whoever is called.

    `secret` is sealed; all keys of the call's media are derived from it. `host` is the address that the caller is told,
    empty in former events.
    """

    caller_port: int
    callee_port: int
    secret: str
    host: str = ""


class Detour(msgspec.Struct, frozen=True):
    """A change of the way of a call's media while it goes on: through us, or to the other phone.

    The phones of `legs` have not taken it yet, the first one is offered it from `due_at` on. `by` wants a recording
    that begins then. It may undo another change. `tries` is how often the next phone has refused so far, `rounds` how
    often one was offered it again, because the other one answered otherwise than before.
    """

    to_us: bool
    legs: tuple[str, ...]
    due_at: datetime
    by: str = ""
    undoes: bool = False
    tries: int = 0
    rounds: int = 0


class Relay(msgspec.Struct, frozen=True):
    """`why` the media go through us (`recording`, `encryption`, `asked`, `codecs`, `demand`); there is no `place`
    before they can. It is `over` when they do so no more.

    `encrypted` says whether phones that are called are offered SRTP; None: as the caller offers it. The phones of the
    legs `direct` are told of the other phone and not of us. `raised` names a leg for each offer that was ours: so often
    the version of what its phone is told is above the other phone's own. Once they are `wide` each phone may speak any
    codec that our media know, whatever the other one speaks.
    """

    why: str
    encrypted: bool | None
    since: datetime
    place: RelayPlace | None = None
    direct: frozenset[str] = frozenset()
    raised: tuple[str, ...] = ()
    over: bool = False
    detour: Detour | None = None
    wide: bool = False
    astray: frozenset[str] = frozenset()
