"""Partitions read to their ends, for those who must know everything: claimants, and owners in doubt.

What may live here: reading up to an end, and the patience with a last stable offset that stands still. Records come as
the brokers hold them; what they mean is for others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.log import Hear, Mend
from adapters.journal.kafka.partitions import Ends, Partitions
from adapters.journal.kafka.topic import Place
from domain.ports import JournalAway, JournalError

_log = logging.getLogger(__name__)

_POLL_MS = 50
_WAIT_MS = 10
"""How long a broker may hold a question back when there is nothing to say: the next one would wait for it."""
_RECORDS_AT_ONCE = 5_000
STILL_S = 1.0
"""A transaction that was committed is stable within milliseconds, or a busy broker is slow: after so long it hangs."""
BOUND_S = 15.0
"""So long nothing may move: more than the brokers take to abort the transaction of a writer that is gone."""


class KafkaLog:
    """`Log` at the brokers of `address`. Bounds in seconds; `clock` is a monotonic one.

    Its connections are kept from one use to the next: it takes the library a tenth of a second to learn of a topic.
    """

    def __init__(
        self,
        address: Address,
        client_id: str,
        *,
        still_s: float = STILL_S,
        bound_s: float = BOUND_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address, self._still_s, self._bound_s, self._clock = address, still_s, bound_s, clock
        self._client_id = client_id
        self._ends: Ends | None = None
        self._partitions: Partitions | None = None

    def ends(self, places: Iterable[Place], *, stable: bool) -> dict[Place, int]:
        """See `Log`."""
        with self._kept():
            if self._ends is None:
                self._ends = Ends(self._address, self._client_id)
            return self._ends.committed(places) if stable else self._ends.written(places)

    def read(
        self, starts: Mapping[Place, int], ends: Mapping[Place, int], hear: Hear, mend: Mend | None = None
    ) -> dict[Place, int]:
        """See `Log`."""
        for place, start in starts.items():
            if start > ends[place] and mend is not None:
                raise JournalError(
                    f"journal {self._address}: {place.key} ends at {ends[place]}, before {start}, up to which it was "
                    "read earlier: records are lost, or the topic was made anew; stop, and find out which"
                )
        behind = {place: start for place, start in starts.items() if start < ends[place]}
        if not behind:
            return dict(starts)
        with self._kept():
            if self._partitions is None:
                self._partitions = Partitions(self._address, self._client_id, wait_ms=_WAIT_MS)
            self._deliver(self._partitions, behind, {place: ends[place] for place in behind}, hear, mend)
            return {**starts, **{place: self._partitions.at[place] for place in behind}}

    def close(self) -> None:
        """See `Log`."""
        partitions, self._partitions = self._partitions, None
        ends, self._ends = self._ends, None
        if partitions is not None:
            partitions.close()
        if ends is not None:
            ends.close()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """After an error the next use begins with new connections."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _deliver(
        self,
        partitions: Partitions,
        starts: Mapping[Place, int],
        ends: Mapping[Place, int],
        hear: Hear,
        mend: Mend | None,
    ) -> None:
        partitions.stand(starts)
        moved_at = mended_at = self._clock()
        before = sum(starts.values())
        while True:
            for place, records in partitions.take(_RECORDS_AT_ONCE, _POLL_MS):
                for record in records:
                    hear(place, record.offset, record.key, record.value, record.headers)
            if partitions.reached(ends):
                return
            now, stands = self._clock(), sum(partitions.at.values())
            if stands > before:
                before, moved_at, mended_at = stands, now, now
                continue
            still = [place for place, end in ends.items() if partitions.at[place] < end]
            if now - moved_at > self._bound_s:
                raise JournalAway(
                    f"journal {self._address}: {still[0].key} stands still: some writer's transaction has no end; "
                    "the brokers abort it some seconds after that writer is gone"
                )
            if mend is not None and now - mended_at > self._still_s:
                _log.warning("the last stable offset of %d partitions stands still", len(still))
                mend(still)
                mended_at = self._clock()
