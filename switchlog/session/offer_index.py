"""By which offers calls are found (`domain.switchboard.Switchboard.find_offers`).

What may live here: branches and whose they are. The calls themselves are the board's.
"""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from domain.call.call import Call
from domain.call.resume import offers
from domain.ids import shard_of

_LEFT = 10_000
"""Offers of calls that went with their shards to another owner; their phones may yet repeat or cancel them here."""


class OfferIndex:
    """Branch -> calls. What a call was kept under is known here, so that it is forgotten whatever became of it."""

    def __init__(self) -> None:
        self._calls: dict[str, tuple[UUID, ...]] = {}
        self._branches: dict[UUID, tuple[str, ...]] = {}
        self._left: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def find(self, branch: str) -> tuple[UUID, ...]:
        return self._calls.get(branch, ())

    def keep(self, call: Call) -> None:
        """Find a call by its offers of now, and no longer by those of before."""
        branches = tuple(transaction.branch for _, transaction in offers(call))
        if branches == self._branches.get(call.id):
            return
        self.forget(call.id)
        self._branches[call.id] = branches
        for branch in branches:
            known = self._calls.get(branch, ())
            if call.id not in known:
                self._calls[branch] = (*known, call.id)

    def left(self, branch: str) -> int | None:
        """The shard of a call that had this offer when its shard was dropped."""
        return self._left.get(branch)

    def leave(self, call: UUID) -> None:
        """Forget a call whose shard is dropped, but not where it has gone."""
        for branch in self._branches.get(call, ()):
            self._left[branch] = shard_of(call)
            if len(self._left) > _LEFT:
                self._left.popitem(last=False)
        self.forget(call)

    def forget(self, call: UUID) -> None:
        for branch in self._branches.pop(call, ()):
            left = tuple(one for one in self._calls.pop(branch, ()) if one != call)
            if left:
                self._calls[branch] = left
