"""The gate before the parser: for each message, from its bytes and its sender, whether it comes in now, later or not.

What may live here: how the looks (`sniff`), the budgets (`source`) and the pressure (`overload`) become one ruling,
and the counters of it. Sans-IO: time is an argument.

Three rules hold whatever else is said: what belongs to something under way here (a To tag of a call of ours, a
transaction that we know) is never held up by load or budget; a request that was let in is never refused when it is
repeated; a refusal costs no parsing and no state. What merely claims to belong to something is new work like any other.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, Protocol

from adapters.sip.gate import sniff
from adapters.sip.gate.overload import Controller, Work
from adapters.sip.gate.refusal import refusal, with_overload
from adapters.sip.gate.sniff import Kind
from adapters.sip.gate.source import SourceLimits, Sources
from adapters.sip.message.header import Via
from adapters.sip.message.via import split_host_port
from adapters.sip.transaction.key import ServerKey
from domain.values import Flow

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_SLOT_S = 8.0
"""How long one conversation meets the same luck: long enough for a challenge and its answer."""
_OF_AN_INVITE = frozenset({"ACK", "CANCEL"})
_BUSY = 0.02
"""Pressure from which new requests wait behind what is under way."""


class Ruling(Enum):
    """What becomes of a message."""

    NOW = "handled at once"
    LATER = "handled when nothing of what is under way waits"
    REFUSED = "answered 503, if it can be answered"
    DROPPED = "nothing is said"


class Failing(Enum):
    """What a source can do wrong."""

    MALFORMED = "what it sent cannot be read"
    UNKNOWN_DOMAIN = "it asked for a domain that nobody has"
    WRONG_PASSWORD = "its credentials are wrong"
    STRANGER = "it asked for a dialog that does not exist"


_WEIGHT = {Failing.UNKNOWN_DOMAIN: 2.0}
"""How much more than one mistake it is."""


@dataclass
class GateCounters:
    """What was ruled since the start, for metrics."""

    overloaded_invite: int = 0
    overloaded_register: int = 0
    overloaded_other: int = 0
    over_rate: int = 0
    banned: int = 0
    denied: int = 0
    scanner: int = 0
    connections: int = 0
    bans: int = 0
    failures: int = 0


class Policy(NamedTuple):
    """Networks by the operator's word: `deny` wins, an empty `allow` is everybody, `exempt` have no budget."""

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    exempt: tuple[Network, ...] = ()


class Knowledge(NamedTuple):
    """What the gate may ask; each is cheap and has no effect."""

    ours: Callable[[str], bool]
    """whether a To tag is one of ours, of a call that we have"""
    ours_branch: Callable[[str], bool]
    known: Callable[[ServerKey], bool]
    """whether a transaction of a peer's is under way"""
    serves: Callable[[str], bool]
    """whether a domain is a tenant's"""


class _Sender(NamedTuple):
    key: str
    allowed: bool
    exempt: bool


class Witness(Protocol):
    """Told by the application what became of a request that it was shown; neither has any effect on that request."""

    def proved(self, flow: Flow, tenant: str, device: str) -> None:
        """A device's credentials were right."""

    def failed(self, flow: Flow, how: Failing, tenant: str = "") -> None:
        """A request was wrong; `tenant` is whose credentials were tried."""


class Unwitnessed:
    """Nobody keeps budgets."""

    def proved(self, flow: Flow, tenant: str, device: str) -> None: ...
    def failed(self, flow: Flow, how: Failing, tenant: str = "") -> None: ...


class GateSettings(NamedTuple):
    """What an operator chooses."""

    policy: Policy = Policy()
    limits: SourceLimits = SourceLimits()


