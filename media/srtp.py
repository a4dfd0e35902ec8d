"""SRTP of one leg (RFC 3711): packets in the clear to packets on the wire and back, keys that change in mid-call.

What may live here: which key a packet belongs to, and counts of what was refused. The ciphers are libsrtp's. No clock,
no sockets, no chance: keys come with the wire's `Sdes`, wherever they were agreed on (SDP, or a DTLS handshake).

Whoever sends must take a new SSRC, and a first sequence number below 2^15, whenever our key changes and whenever an
`Srtp` is made anew for keys that were in use before (a worker that takes over): the same number under the same key
would give away both packets (RFC 3711 section 9.1), and at every receiver a new source begins with no rollover.
"""

from __future__ import annotations

from collections.abc import Callable

from media.libsrtp import SUITES, Context, Data, Place, Status, Suite
from media.wire import Sdes

SOURCES_LIMIT = 256
"""SSRCs that are heard under one key; none is forgotten, because a source that is not remembered can be replayed"""
OLD_KEY_PACKETS = 250
"""packets under the new key after which the peer's old one is not taken any more: 5 s of them"""

_REPEATED = (Status.REPLAYED, Status.TOO_OLD)

# A source may have wrapped its sequence numbers (every 22 minutes) before we heard it, and no packet says how often.
_ROLLOVERS = 128
_ROLLOVERS_PER_PACKET = 32
_EAGER_SEARCHES = 16
_LAZY_SEARCHES_EVERY = 64


class KeyingError(ValueError):
    """The keys cannot be used: whoever put the context named an unknown suite, or keys of a wrong length."""


class Srtp:
    """What we send under our key, what comes under the peer's. Of one thread; a refused packet is None, and counted."""

    def __init__(self, keys: Sdes) -> None:
        """Raises KeyingError."""
        self.forged = 0
        """packets that no key of this leg made, or of one source too many"""
        self.replayed = 0
        """packets that came before, or too late to tell"""
        self.malformed = 0
        """packets too short, too long or without a header; or of ours, with a number that was used"""
        self._outbound: list[Context] = []
        self._inbound: list[_Inbound] = []
        self.rekey(keys)

    def rekey(self, keys: Sdes) -> None:
        """Take these keys from now on; one that stays, or comes back, goes on where it was.

        The peer's old key is heard until some packets came under the new one: what it sent before it knew of the
        change is still on its way. Raises KeyingError, and leaves all as it was.
        """
        suite = _suite(keys)
        ours = next((one for one in self._outbound if _has(one, suite, keys.local_key)), None)
        theirs = next((one for one in self._inbound if _has(one.context, suite, keys.remote_key)), None)
        ours = ours or Context(suite, keys.local_key, inbound=False)
        theirs = theirs or _Inbound(Context(suite, keys.remote_key, inbound=True))
        theirs.since_rekey = 0
        self._outbound = [ours, *(one for one in self._outbound if one is not ours)][:2]
        # Under a key that was replaced before anything came nothing is on its way; the one before it may be in use yet.
        self._inbound = [theirs, *(one for one in self._inbound if one is not theirs and one.sources)][:2]

    def protect(self, packet: Data) -> bytes | None:
        """What goes on the wire for an RTP packet of ours; None if it is none, or its sequence number was used."""
        wire = self._outbound[0].protect(packet)
        if wire is None:
            self.malformed += 1
        return wire

    def protect_in(self, place: Place, length: int) -> int:
        """As `protect`, of so many bytes, in their place: how many there are then; 0 for none."""
        made = self._outbound[0].protect_in(place, length)
        if not made:
            self.malformed += 1
        return made

    def protect_rtcp(self, packet: Data) -> bytes | None:
        """What goes on the wire for a compound RTCP packet of ours; None if it is none."""
        wire = self._outbound[0].protect_rtcp(packet)
        if wire is None:
            self.malformed += 1
        return wire

    def unprotect(self, packet: Data) -> bytes | None:
        """The RTP packet that the peer sent; None for one that is forged, repeated or malformed."""
        plain = self._inbound[0].rtp(packet)
        return plain if plain is not None and len(self._inbound) == 1 else self._settle(packet, plain, _Inbound.rtp)

    def unprotect_in(self, place: Place, length: int, source: int) -> int:
        """As `unprotect`, of so many bytes with this SSRC, in their place: how many there are then; 0 for none."""
        theirs = self._inbound[0]
        if source == theirs.usual_source and len(self._inbound) == 1:
            made = theirs.context.unprotect_in(place, length)
            if not made:
                self._count(theirs.context.status)
            return made
        plain = self.unprotect(place.view[:length])  # other keys may have to be tried
        if plain is None:
            return 0
        place.view[: len(plain)] = plain
        return len(plain)

    def unprotect_rtcp(self, packet: Data) -> bytes | None:
        """The compound RTCP packet that the peer sent; None for one that is forged, repeated or malformed."""
        plain = self._inbound[0].rtcp(packet)
        return plain if plain is not None and len(self._inbound) == 1 else self._settle(packet, plain, _Inbound.rtcp)

    def _settle(
        self, packet: Data, plain: bytes | None, read: Callable[[_Inbound, Data], bytes | None]
    ) -> bytes | None:
        """What becomes of a packet that the new key refused, or took while the old one is heard yet."""
        new = self._inbound[0]
        if plain is not None:
            new.since_rekey += 1
            if new.since_rekey >= OLD_KEY_PACKETS:
                del self._inbound[1:]
            return plain
        status = new.context.status
        for old in self._inbound[1:]:
            if (plain := read(old, packet)) is not None:
                return plain
            if old.context.status in _REPEATED:
                status = old.context.status
        self._count(status)
        return None

    def _count(self, status: int) -> None:
        if status in _REPEATED:
            self.replayed += 1
        elif status == Status.FORGED:
            self.forged += 1
        else:
            self.malformed += 1


