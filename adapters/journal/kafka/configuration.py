"""The partition of configuration in memory: every stream of it, and who claimed which shard.

What may live here: the fold of that partition, pure. It is read again and again and is small beside all others: a few
hundred bytes for each change of a tenant or an extension.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from adapters.journal.kafka.message import CLAIMED, Control, Found
from domain.ports import Stored


class Configuration:
    """Takes every record of the partition in once, in order. Not thread-safe."""

    def __init__(self) -> None:
        self.next_offset = 0
        self._streams: dict[UUID, list[Stored]] = {}
        self._claims: dict[int, tuple[int, str]] = {}

    def take(self, found: Iterable[Found]) -> None:
        """The next records."""
        for one in found:
            if isinstance(one, Stored):
                self._streams.setdefault(one.record.stream, []).append(one)
            elif isinstance(one, Control) and one.type == CLAIMED:
                epoch, _ = self._claims.get(one.shard, (0, ""))
                if one.tenure.epoch > epoch:  # the first of an epoch counts
                    self._claims[one.shard] = (one.tenure.epoch, one.tenure.node)

    def read(self, stream: UUID, after: int) -> Sequence[Stored]:
        """The stream's records with a sequence greater than `after`."""
        return [one for one in self._streams.get(stream, ()) if one.record.sequence > after]

    def claims(self) -> dict[int, tuple[int, str]]:
        """Each claimed shard's epoch and node."""
        return dict(sorted(self._claims.items()))
