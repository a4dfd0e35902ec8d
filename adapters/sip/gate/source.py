"""Who sends: a budget for each address, and bans for those that only fail.

What may live here: bounded tables by source, as pure functions of the time that is given. A source is an IPv4 address
or an IPv6 /64, since whoever has one address of a /64 has all of them.

A success gives back what its attempt took, so that a thousand phones behind one address are not slowed, and an address
where a device has proved itself is never banned: an address of a datagram can be forged, a digest cannot.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

Device = tuple[str, str]
"""Tenant and digest user name."""


@dataclass(frozen=True)
class SourceLimits:
    """What one source may cost. Times in seconds."""

    rate: float = 50.0
    """requests outside dialogs a second; 0 = no limits and no bans"""
    burst: float = 200.0
    burst_per_device: float = 4.0
    """for each device that has proved itself there"""
    devices: int = 4096
    """so many are counted for one source"""
    strangers: int = 16_384
    """sources remembered that have not proved themselves: the longest unheard is forgotten"""
    known: int = 65_536
    """sources remembered that have"""
    failures: float = 20.0
    """so many in a row, fading by half each `fading_s`, are a ban"""
    fading_s: float = 60.0
    ban_s: float = 30.0
    """the first ban; each further one lasts twice as long"""
    longest_ban_s: float = 3600.0
    trickle: float = 0.2
    """requests a second that a banned source is still heard with: the address may be forged, its owner a customer"""
    proof_s: float = 7200.0
    """how long a device counts after it was last heard: the longest registration"""
    connections: int = 200
    connections_per_device: int = 2
    handshakes: int = 20
    """of TLS under way at once, and `connections_per_device` more for each device"""


class Source:
    """What is known of one source."""

    __slots__ = ("at", "banned_until", "bans", "devices", "failed_at", "failures", "tokens")

    def __init__(self, tokens: float, now: float) -> None:
        self.tokens = tokens
        self.at = now
        self.failures = 0.0
        self.failed_at = now
        self.bans = 0
        self.banned_until = 0.0
        self.devices: OrderedDict[Device, float] = OrderedDict()


class Sources:
    """All sources. `now` is monotonic seconds and never goes back."""

    def __init__(self, limits: SourceLimits) -> None:
        self.limits = limits
        self._strangers: OrderedDict[str, Source] = OrderedDict()
        self._known: OrderedDict[str, Source] = OrderedDict()
        self._connections: dict[str, int] = {}
        self._handshakes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._strangers) + len(self._known)

    def take(self, key: str, now: float) -> bool:
        """Spend one request of a source's budget; False if there is none left."""
        limits = self.limits
        if not limits.rate:
            return True
        source = self._source(key, now)
        rate, burst = limits.rate, limits.burst + limits.burst_per_device * len(source.devices)
        if source.banned_until > now:
            rate, burst = limits.trickle, 1.0
        source.tokens = min(source.tokens + (now - source.at) * rate, burst)
        source.at = now
        if source.tokens < 1.0:
            return False
        source.tokens -= 1.0
        return True

    def proves(self, key: str, device: Device, now: float, spent: float = 3.0) -> None:
        """A device has proved itself from there: its attempt is given back, a ban ends."""
        source = self._strangers.pop(key, None) or self._source(key, now)
        if source.banned_until > now:
            source.tokens = self.limits.burst
        source.failures, source.bans, source.banned_until = 0.0, 0, 0.0
        source.tokens += spent  # `take` caps it
        source.devices[device] = now
        source.devices.move_to_end(device)
        self._age(source, now)
        _keep(self._known, key, source, self.limits.known)

    def fails(self, key: str, now: float, weight: float = 1.0) -> bool:
        """Something from there was wrong; True if the source is banned for it from now on."""
        limits, source = self.limits, self._source(key, now)
        source.failures *= 0.5 ** ((now - source.failed_at) / limits.fading_s)
        source.failed_at = now
        source.failures += weight
        if not limits.rate or source.failures < limits.failures or source.banned_until > now:
            return False
        if self._proven(key, source, now):
            return False
        source.banned_until = now + min(limits.ban_s * 2.0**source.bans, limits.longest_ban_s)
        source.bans = min(source.bans + 1, 16)
        source.failures, source.tokens = limits.failures / 2, 0.0
        return True

    def banned(self, key: str, now: float) -> bool:
        """Whether a source is hardly heard at the moment."""
        source = self._strangers.get(key)
        return source is not None and source.banned_until > now

    def proven(self, key: str, now: float) -> bool:
        """Whether a device is known there."""
        source = self._known.get(key)
        return source is not None and self._proven(key, source, now)

    def connect(self, key: str, now: float) -> bool:
        """One more connection from there; False above the limit, or from a banned source."""
        limit = self.limits.connections + self.limits.connections_per_device * self._devices(key)
        count = self._connections.get(key, 0)
        if count >= limit or self.banned(key, now):
            return False
        self._connections[key] = count + 1
        return True

    def disconnect(self, key: str) -> None:
        """A connection that `connect` counted is gone."""
        _lower(self._connections, key)

    def shake(self, key: str, now: float, crowded: bool) -> bool:
        """As `connect`, for a connection that begins with a TLS handshake; then `shaken` follows, too.

        When it is `crowded` none may begin at a source where no device is known.
        """
        if crowded and not self.proven(key, now):
            return False
        count = self._handshakes.get(key, 0)
        if count >= self.limits.handshakes + self.limits.connections_per_device * self._devices(key):
            return False
        if not self.connect(key, now):
            return False
        self._handshakes[key] = count + 1
        return True

    def shaken(self, key: str) -> None:
        """A handshake that `shake` counted is over, one way or the other."""
        _lower(self._handshakes, key)

    def _devices(self, key: str) -> int:
        source = self._known.get(key)
        return len(source.devices) if source else 0

    def _source(self, key: str, now: float) -> Source:
        source = self._known.get(key)
        if source is not None:
            self._known.move_to_end(key)
            return source
        source = self._strangers.get(key)
        if source is None:
            source = Source(self.limits.burst, now)
            _keep(self._strangers, key, source, self.limits.strangers)
        else:
            self._strangers.move_to_end(key)
        return source

    def _proven(self, key: str, source: Source, now: float) -> bool:
        """A known source whose devices are all long unheard becomes a stranger again."""
        self._age(source, now)
        if not source.devices and self._known.pop(key, None) is not None:
            _keep(self._strangers, key, source, self.limits.strangers)
        return bool(source.devices)

    def _age(self, source: Source, now: float) -> None:
        devices, oldest = source.devices, now - self.limits.proof_s
        while devices and (len(devices) > self.limits.devices or next(iter(devices.values())) < oldest):
            devices.popitem(last=False)


def _lower(counts: dict[str, int], key: str) -> None:
    left = counts.get(key, 0) - 1
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)


def _keep(table: OrderedDict[str, Source], key: str, source: Source, limit: int) -> None:
    table[key] = source
    table.move_to_end(key)
    while len(table) > limit:
        table.popitem(last=False)
