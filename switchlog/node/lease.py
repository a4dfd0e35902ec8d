"""Whether this node still counts among the living: until when, and what waits while nobody knows.

A node that was frozen, or cut off from the brokers, may have heirs. It cannot append: the fence of the log sees to
that. But it has answers in hand, to what changes nothing and to what became durable just before. So what the journal
answers is held back from the moment on when the group of nodes may have given this one up, until it has heard again.

What may live here: that moment, and what is held back. It is asked and told on one thread, the loop's, but for what
the group says.
"""

from __future__ import annotations

from collections.abc import Callable


class Lease:
    """`clock` gives monotonic seconds; `renew` and `void` are called from one thread, which may be another one."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0
        self._voided = self._forfeited = 0
        self._held: list[Callable[[], None]] = []

    @property
    def current(self) -> bool:
        """Whether the group counts this node among the living for sure."""
        return self._voided == self._forfeited and self._clock() < self._until

    @property
    def over_s(self) -> float:
        """For how long it has not been current."""
        return max(0.0, self._clock() - self._until)

    @property
    def waiting(self) -> int:
        """How much is held back."""
        return len(self._held)

    def renew(self, until: float) -> None:
        """The group has heard this node: it counts until then (monotonic seconds). Then `go_on`."""
        self._until = max(self._until, until)

    def void(self) -> None:
        """The group had given this node up. Then `forfeit`: until then it does not count, though it be heard again."""
        self._voided += 1
        self._until = min(self._until, self._clock())

    def run(self, work: Callable[[], None]) -> None:
        """Do what has become due, now or once it is known that this node lives; in order."""
        if self._held or not self.current:
            self._held.append(work)
        else:
            work()

    def go_on(self) -> None:
        """Do what was held back, if the lease is current."""
        if self._held and self.current:
            self._flush()

    def forfeit(self) -> None:
        """All that this node held when it was given up is dropped: what was held back finds nothing to answer for."""
        self._flush()
        self._forfeited += 1

    def _flush(self) -> None:
        held, self._held = self._held, []
        for work in held:
            work()
