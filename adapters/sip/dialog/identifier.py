"""SIP identifiers that carry their shard and leg, with a MAC so that a stranger cannot make one.

Derived, never random: a restart computes the same branch, tag, Call-ID and Contact again (`domain.ports.Identifiers`).
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from adapters.sip.message.memo import Memo
from domain.ids import call_of_leg, shard_of

_COOKIE = "z9hG4bK"
_KEPT = 16_384
_MAC_BYTES = 8
_SHARDS = [f"{shard:02x}" for shard in range(1 << 12)]


class Branch(NamedTuple):
    """What a branch of ours says: the leg, and the CSeq of the request."""

    leg: str
    number: int


class SipIdentifiers:
    """Makes and checks identifiers with one secret; `cluster` is the host part of our Call-IDs."""

    def __init__(self, secret: bytes, cluster: str = "switchlog") -> None:
        self._keyed = blake2b(key=secret[:64], digest_size=_MAC_BYTES)
        self._cluster = cluster
        # All are asked for again by the next messages of a call. What strangers make up is never kept.
        self._tags: Memo[str] = Memo(_KEPT)
        self._users: Memo[str] = Memo(_KEPT)
        self._made: Memo[str] = Memo(_KEPT)
        self._legs: Memo[str] = Memo(_KEPT)
        self._branches: Memo[Branch] = Memo(_KEPT)

    def call_id(self, leg: str) -> str:
        return f"{leg}@{self._cluster}"

    def tag(self, leg: str) -> str:
        known = self._tags.get(leg)
        if known is not None:
            return known
        made = f"{_shard(leg)}.{leg}.{self._mac('tag', leg)}"
        self._legs.put(made, leg)
        return self._tags.put(leg, made)

    def branch(self, leg: str, number: int) -> str:
        asked = f"{leg} {number}"
        known = self._made.get(asked)
        if known is not None:
            return known
        made = f"{_COOKIE}.{_shard(leg)}.{leg}.{number}.{self._mac('branch', leg, number)}"
        self._branches.put(made, Branch(leg, number))
        return self._made.put(asked, made)

    def user(self, leg: str) -> str:
        """The user part of our Contact for a leg."""
        made = self._users.get(leg)
        return made or self._users.put(leg, f"{_shard(leg)}-{leg}-{self._mac('user', leg)}")

    def stateless_tag(self, branch: str, call_id: str) -> str:
        """A To tag for an answer outside any dialog, the same for the same request (RFC 3261 8.2.6.2)."""
        keyed = self._keyed.copy()
        keyed.update(f"stateless {branch} {call_id}".encode())
        return keyed.hexdigest()

    def leg_of_tag(self, tag: str) -> str | None:
        """The leg that a tag of ours names; None for any other tag."""
        known = self._legs.get(tag)
        if known is not None:
            return known
        parts = tag.split(".")
        if len(parts) != 3 or not self._good(parts[2], "tag", parts[1]):
            return None
        return self._legs.put(tag, parts[1]) if _is_leg(parts[1]) else None

    def read_branch(self, branch: str) -> Branch | None:
        """What a branch of ours says; None for any other branch."""
        known = self._branches.get(branch)
        if known is not None:
            return known
        parts = branch.split(".")
        if len(parts) != 5 or parts[0] != _COOKIE or not parts[3].isdecimal() or len(parts[3]) > 10:
            return None
        leg, number = parts[2], int(parts[3])
        if not self._good(parts[4], "branch", leg, number) or not _is_leg(leg):
            return None
        return self._branches.put(branch, Branch(leg, number))

    def _mac(self, kind: str, leg: str, number: int = 0) -> str:
        keyed = self._keyed.copy()
        keyed.update(f"{kind} {leg} {number}".encode())
        return keyed.hexdigest()

    def _good(self, mac: str, kind: str, leg: str, number: int = 0) -> bool:
        return compare_digest(mac.encode(), self._mac(kind, leg, number).encode())


def _shard(leg: str) -> str:
    return _SHARDS[shard_of(call_of_leg(leg))]


def _is_leg(text: str) -> bool:
    try:
        call_of_leg(text)
    except ValueError:
        return False
    return True
