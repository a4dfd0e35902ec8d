"""Who may append: each shard's current epoch, and the epochs that an append already failed in.

What may live here: the rule of one writer per shard, as pure state. An owner's memory runs ahead of the journal,
so one append that did not happen makes every later one of the same shard and epoch wrong: it would leave a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Fence:
    """Decides per submission. Not thread-safe: one thread asks and tells."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._lost: dict[int, tuple[int, str]] = {}

    def learn(self, epochs: Mapping[int, int]) -> None:
        """Take over what the claims say."""
        self._epochs.update(epochs)

    def refusal(self, shard: int, epoch: int) -> str | None:
        """Why the owner of `shard` in `epoch` may not append, or None if it may."""
        current = self._epochs.get(shard)
        if current is None:
            return f"shard {shard} was never claimed"
        if epoch != current:
            return f"shard {shard} is in epoch {current} now, this append came from epoch {epoch}"
        lost_epoch, reason = self._lost.get(shard, (0, ""))
        if epoch <= lost_epoch:
            return f"an earlier append of shard {shard} in epoch {epoch} failed: {reason}"
        return None

    def lose(self, shard: int, epoch: int, reason: str) -> None:
        """An append failed: nothing of that epoch is appended any more."""
        if epoch > self._lost.get(shard, (0, ""))[0]:
            self._lost[shard] = (epoch, reason)

    def release(self, shard: int) -> None:
        """The owner gives a shard up: its epoch is over."""
        if shard in self._epochs:
            self.lose(shard, self._epochs[shard], "the shard was released")

    def next_epochs(self, shards: Iterable[int]) -> dict[int, int]:
        """The epochs that a claim of `shards` begins."""
        return {shard: self._epochs.get(shard, 0) + 1 for shard in shards}
