"""Nonces of digest challenges (RFC 7616 sections 3.3 and 5.5): made and checked by one MAC, counted once used.

What may live here: the text of a nonce and the table of counts. A challenge costs no memory; only a nonce with which
somebody proved a password is remembered, so that a stranger cannot fill the table.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from adapters.sip.message.text import to_wire

_MAC_BYTES = 16
_WINDOW = 64
"""Counts below the highest one that may still come, each once: UDP changes the order of requests."""
_WINDOW_MASK = (1 << _WINDOW) - 1
_AHEAD_S = 5
"""A nonce may seem to be this much younger than now: clocks are set back by a little all the time."""


class Use(NamedTuple):
    """One use of one nonce: its number in this run, and the count that the peer gave it (`nc`)."""

    number: int
    nc: int


class Nonces:
    """`secret` must differ from run to run: the counts die with the process, so its nonces must die with them.

    A nonce is bound to the realm and to the address that asked for it. At most twice `limit` used nonces are
    remembered; those that had to be forgotten are stale. Times are Unix seconds.
    """

    def __init__(self, secret: bytes, lifetime_s: float, limit: int) -> None:
        self._keyed = blake2b(key=secret[:64], digest_size=_MAC_BYTES)
        self._lifetime_s, self._limit = lifetime_s, limit
        self._made = 0
        # Number -> highest count << window | bit n is set if (highest - n) was used. Two generations: the older one
        # is dropped as a whole, which costs nothing per nonce.
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._young_since = 0.0
        self._floor = 0

    @property
    def remembered(self) -> int:
        """How many used nonces are in memory."""
        return len(self._young) + len(self._old)

    def mint(self, realm: str, source: str, now: float) -> str:
        """A new nonce for whoever asks from the address `source`."""
        self._made += 1
        at = f"{int(now):x}"
        return f"{at}.{self._made:x}.{self._mac(at, f'{self._made:x}', realm, source)}"

    def number(self, nonce: str, realm: str, source: str, now: float) -> int | None:
        """The number of a nonce that may be used now; None for one that has aged or was never made here for this."""
        at, _, rest = nonce.partition(".")
        made, _, mac = rest.partition(".")
        if not compare_digest(to_wire(mac), self._mac(at, made, realm, source).encode()):
            return None
        if not -_AHEAD_S <= now - int(at, 16) <= self._lifetime_s:
            return None
        return int(made, 16)

    def use(self, use: Use, now: float) -> bool:
        """Counts a use; False if this count was used already, or cannot be told any more."""
        if now - self._young_since > self._lifetime_s or len(self._young) >= self._limit:
            self._turn(now)
        generation = self._old if use.number in self._old else self._young
        state = generation.get(use.number)
        if state is None:
            if use.number <= self._floor:
                return False
            self._young[use.number] = use.nc << _WINDOW | 1
            return True
        highest, seen = state >> _WINDOW, state & _WINDOW_MASK
        ahead = use.nc - highest
        if ahead > 0:
            seen = (seen << ahead) & _WINDOW_MASK if ahead < _WINDOW else 0
            generation[use.number] = use.nc << _WINDOW | seen | 1
            return True
        bit = 1 << -ahead if -ahead < _WINDOW else 0
        if not bit or seen & bit:
            return False
        generation[use.number] = state | bit
        return True

    def give_back(self, use: Use) -> None:
        """The request that used it was not served and is expected again as it was."""
        generation = self._old if use.number in self._old else self._young
        state = generation.get(use.number)
        behind = (state >> _WINDOW) - use.nc if state is not None else _WINDOW
        if state is not None and 0 <= behind < _WINDOW:
            generation[use.number] = state & ~(1 << behind)

    def _turn(self, now: float) -> None:
        self._floor = max(self._floor, max(self._old, default=0))
        self._old, self._young = self._young, {}
        self._young_since = now

    def _mac(self, at: str, made: str, realm: str, source: str) -> str:
        keyed = self._keyed.copy()
        keyed.update(to_wire(f"nonce {at} {made} {source} {realm}"))
        return keyed.hexdigest()
