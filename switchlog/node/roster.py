"""Who there is and whose the shards are: what one node knows of all of them (`domain.node.Roster`).

What may live here: pure state. Who is alive comes from the failure detection of the group that all nodes are in, whose
the shards are from claims and releases in the log. Both may be old by some moments: who acts on it and is wrong is
stopped by the fence of the log, not here.

One thread tells it of shards, any may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from domain.node import Neighbour, home_of


class Word(NamedTuple):
    """What the log says of a shard last; words are compared as a whole: a later term, then its end."""

    epoch: int = 0
    released: bool = True
    node: str = ""


class LiveRoster:
    """The roster of the node `me`, which knows nobody at first."""

    def __init__(self, me: str) -> None:
        self._me, self._home = me, home_of(me)
        self._is_ours: Callable[[int], bool] = lambda shard: True
        self._living: dict[str, Neighbour] = {}
        self._words: dict[int, Word] = {}

    @property
    def me(self) -> str:
        return self._me

    def heed(self, is_ours: Callable[[int], bool]) -> None:
        """This node's own word about its shards: one that it gives up is nobody's at once, not when the log says so."""
        self._is_ours = is_ours

    def meet(self, neighbours: Iterable[Neighbour]) -> None:
        """Exactly these are alive."""
        self._living = {neighbour.name: neighbour for neighbour in neighbours}

    def hear(self, shard: int, epoch: int, node: str, *, released: bool) -> bool:
        """The log says that `node` has claimed or released a shard in its term `epoch`; False if that is old news.

        The same comes to be known in whatever order this is heard, and however often.
        """
        word = Word(epoch, released, node)
        if word <= self.word(shard):
            return False
        self._words[shard] = word
        return True

    def word(self, shard: int) -> Word:
        """What was heard of a shard last."""
        return self._words.get(shard, _NOTHING)

    def owner(self, shard: int) -> Neighbour | None:
        """See `Roster`."""
        word = self._words.get(shard)
        if word is None or word.released or (word.node == self._me and not self._is_ours(shard)):
            return None
        return self._living.get(word.node)

    def takes(self, shard: int) -> bool:
        """See `Roster`."""
        word = self.word(shard)
        if word.node == self._me:
            return not word.released and self._is_ours(shard)
        return home_of(word.node) == self._home

    def neighbour(self, name: str) -> Neighbour | None:
        """See `Roster`."""
        return self._living.get(name)

    def neighbours(self) -> Collection[Neighbour]:
        """See `Roster`."""
        return self._living.values()


_NOTHING = Word()
