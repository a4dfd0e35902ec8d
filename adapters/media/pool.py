"""Media workers and the contexts that they hold: which worker has which, and what it was told last.

What may live here: that bookkeeping, and when a context is said again. Sans-IO: messages leave by `send`, and what came
is told. What a context is about is not known here, only in whose shard it is.

A context stays with its worker while the two cannot hear each other. When the worker is dead, another one that is there
takes its contexts over, with the same ports: best the spare one, which has nothing to do until then.
Several processes may have the same workers: each says what shall be in its own shards, and touches nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from media.wire import Context, Drop, Inventory, Load, Put, ToWorker

_FULL = 1 << 30
"""How many legs a worker takes that does not say."""


class Terms(NamedTuple):
    """Who may say what of a context."""

    shard: Callable[[str], int]
    """the one that a context belongs to"""
    epoch: Callable[[int], int | None]
    """in which term this process owns a shard, None if it does not: a worker refuses earlier ones"""
    near: Callable[[int], bool]
    """whether a shard is, or was last, one of this node's: then a process here may go on with what it left"""


class _Held:
    """A context as it shall be; `worker` is empty as long as there is none for it."""

    __slots__ = ("desired", "epoch", "rev", "worker")

    def __init__(self, desired: Context, worker: str = "", rev: int = 0) -> None:
        self.desired = desired
        self.worker, self.rev = worker, rev
        self.epoch = 0


class _Stray(NamedTuple):
    """A context that a worker has, in a shard that is not ours: perhaps not yet, perhaps another process's."""

    worker: str
    rev: int
    epoch: int


