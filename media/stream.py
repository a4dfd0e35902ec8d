"""One leg's stream: what it is to be, where it comes from, and the packets of it that are not as all others.

What may live here: decisions about one packet. The usual ones, nearly all, pass by in arrays (`media.inbound`).
"""

from __future__ import annotations

from media import g711
from media.codec import law
from media.rtp import Packet
from media.wire import Codec, Leg

_CONSECUTIVE = 2
"""packets in order that make a new source believed (RFC 3550 appendix A.1, MIN_SEQUENTIAL)"""


class UnfitLegError(ValueError):
    """The leg cannot be as it was put; whoever put it has to ask for something else."""


class Stream:
    """A leg of a context, at a row of all arrays."""

    def __init__(self, leg: Leg, row: int, context: str) -> None:
        """Raises UnfitLegError."""
        self.row = row
        self.context = context
        self.pointed = False
        self.apply(leg)
        self._candidate = (-1, -1, 0)
        """SSRC that may become the one that is heard, its next sequence number, how many came"""

    def apply(self, leg: Leg) -> None:
        """The leg shall be so from now on. Raises UnfitLegError, and leaves it as it was."""
        if not leg.codecs:
            raise UnfitLegError(f"leg {leg.id} has no codec")
        ours = law(leg.codecs[0])
        if ours is None:
            raise UnfitLegError(f"leg {leg.id}: {leg.codecs[0].name} is not spoken here")
        self.leg = leg
        self.law: g711.Law = ours
        """of what we send"""
        self.laws = {codec.payload_type: found for codec in leg.codecs if (found := law(codec)) is not None}

    def codec(self, payload_type: int) -> Codec | None:
        """The codec of packets of this type, if they may come."""
        return next((codec for codec in self.leg.codecs if codec.payload_type == payload_type), None)

    def believes(self, packet: Packet, heard: int, idle: bool) -> bool:
        """Whether a packet is of the source that is to be heard, which is `heard` by now, -1 before the first."""
        if packet.ssrc == heard or heard < 0 or idle:
            return True
        source, following, count = self._candidate
        consecutive = count + 1 if (source, following) == (packet.ssrc, packet.sequence) else 1
        self._candidate = (packet.ssrc, (packet.sequence + 1) & 0xFFFF, consecutive)
        return consecutive >= _CONSECUTIVE
