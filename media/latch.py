"""Where a party's packets come from, and where ours go: symmetric RTP that nobody off the path can steal.

What may live here: the decision about one leg's address, packet by packet. No sockets, no names: addresses are as the
socket gives them, (host, port).

A party behind a NAT sends from another address than it signalled, so ours follow its packets there (RFC 4961). What
else could be followed is a stranger's flood. So, the stronger the claim, the less it takes:

- the address that was signalled is believed at once, and so is any whose packets SRTP authenticated;
- another port of the signalled host, or else another host, is believed after some packets of one source in a row, and
  only while nothing with a stronger claim has come;
- once an address is held, another takes it over only with a stronger claim, or if it goes on with the source and the
  sequence of the old one after that fell silent: whoever is off the path does not know those 48 bits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from media.rtp import Packet, sequence_difference

Address = tuple[str, int]

PACKETS_IN_A_ROW: Final = 4
SHORTEST_ROW_MS: Final = 40
"""A row that comes at once is a forgery's: a party speaks at the pace of sound."""
SILENCE_MS: Final = 500
_MOST_CANDIDATES: Final = 4
_FURTHEST_AHEAD: Final = 3000
"""A source that goes on from elsewhere was not away for more than a minute of packets (MAX_DROPOUT of RFC 3550)."""


class Claim(IntEnum):
    """Why an address is believed to be the party's, the weakest first."""

    NONE = 0
    STRANGER = 1
    """another host than the one signalled: behind a NAT, its packets are all that is known"""
    HOST = 2
    """another port of the host that was signalled"""
    SIGNALLED = 3
    AUTHENTICATED = 4


class _Candidate(NamedTuple):
    ssrc: int
    sequence: int
    since_ms: float
    packets: int


class Latch:
    """One leg's. `remote` is where ours are sent: the signalled address until packets come from a better one.

    `fixed` holds to the signalled host: packets of its other ports are heard, but ours stay where they are.
    """

    def __init__(self, signalled: Address | None, fixed: bool = False) -> None:
        self.remote = signalled
        self.claim = Claim.NONE
        self.refused = 0
        """packets of others"""
        self._signalled = signalled
        self._fixed = fixed
        self._source: Address | None = None
        self._ssrc = -1
        self._sequence = 0
        self._heard_ms = 0.0
        self._candidates: dict[Address, _Candidate] = {}

    def accept(self, source: Address, packet: Packet, now_ms: float, authenticated: bool = False) -> bool:
        """Whether a packet is the party's. `authenticated` says that SRTP found it to be, and that it is no replay."""
        if source == self._source and (authenticated or self.claim < Claim.AUTHENTICATED):
            self._ssrc, self._sequence, self._heard_ms = packet.ssrc, packet.sequence, now_ms
            if authenticated:
                self.claim = Claim.AUTHENTICATED
            return True
        claim = Claim.AUTHENTICATED if authenticated else self._claim(source)
        if not self._believes(claim, source, packet, now_ms):
            self.refused += 1
            return False
        self._hold(claim, source, packet, now_ms)
        return True

    def _claim(self, source: Address) -> Claim:
        if source == self._signalled:
            return Claim.SIGNALLED
        if self._signalled is not None and source[0] == self._signalled[0]:
            return Claim.HOST
        return Claim.NONE if self._fixed else Claim.STRANGER

    def _believes(self, claim: Claim, source: Address, packet: Packet, now_ms: float) -> bool:
        if claim == Claim.AUTHENTICATED:
            # An older packet that was under way when the party moved does not move it back.
            return self.claim < claim or packet.ssrc != self._ssrc or self._goes_on(packet)
        if self.claim == Claim.AUTHENTICATED or claim == Claim.NONE:
            return False
        if claim == Claim.SIGNALLED:
            return True
        if claim <= self.claim and not self._moved(packet, now_ms):
            return False
        return self._is_a_row(source, packet, now_ms)

    def _moved(self, packet: Packet, now_ms: float) -> bool:
        """Whether the held source goes on from elsewhere: a NAT gave it another port."""
        return now_ms - self._heard_ms >= SILENCE_MS and packet.ssrc == self._ssrc and self._goes_on(packet)

    def _goes_on(self, packet: Packet) -> bool:
        return 0 < sequence_difference(packet.sequence, self._sequence) <= _FURTHEST_AHEAD

    def _is_a_row(self, source: Address, packet: Packet, now_ms: float) -> bool:
        """Whether enough packets of one source came in a row, at the pace of sound."""
        before = self._candidates.pop(source, None)
        if (
            before is not None
            and before.ssrc == packet.ssrc
            and sequence_difference(packet.sequence, before.sequence) == 1
        ):
            row = before._replace(sequence=packet.sequence, packets=before.packets + 1)
        else:
            row = _Candidate(packet.ssrc, packet.sequence, now_ms, 1)
        while len(self._candidates) >= _MOST_CANDIDATES:
            del self._candidates[next(iter(self._candidates))]
        self._candidates[source] = row
        return row.packets >= PACKETS_IN_A_ROW and now_ms - row.since_ms >= SHORTEST_ROW_MS

    def _hold(self, claim: Claim, source: Address, packet: Packet, now_ms: float) -> None:
        self.claim = claim
        self._source = source
        if not self._fixed:
            self.remote = source
        self._ssrc, self._sequence, self._heard_ms = packet.ssrc, packet.sequence, now_ms
        self._candidates.clear()
