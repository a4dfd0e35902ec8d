"""One leg's stream: what it is to be, where it comes from, and the decisions about one packet of it.

What may live here: what lasts of one leg and is no array. Most packets pass by in arrays (`media.inbound`).
"""

from __future__ import annotations

from msgspec.structs import replace

from media import g711
from media.codec import law
from media.dtmf import Digit, EventReceiver, EventSender
from media.keypad import Detector
from media.latch import Claim, Latch
from media.pcm import Samples
from media.play import Playback
from media.quality import Watch
from media.rate import UnsupportedCodecError, sample_rate_hz
from media.rtp import Packet
from media.srtp import KeyingError, Srtp
from media.voice import Hearing, Speaking
from media.wire import Codec, Dtls, Leg, Sdes

ARRAY_PTIME_MS = 20
_CONSECUTIVE = 2
"""packets in order that make a new source believed (RFC 3550 appendix A.1, MIN_SEQUENTIAL)"""


class UnfitLegError(ValueError):
    """The leg cannot be as it was put; whoever put it has to ask for something else."""


def check(leg: Leg) -> None:
    """Raises UnfitLegError if a leg cannot be so."""
    if not leg.codecs:
        raise UnfitLegError(f"leg {leg.id} has no codec")
    try:
        for one in leg.codecs:
            sample_rate_hz(one)
        if (keys := keys_of(leg)) is not None:
            Srtp(keys)
    except (UnsupportedCodecError, KeyingError) as error:
        raise UnfitLegError(f"leg {leg.id}: {error}") from error


def keys_of(leg: Leg) -> Sdes | None:
    """The keys that a leg comes with: those of the SDP, or of a handshake that is over."""
    return leg.secure.keys if isinstance(leg.secure, Dtls) else leg.secure


def agreement_of(leg: Leg) -> Sdes | Dtls | None:
    """What was agreed on for a leg's keys: that a handshake is over makes no other one of it."""
    return replace(leg.secure, keys=None) if isinstance(leg.secure, Dtls) else leg.secure


class Stream:
    """A leg of a context, at a row of all arrays. `leg` has been checked."""

    leg: Leg
    law: g711.Law | None
    """of what we send, if all legs of it are encoded at once"""
    events: EventReceiver
    keys: EventSender

    def __init__(self, leg: Leg, row: int, context: str) -> None:
        self.row = row
        self.context = context
        self.rate_hz = g711.SAMPLE_RATE_HZ
        """of the mix that it is in"""
        self.pointed = False
        """whether its socket takes packets from its remote only"""
        self.heard_since_s = 0.0
        """since when it is heard where it is, as long as its socket is not pointed"""
        self.watch = Watch()
        self.hearing: Hearing | None = None
        """of what comes, unless it is G.711"""
        self.speaking: Speaking | None = None
        """of what is sent, unless it is G.711 in packets of 20 ms"""
        self.late_before = 0
        self.plays: dict[str, Playback] = {}
        """what it alone is to hear, in this order, one after the other"""
        self.partner: Stream | None = None
        """the leg that gets its digits, of two that only hear each other, where packets do not pass as they are"""
        self.pressed: list[Digit] = []
        """digits in its sound that were not told yet"""
        self._detector: Detector | None = None
        self._clock_rate_hz = 0
        self._candidate = (-1, -1, 0)
        """SSRC that may become the one that is heard, its next sequence number, how many came"""
        self.latch = Latch(leg.remote, leg.fixed)
        keys = keys_of(leg)
        self.srtp = Srtp(keys) if keys is not None else None
        """None for a leg in the clear, and for one that is to have keys and has none yet"""
        self.apply(leg)

    def apply(self, leg: Leg) -> None:
        """The leg shall be so from now on. Its latch and its SRTP are others' to change."""
        clock_rate_hz = leg.codecs[0].clock_rate_hz
        if clock_rate_hz != self._clock_rate_hz:
            self.events, self.keys = EventReceiver(clock_rate_hz), EventSender(clock_rate_hz)
            self._clock_rate_hz = clock_rate_hz
        self.leg = leg
        self.law = law(leg.codecs[0]) if leg.ptime_ms == ARRAY_PTIME_MS else None
        self.laws = {one.payload_type: found for one in leg.codecs if (found := law(one)) is not None}
        self.tune(self.rate_hz)

    def tune(self, rate_hz: int) -> None:
        """The mix has this rate from now on."""
        if rate_hz != self.rate_hz:
            self.rate_hz, self._detector = rate_hz, None
        self.speaking = None
        if self.law is None:
            self.speaking = Speaking(self.leg.codecs[0], rate_hz, self.leg.ptime_ms)
        if self.hearing is not None:
            self.listen(self.hearing.codec)

    def listen_for_keys(self, frame: Samples) -> None:
        """Find digits in what it says; what was found is in `pressed`."""
        if self._detector is None:
            self._detector = Detector(self.rate_hz)
        self.pressed += self._detector.detect(frame)

    def relatch(self) -> None:
        """Find out anew where its packets come from."""
        self.latch = Latch(self.leg.remote, self.leg.fixed)

    def play(self) -> Samples | None:
        """The next 20 ms of what it alone hears; None if that is nothing."""
        playback = next((one for one in self.plays.values() if not one.done), None)
        return None if playback is None else playback.frame()

    def codec(self, payload_type: int) -> Codec | None:
        """The codec of packets of this type, if they may come."""
        return next((one for one in self.leg.codecs if one.payload_type == payload_type), None)

    def listen(self, codec: Codec | None) -> None:
        """What comes from now on is of this codec; None of what is not decoded here, G.711 and nothing at all."""
        if self.hearing is not None:
            self.late_before += self.hearing.late
        self.hearing = None if codec is None else Hearing(codec, self.rate_hz)

    @property
    def is_settled(self) -> bool:
        """Whether it is known where its packets come from, and ours go there."""
        claim = self.latch.claim
        return claim > Claim.NONE and not (self.leg.fixed and claim < Claim.SIGNALLED)

    @property
    def late(self) -> int:
        """Packets that came too late, of those that are no G.711."""
        return self.late_before + (self.hearing.late if self.hearing is not None else 0)

    def believes(self, packet: Packet, heard: int, idle: bool) -> bool:
        """Whether a packet is of the source that is to be heard, which is `heard` by now, -1 before the first."""
        if packet.ssrc == heard or heard < 0 or idle:
            return True
        source, following, count = self._candidate
        consecutive = count + 1 if (source, following) == (packet.ssrc, packet.sequence) else 1
        self._candidate = (packet.ssrc, (packet.sequence + 1) & 0xFFFF, consecutive)
        return consecutive >= _CONSECUTIVE
