"""Media workers and the contexts that they hold: which worker has which, and what it was told last.

What may live here: that bookkeeping, and when a context is said again. Sans-IO: messages leave by `send`, and what came
is told. What a context is about is not known here.

A context stays with its worker while that is away: it is started again, and makes of what it is told what there was.
"""

from __future__ import annotations

from collections.abc import Callable

from media.wire import Context, Drop, Inventory, Put, ToWorker

_FULL = 1 << 30
"""How many legs a worker takes that does not say."""


class _Held:
    """A context as it shall be; `worker` is empty as long as there is none for it."""

    __slots__ = ("desired", "rev", "worker")

    def __init__(self, desired: Context) -> None:
        self.desired = desired
        self.rev = 0
        self.worker = ""


class Pool:
    """The workers of this node. `epoch` is the term of who writes: a worker refuses those before it."""

    def __init__(self, epoch: int, send: Callable[[str, ToWorker], None]) -> None:
        """`send(worker, message)` may only be called for workers that are there; it is not for others."""
        self._epoch, self._send = epoch, send
        self._held: dict[str, _Held] = {}
        self._there: dict[str, int] = {}
        """workers that have said what they hold -> how many legs they take"""

    def __contains__(self, context: str) -> bool:
        return context in self._held

    @property
    def there(self) -> bool:
        """Whether any worker is."""
        return bool(self._there)

    def put(self, context: str, desired: Context) -> int:
        """A context shall be so from now on; returns the `rev` by which its worker will speak of that.

        Without a worker it waits for one.
        """
        held = self._held.get(context)
        if held is None:
            held = self._held[context] = _Held(desired)
        held.desired = desired
        held.rev += 1
        if not held.worker:
            held.worker = self._choose()
        self._say(context, held)
        return held.rev

    def drop(self, context: str) -> None:
        """A context shall not be any more."""
        held = self._held.pop(context, None)
        if held is not None and held.worker in self._there:
            self._send(held.worker, Drop(context, self._epoch))

    def arrived(self, worker: str, inventory: Inventory) -> None:
        """A worker is there, with these contexts: each is made what it shall be, or dropped."""
        self._there[worker] = inventory.capacity_legs or _FULL
        for context, rev, _ in inventory.contexts:
            held = self._held.get(context)
            if held is not None and not held.worker:
                held.worker = worker
            if held is None or held.worker != worker:
                self._send(worker, Drop(context, self._epoch))
            else:
                held.rev = max(held.rev, rev)
        for context, held in self._held.items():
            held.worker = held.worker or self._choose()
            if held.worker == worker:
                held.rev += 1
                self._say(context, held)

    def parted(self, worker: str) -> None:
        """A worker is away."""
        self._there.pop(worker, None)

    def rev(self, context: str) -> int:
        """The newest one of a context, 0 if there is none."""
        held = self._held.get(context)
        return held.rev if held else 0

    def _say(self, context: str, held: _Held) -> None:
        if held.worker in self._there:
            self._send(held.worker, Put(context, held.rev, self._epoch, held.desired))

    def _choose(self) -> str:
        """The worker that has most room left; empty if none is there."""
        legs = dict.fromkeys(self._there, 0)
        for held in self._held.values():
            if held.worker in legs:
                legs[held.worker] += len(held.desired.legs)
        return max(legs, key=lambda worker: self._there[worker] - legs[worker], default="")