class _Inbound:
    """One key of the peer, and whom it was heard from."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.sources: set[bytes] = set()
        self.since_rekey = 0
        self._rtp_source = b""
        self.usual_source = -1
        """SSRC of the last packet of RTP"""
        self._rtcp_source = b""
        self._failures = 0

    def rtp(self, packet: Data) -> bytes | None:
        source = packet[8:12]
        if source == self._rtp_source:
            return self.context.unprotect(packet)
        source = bytes(source)
        if not self._room_for(source):
            return None
        plain = self.context.unprotect(packet)
        if plain is None and not self._rtp_source and self.context.status == Status.FORGED:
            plain = self._search(packet)
        if plain is not None:
            self._rtp_source, self.usual_source = source, int.from_bytes(source, "big")
            self.sources.add(source)
        return plain

    def rtcp(self, packet: Data) -> bytes | None:
        source = packet[4:8]
        if source == self._rtcp_source:
            return self.context.unprotect_rtcp(packet)
        source = bytes(source)
        if not self._room_for(source):
            return None
        plain = self.context.unprotect_rtcp(packet)
        if plain is not None:
            self._rtcp_source = source
            self.sources.add(source)
        return plain

    def _room_for(self, source: bytes) -> bool:
        if len(self.sources) < SOURCES_LIMIT or source in self.sources:
            return True
        self.context.status = Status.FORGED
        return False

    def _search(self, packet: Data) -> bytes | None:
        """Read the first packet of a source that has wrapped its numbers: some counts at a time, seldom if in vain.

        What a stranger sends before the first genuine packet must not cost much.
        """
        turn, self._failures = self._failures, self._failures + 1
        if turn >= _EAGER_SEARCHES:
            turn, rest = divmod(turn, _LAZY_SEARCHES_EVERY)
            if rest:
                return None
        first = 1 + turn * _ROLLOVERS_PER_PACKET % _ROLLOVERS
        return self.context.unprotect_at(packet, range(first, first + _ROLLOVERS_PER_PACKET))


def _suite(keys: Sdes) -> Suite:
    suite = SUITES.get(keys.suite)
    if suite is None:
        raise KeyingError(f"suite {keys.suite!r} is none of {', '.join(SUITES)}")
    for key in (keys.local_key, keys.remote_key):
        if len(key) != suite.keying_bytes:
            raise KeyingError(f"{suite.name} wants {suite.keying_bytes} bytes of key and salt, not {len(key)}")
    return suite


def _has(context: Context, suite: Suite, key: bytes) -> bool:
    return context.suite is suite and context.keying == key