class Pool:
    """The workers of this node."""

    def __init__(self, terms: Terms, send: Callable[[str, ToWorker], None], workers: Iterable[str] = ()) -> None:
        """`send(worker, message)` may only be called for workers that are there; it is not for others.

        `workers` are those that there may be: nothing is taken from one to another before it is known what each has.
        """
        self._terms, self._send = terms, send
        self._awaited = set(workers)
        self._has_spare = len(self._awaited) > 1
        self._dead: set[str] = set()
        self._held: dict[str, _Held] = {}
        self._strays: dict[str, _Stray] = {}
        self._there: dict[str, int] = {}
        """workers that have said what they hold -> how many legs they take"""
        self._load: dict[str, Load] = {}
        """what each said last of itself, whoever put the legs that it has"""
        self._late_ticks = self._takeovers = 0

    def __contains__(self, context: str) -> bool:
        return context in self._held

    @property
    def there(self) -> bool:
        """Whether any worker is."""
        return bool(self._there)

    def has(self, worker: str) -> bool:
        """Whether a worker is there."""
        return worker in self._there

    def put(self, context: str, desired: Context) -> int:
        """A context shall be so from now on; returns the `rev` by which its worker will speak of that.

        Without a worker it waits for one.
        """
        held = self._held.get(context)
        if held is None:
            stray = self._strays.pop(context, None)
            held = self._held[context] = _Held(desired, stray.worker, stray.rev) if stray else _Held(desired)
        held.desired = desired
        held.rev += 1
        if not held.worker and not self._awaited:
            held.worker = self._choose()
        self._say(context, held)
        return held.rev

    def drop(self, context: str) -> None:
        """A context shall not be any more."""
        held, epoch = self._held.pop(context, None), self._epoch(context)
        if epoch is None:
            return
        # one that was put by another process before the shard came here may be anywhere
        for worker in (held.worker,) if held is not None else tuple(self._there):
            if worker in self._there:
                self._send(worker, Drop(context, epoch))

    def leave(self, shard: int) -> None:
        """A shard is not ours any more. Its audio flows on until somebody says otherwise."""
        for context in [one for one in self._held if self._terms.shard(one) == shard]:
            held = self._held.pop(context)
            if held.epoch:
                self._strays[context] = _Stray(held.worker, held.rev, held.epoch)

    def moved(self, shards: Collection[int]) -> None:
        """Shards were claimed by others: if those are no processes of this node, nobody goes on here."""
        gone = {shard for shard in shards if self._terms.epoch(shard) is None and not self._terms.near(shard)}
        self._end([one for one in self._strays if self._terms.shard(one) in gone])

    def sweep(self) -> None:
        """What was left over in shards that are ours now, and shall not be: after all has been put that shall."""
        if self._strays:
            self._end([one for one in self._strays if self._epoch(one) is not None])

    def arrived(self, worker: str, inventory: Inventory) -> None:
        """A worker is there, with these contexts: each of our shards is made what it shall be, or dropped."""
        self._there[worker] = inventory.capacity_legs or _FULL
        self._dead.discard(worker)
        self._strays = {context: stray for context, stray in self._strays.items() if stray.worker != worker}
        for context, rev, epoch in inventory.contexts:
            held = self._held.get(context)
            if held is not None and not held.worker:
                held.worker = worker
            if held is not None and held.worker == worker:
                held.rev = max(held.rev, rev)
            elif (mine := self._epoch(context)) is not None:
                self._send(worker, Drop(context, mine))
            elif self._terms.near(self._terms.shard(context)):
                self._strays[context] = _Stray(worker, rev, epoch)
            else:
                self._send(worker, Drop(context, epoch))
        for context, held in self._held.items():
            if held.worker == worker:
                held.rev += 1
                self._say(context, held)
        self._known(worker)

    def absent(self, worker: str) -> None:
        """A worker is not there, and so has nothing."""
        self._known(worker)

    def parted(self, worker: str) -> None:
        """A worker cannot be heard. What it makes of its contexts is not known."""
        self._there.pop(worker, None)
        self._load.pop(worker, None)

    def died(self, worker: str) -> None:
        """A worker is no more, and its ports are free: another one that is there takes all that it had."""
        self.parted(worker)
        self._dead.add(worker)
        self._awaited.discard(worker)
        self._strays = {context: stray for context, stray in self._strays.items() if stray.worker != worker}
        self._place()

    def loaded(self, worker: str, load: Load) -> None:
        """A worker says, once a second, how busy it is; when it does so again, all have been heard that there are."""
        if worker not in self._there:
            return
        if worker in self._load:
            self._awaited.clear()
            self._place()
        self._load[worker] = load
        self._late_ticks += load.late_ticks

    def worker_of(self, context: str) -> str:
        """The worker that has it, be it away; empty if there is none."""
        held = self._held.get(context)
        return held.worker if held else ""

    def rev(self, context: str) -> int:
        """The newest one of a context, 0 if there is none."""
        held = self._held.get(context)
        return held.rev if held else 0

    def metrics(self) -> dict[str, float]:
        """Numbers of the workers that are there; of loads the highest."""
        return {
            "media_workers": float(len(self._there)),
            "media_contexts": float(len(self._held)),
            "media_legs": float(sum(map(self._legs_of, self._there))),
            "media_pressure": max((one.busy / 1000 for one in self._load.values()), default=0.0),
            "media_late_ticks_total": float(self._late_ticks),
            "media_takeovers_total": float(self._takeovers),
        }

    # --- parts

    def _legs_of(self, worker: str) -> int:
        load = self._load.get(worker)
        return load.legs if load else 0

    def _known(self, worker: str) -> None:
        self._awaited.discard(worker)
        if not self._awaited:
            self._place()

    def _place(self) -> None:
        """Find workers for what has none: what one that died had stays together."""
        heirs: dict[str, str] = {}
        for context, held in self._held.items():
            if self._awaited if not held.worker else held.worker not in self._dead:
                continue
            worker = heirs.get(held.worker) or (self._heir() if held.worker else self._choose())
            if not worker:
                continue
            if held.worker and held.worker not in heirs:
                heirs[held.worker] = worker
                self._takeovers += 1
            held.worker = worker
            held.rev += 1
            self._say(context, held)

    def _say(self, context: str, held: _Held) -> None:
        epoch = self._epoch(context)
        if epoch is None or held.worker not in self._there:
            return
        held.epoch = epoch
        self._send(held.worker, Put(context, held.rev, epoch, held.desired))

    def _end(self, strays: Collection[str]) -> None:
        """In the term in which they were put: who has said something since is not disturbed."""
        for context in strays:
            stray = self._strays.pop(context)
            if stray.worker in self._there:
                self._send(stray.worker, Drop(context, stray.epoch))

    def _epoch(self, context: str) -> int | None:
        return self._terms.epoch(self._terms.shard(context))

    def _choose(self) -> str:
        """The worker that has most room left, but for the last idle one: that is the spare. Empty if none is there."""
        room = self._room()
        idle = [worker for worker in sorted(room) if room[worker] == self._there[worker]]
        spare = idle[-1] if idle and self._has_spare and len(room) > 1 else ""
        return max((worker for worker in sorted(room) if worker != spare), key=room.__getitem__, default="")

    def _heir(self) -> str:
        """The worker that takes over: the one with the fewest legs. Empty if none is there."""
        room = self._room()
        return max(sorted(room, reverse=True), key=room.__getitem__, default="")

    def _room(self) -> dict[str, int]:
        """How many legs more each worker that is there can take."""
        legs = dict.fromkeys(self._there, 0)
        for held in self._held.values():
            if held.worker in legs:
                legs[held.worker] += len(held.desired.legs)
        return {worker: most - max(legs[worker], self._legs_of(worker)) for worker, most in self._there.items()}
