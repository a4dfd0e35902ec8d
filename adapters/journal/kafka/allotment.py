"""Which node is to try for which shard: the shares of a group of nodes.

What may live here: pure reckoning. It only says who should try; who may is decided by claims. So nothing breaks when
somebody errs about what it holds, it only costs a move.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec


class Member(msgspec.Struct, frozen=True):
    """A node as it comes to a sharing: the shards that it was given by the sharing number `generation`.

    One that is `draining` is given none, as long as there is one that is not; an `edge` is never given any.
    """

    name: str
    held: frozenset[int] = frozenset()
    generation: int = -1
    draining: bool = False
    edge: bool = False


def share_out(members: Collection[Member], shards: Iterable[int]) -> dict[str, frozenset[int]]:
    """Every shard to one member, evenly, moving no more than that takes; the same for the same members in any order.

    Names must be different. Where nobody takes any, the shares are empty.
    """
    every = sorted(shards)
    held = _held(members, every)
    able = [member for member in members if not member.edge]
    takers = sorted(
        [member.name for member in able if not member.draining] or [member.name for member in able],
        key=lambda name: (-len(held[name]), name),
    )
    least, more = divmod(len(every), len(takers) or 1)
    quotas = {name: least + (place < more) for place, name in enumerate(takers)}
    shares = {member.name: held[member.name][: quotas.get(member.name, 0)] for member in members}
    given = {shard for share in shares.values() for shard in share}
    left = [shard for shard in every if shard not in given]
    for name in takers:
        wants = quotas[name] - len(shares[name])
        shares[name] += left[:wants]
        del left[:wants]
    return {name: frozenset(share) for name, share in shares.items()}


def first_round(members: Collection[Member], shares: Mapping[str, frozenset[int]]) -> dict[str, frozenset[int]]:
    """`shares` without what another member holds still: it gives that up first, and then all share anew (KIP-429)."""
    every = frozenset[int]().union(*shares.values())
    holder = {shard: name for name, shards in _held(members, every).items() for shard in shards}
    return {
        name: frozenset(shard for shard in share if holder.get(shard, name) == name) for name, share in shares.items()
    }


def _held(members: Iterable[Member], shards: Collection[int]) -> dict[str, list[int]]:
    """What each holds of `shards`; of two that think they hold the same the later given one does."""
    known = frozenset(shards)
    holder: dict[int, tuple[int, str]] = {}
    for member in members:
        for shard in member.held & known:
            holder[shard] = max(holder.get(shard, (-2, "")), (member.generation, member.name))
    held: dict[str, list[int]] = {member.name: [] for member in members}
    for shard in sorted(holder):
        held[holder[shard][1]].append(shard)
    return held
