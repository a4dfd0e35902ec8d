"""The media workers of this node: which are there, how many legs each takes, and which of them is the best for more.

What may live here: that, by what they said of themselves. Which contexts they have is the pool's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from media.wire import Inventory, Load

_FULL = 1 << 30
"""How many legs a worker takes that does not say."""


class Staff:
    """`legs` of a method say how many the workers have that have any; one may have more than that by its own word."""

    def __init__(self, workers: Iterable[str]) -> None:
        """`workers` are those that there may be."""
        self._awaited = set(workers)
        self._most = len(self._awaited)
        self._dead: set[str] = set()
        self._capacity: dict[str, int] = {}
        """of those that have said what they hold"""
        self._retiring: set[str] = set()
        self._load: dict[str, Load] = {}
        """what each said last of itself, whoever put the legs that it has"""
        self._late_ticks = 0

    def __contains__(self, worker: object) -> bool:
        return worker in self._capacity

    @property
    def there(self) -> tuple[str, ...]:
        """Those that have said what they hold."""
        return tuple(self._capacity)

    @property
    def is_known(self) -> bool:
        """Whether there is none of which nobody knows yet what it has."""
        return not self._awaited

    @property
    def retiring(self) -> tuple[str, ...]:
        """Those that are there and are about to end."""
        return tuple(worker for worker in self._capacity if worker in self._retiring)

    def is_dead(self, worker: str) -> bool:
        return worker in self._dead

    # --- what is heard of them

    def arrived(self, worker: str, inventory: Inventory) -> None:
        self._capacity[worker] = inventory.capacity_legs or _FULL
        self._dead.discard(worker)
        self._awaited.discard(worker)
        self._retiring.discard(worker)
        if inventory.retires:
            self._retiring.add(worker)

    def absent(self, worker: str) -> None:
        self._awaited.discard(worker)

    def retires(self, worker: str) -> None:
        self._retiring.add(worker)

    def parted(self, worker: str) -> None:
        self._capacity.pop(worker, None)
        self._load.pop(worker, None)

    def died(self, worker: str) -> None:
        self.parted(worker)
        self._dead.add(worker)
        self._awaited.discard(worker)

    def loaded(self, worker: str, load: Load) -> None:
        """When it says so again, once a second, all have been heard that there are."""
        if worker in self._load:
            self._awaited.clear()
        self._load[worker] = load
        self._late_ticks += load.late_ticks

    # --- who is to have more

    def best(self, legs: Mapping[str, int]) -> str:
        """The one that has most room left, but for the last idle one: that is the spare. Empty if none is there.

        While one is away already the spare is better than none with room.
        """
        room = self._room(legs) or self._room(legs, self._retiring)
        idle = [worker for worker in sorted(room) if room[worker] == self._capacity[worker]]
        spare = idle[-1] if idle and self._most > 1 and len(room) > 1 else ""
        found = max((worker for worker in sorted(room) if worker != spare), key=room.__getitem__, default="")
        return spare if spare and room[found] <= 0 and len(room) < self._most else found

    def heir(self, legs: Mapping[str, int]) -> str:
        """The one that takes over: that with the fewest legs, be it the spare. Empty if none is there."""
        room = self._room(legs) or self._room(legs, self._retiring)
        return max(sorted(room, reverse=True), key=room.__getitem__, default="")

    def could_have(self, more: int, whole: bool, legs: Mapping[str, int]) -> bool:
        """Whether there is room for so many legs more at those that stay; `whole`: at one of them."""
        room = [max(free, 0) for free in self._room(legs).values()]
        return bool(room) and (max(room) if whole else sum(room)) >= more

    def room(self, worker: str, legs: Mapping[str, int]) -> int:
        """How many legs more a worker can take, as far as is known."""
        return self._capacity.get(worker, _FULL) - max(legs.get(worker, 0), self._legs_of(worker))

    def metrics(self) -> dict[str, float]:
        """Of loads the highest."""
        return {
            "media_workers": float(len(self._capacity)),
            "media_legs": float(sum(map(self._legs_of, self._capacity))),
            "media_pressure": max((one.busy / 1000 for one in self._load.values()), default=0.0),
            "media_late_ticks_total": float(self._late_ticks),
        }

    def said_of(self, worker: str) -> dict[str, Any]:
        """A worker as operators see it."""
        load = self._load.get(worker, Load(0, 0))
        there, draining = worker in self._capacity, worker in self._retiring and worker in self._capacity
        return {"there": there, "draining": draining, "legs": load.legs, "pressure": load.busy / 1000}

    def others(self, worker: str) -> bool:
        """Whether somebody else is there who could have what a worker has."""
        return any(one != worker and one not in self._retiring for one in self._capacity)

    def _legs_of(self, worker: str) -> int:
        load = self._load.get(worker)
        return load.legs if load else 0

    def _room(self, legs: Mapping[str, int], retiring: Collection[str] = ()) -> dict[str, int]:
        """How many legs more each can take of those that stay, and of these that do not."""
        able = [worker for worker in self._capacity if worker in retiring or worker not in self._retiring]
        return {worker: self.room(worker, legs) for worker in able}