class Gate:
    """Rules on every message of one process's edge. `secret` keeps a caller from choosing its own luck."""

    def __init__(
        self, controller: Controller, sources: Sources, policy: Policy, knowledge: Knowledge, secret: bytes
    ) -> None:
        self.controller, self.sources = controller, sources
        self.counters = GateCounters()
        self.latest_bans: deque[str] = deque(maxlen=5)
        self._policy, self._knowledge = policy, knowledge
        self._keyed = blake2b(key=secret[:64], digest_size=8)
        self._sender: Callable[[str], _Sender] = lru_cache(maxsize=16_384)(self._look_up)

    # --- messages

    def rule(self, data: bytes, remote: str, now: float, datagram: bool) -> Ruling:
        """What becomes of `data` from `remote` (`host:port`)."""
        sender = self._sender(remote)
        busy = self.controller.pressure > _BUSY
        if sender.exempt and not busy:
            return Ruling.NOW
        if not sender.allowed:
            self.counters.denied += 1
            return Ruling.DROPPED
        kind = sniff.kind_of(data)
        if kind is Kind.RESPONSE or kind is Kind.WITHIN:
            return self._under_way(data, kind, sender, now, datagram)
        if not sender.exempt and (no := self._unwelcome(data, sender, now, datagram)) is not None:
            return no
        if not busy:
            return Ruling.NOW
        return self._pressed(data, kind, sender, now, datagram)

    def answer(self, data: bytes, remote: str, now: float) -> bytes | None:
        """The 503 for what was REFUSED; its Retry-After differs from caller to caller so that they do not return at
        once, and grows with the pressure."""
        luck = self._luck(sniff.call_id(data), int(now / _SLOT_S) + 1)
        return refusal(data, remote, 2 + int(luck * (4 + 12 * self.controller.pressure)))

    def marked(self, data: bytes, now: float) -> bytes:
        """The request with our word on its `oc` parameter (RFC 7339), while there is any pressure."""
        if self.controller.pressure <= 0 or b";oc" not in data:
            return data
        return with_overload(data, round(100 * self.controller.refused_share(Work.CALL)), f"{now:.3f}")

    def repeated(self, data: bytes) -> bool:
        """Whether a request was let in before: another answer now would contradict the one under way.

        For an ACK or a CANCEL it is the INVITE that must be known.
        """
        try:
            via = Via.parse(sniff.top_via(data))
        except ValueError:
            return False
        method = data[: data.find(b" ")].decode("latin-1")
        method = "INVITE" if method in _OF_AN_INVITE else method
        return self._knowledge.known(ServerKey(via.branch, method, f"{via.host}:{via.port or ''}".lower()))

    # --- what is learned later

    def proved(self, remote: str, tenant: str, device: str, now: float) -> None:
        """A device has proved itself from there."""
        sender = self._sender(remote)
        if not sender.exempt:
            self.sources.proves(sender.key, (tenant, device), now)

    def failed(self, remote: str, how: Failing, now: float) -> None:
        """Something from there was wrong."""
        self.counters.failures += 1
        sender = self._sender(remote)
        if not sender.exempt:
            self._fails(sender, now, _WEIGHT.get(how, 1.0))

    def source(self, remote: str) -> str:
        """What is counted as one sender."""
        return self._sender(remote).key

    # --- connections

    def connects(self, remote: str, now: float) -> bool:
        """Whether one more connection from there may stay; if so, `disconnected` follows."""
        return self._lets_in(remote, lambda key: self.sources.connect(key, now))

    def shakes(self, remote: str, now: float, crowded: bool) -> bool:
        """As `connects`, for one that begins with a TLS handshake; `shaken` follows, too."""
        return self._lets_in(remote, lambda key: self.sources.shake(key, now, crowded))

    def shaken(self, remote: str) -> None:
        sender = self._sender(remote)
        if not sender.exempt:
            self.sources.shaken(sender.key)

    def disconnected(self, remote: str) -> None:
        sender = self._sender(remote)
        if not sender.exempt:
            self.sources.disconnect(sender.key)

    # --- inside

    def _lets_in(self, remote: str, has_room: Callable[[str], bool]) -> bool:
        sender = self._sender(remote)
        if not sender.allowed:
            self.counters.denied += 1
            return False
        if not sender.exempt and not has_room(sender.key):
            self.counters.connections += 1
            return False
        return True

    def _under_way(self, data: bytes, kind: Kind, sender: _Sender, now: float, datagram: bool) -> Ruling:
        """Budget, and the second lane, for those only that merely claim to belong to something."""
        if self._belongs(data, kind):
            return Ruling.NOW
        if not sender.exempt and not self._within_budget(sender, now):
            return Ruling.DROPPED
        if self.controller.pressure <= _BUSY:
            return Ruling.NOW
        if kind is Kind.RESPONSE or data.startswith(b"ACK "):  # nobody waits for an answer, and nothing for it
            return Ruling.DROPPED
        return self._pressed(data, kind, sender, now, datagram)

    def _belongs(self, data: bytes, kind: Kind) -> bool:
        if kind is Kind.RESPONSE:
            return self._knowledge.ours_branch(sniff.branch(data))
        return self._knowledge.ours(sniff.to_tag(data)) or (
            data.startswith((b"ACK ", b"CANCEL ")) and self.repeated(data)
        )

    def _unwelcome(self, data: bytes, sender: _Sender, now: float, datagram: bool) -> Ruling | None:
        if self.sources.banned(sender.key, now):
            return None if self._within_budget(sender, now) else Ruling.DROPPED
        if sniff.scanner(data) or ((host := sniff.probed_host(data)) and not self._knowledge.serves(host)):
            self.counters.scanner += 1
            self._fails(sender, now, self.sources.limits.failures)
            return Ruling.DROPPED
        if self._within_budget(sender, now):
            return None
        # Over UDP silence is enough: the phone repeats itself. A stream does not, so it hears when to come back.
        return Ruling.DROPPED if datagram else Ruling.REFUSED

    def _fails(self, sender: _Sender, now: float, weight: float) -> None:
        if self.sources.fails(sender.key, now, weight):
            self.counters.bans += 1
            self.latest_bans.append(sender.key)

    def _within_budget(self, sender: _Sender, now: float) -> bool:
        if self.sources.take(sender.key, now):
            return True
        if self.sources.banned(sender.key, now):
            self.counters.banned += 1
        else:
            self.counters.over_rate += 1
        return False

    def _pressed(self, data: bytes, kind: Kind, sender: _Sender, now: float, datagram: bool) -> Ruling:
        """Who comes in under pressure: by kind, and by the same luck for the whole conversation."""
        proven = sender.exempt or self.sources.proven(sender.key, now)
        work = _work(kind, sniff.has_credentials(data), proven)
        if self.controller.admits(work, self._luck(sniff.call_id(data), int(now / _SLOT_S))):
            return Ruling.LATER
        if datagram and self.repeated(data):
            return Ruling.NOW
        self.count_refused(kind)
        return Ruling.REFUSED

    def count_refused(self, kind: Kind) -> None:
        """One was refused for overload."""
        if kind is Kind.INVITE:
            self.counters.overloaded_invite += 1
        elif kind is Kind.REGISTER:
            self.counters.overloaded_register += 1
        else:
            self.counters.overloaded_other += 1

    def _luck(self, call_id: bytes, slot: int) -> float:
        keyed = self._keyed.copy()
        keyed.update(b"%d %b" % (slot, call_id))
        return int.from_bytes(keyed.digest(), "big") / 2**64

    def _look_up(self, remote: str) -> _Sender:
        """Everything that an address alone decides."""
        address = ipaddress.ip_address(split_host_port(remote)[0].partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        policy = self._policy
        allowed = (not policy.allow or _among(address, policy.allow)) and not _among(address, policy.deny)
        return _Sender(source_key(address), allowed, allowed and _among(address, policy.exempt))


def source_key(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """What is counted as one sender: an IPv4 address, an IPv6 /64."""
    if address.version == 4:
        return str(address)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def _among(address: ipaddress.IPv4Address | ipaddress.IPv6Address, these: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in these)


def _work(kind: Kind, credentials: bool, proven: bool) -> Work:
    if kind is Kind.REGISTER:
        return Work.STRANGE_REGISTER if not proven else Work.REFRESH if credentials else Work.REGISTER
    if credentials and kind is Kind.INVITE:
        return Work.PROVING_CALL
    return Work.CALL if proven else Work.STRANGE_CALL
