"""Media workers and the contexts that they hold: which worker has which, and what it was told last.

What may live here: that bookkeeping, and when a context is said again. Sans-IO: messages leave by `send`, and what came
is told. What a context is about is not known here, only in whose shard it is.

A context stays with its worker while the two cannot hear each other. When the worker is dead, another one that is there
takes its contexts over, with the same ports: best the spare one, which has nothing to do until then.
Several processes may have the same workers: each says what shall be in its own shards, and touches nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from adapters.media.staff import Staff
from media.wire import Context, Drop, Inventory, Left, Load, Put, Retire, ToWorker

_MOVES_AT_ONCE = 4
"""So many contexts at a time leave a worker that ends: each is silent until another one has it."""


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

    __slots__ = ("desired", "epoch", "moves", "rev", "worker")

    def __init__(self, desired: Context, worker: str = "", rev: int = 0) -> None:
        self.desired = desired
        self.worker, self.rev = worker, rev
        self.epoch = 0
        self.moves = False
        """whether its worker was told to leave it to another one, and has not said that it did"""


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
        self._staff = Staff(workers)
        self._held: dict[str, _Held] = {}
        self._strays: dict[str, _Stray] = {}
        self._takeovers = self._moves = 0

    def __contains__(self, context: str) -> bool:
        return context in self._held

    @property
    def there(self) -> bool:
        """Whether any worker is."""
        return bool(self._staff.there)

    def has(self, worker: str) -> bool:
        """Whether a worker is there."""
        return worker in self._staff

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
        if not held.worker and self._staff.is_known:
            held.worker = self._staff.best(self._legs())
        self._say(context, held)
        return held.rev

    def drop(self, context: str) -> None:
        """A context shall not be any more."""
        held, epoch = self._held.pop(context, None), self._epoch(context)
        if epoch is None:
            return
        # one that was put by another process before the shard came here may be anywhere
        for worker in (held.worker,) if held is not None else self._staff.there:
            if worker in self._staff:
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
        self._staff.arrived(worker, inventory)
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
                held.moves = False
                held.rev += 1
                self._say(context, held)
        self._known()
        self._move_on()

    def absent(self, worker: str) -> None:
        """A worker is not there, and so has nothing."""
        self._staff.absent(worker)
        self._known()

    def parted(self, worker: str) -> None:
        """A worker cannot be heard. What it makes of its contexts is not known."""
        self._staff.parted(worker)

    def died(self, worker: str) -> None:
        """A worker is no more, and its ports are free: another one that is there takes all that it had."""
        self._staff.died(worker)
        self._strays = {context: stray for context, stray in self._strays.items() if stray.worker != worker}
        self._place()

    def loaded(self, worker: str, load: Load) -> None:
        """A worker says, once a second, how busy it is; when it does so again, all have been heard that there are."""
        if worker in self._staff:
            self._staff.loaded(worker, load)
            self._known()

    def retires(self, worker: str) -> None:
        """A worker ends once it has nothing any more: what it has goes to others, one after the other."""
        self._staff.retires(worker)
        self._move_on()

    def left(self, worker: str, message: Left) -> None:
        """A worker says that another one may have a context now."""
        held = self._held.get(message.context)
        if held is None or not held.moves or held.worker != worker:
            return
        held.moves, held.worker = False, self._staff.heir(self._legs())
        held.rev += 1
        self._moves += 1
        self._say(message.context, held)
        self._move_on()

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
            **self._staff.metrics(),
            "media_contexts": float(len(self._held)),
            "media_takeovers_total": float(self._takeovers),
            "media_moves_total": float(self._moves),
        }

    def said_of(self, worker: str) -> dict[str, Any]:
        """A worker as operators see it; `contexts` are ours."""
        contexts = sum(held.worker == worker for held in self._held.values())
        return {**self._staff.said_of(worker), "contexts": contexts}

    def retire(self, worker: str) -> bool:
        """Let a worker end that is there, once others have what it has; whether there is another one for that."""
        if worker not in self._staff.retiring and not self._staff.others(worker):
            return False
        self._send(worker, Retire())
        return True

    # --- parts

    def _known(self) -> None:
        if self._staff.is_known:
            self._place()

    def _move_on(self) -> None:
        """Let those that end leave some more of what they have, as long as there is another one for it."""
        if not self._staff.heir({}):
            return
        for worker in self._staff.retiring:
            theirs = [(context, held) for context, held in self._held.items() if held.worker == worker]
            waiting = [(context, held) for context, held in theirs if not held.moves]
            for context, held in waiting[: max(0, _MOVES_AT_ONCE - len(theirs) + len(waiting))]:
                epoch = self._epoch(context)
                if epoch is not None:
                    held.moves = True
                    self._send(worker, Drop(context, epoch, moves=True))

    def _place(self) -> None:
        """Find workers for what has none: what one that died had stays together."""
        heirs: dict[str, str] = {}
        for context, held in self._held.items():
            if not (self._staff.is_dead(held.worker) if held.worker else self._staff.is_known):
                continue
            choose = self._staff.heir if held.worker else self._staff.best
            worker = heirs.get(held.worker) or choose(self._legs())
            if not worker:
                continue
            if held.worker and held.worker not in heirs:
                heirs[held.worker] = worker
                self._takeovers += 1
            held.worker, held.moves = worker, False
            held.rev += 1
            self._say(context, held)

    def _say(self, context: str, held: _Held) -> None:
        epoch = self._epoch(context)
        if epoch is None or held.moves or held.worker not in self._staff:
            return
        held.epoch = epoch
        self._send(held.worker, Put(context, held.rev, epoch, held.desired))

    def _end(self, strays: Collection[str]) -> None:
        """In the term in which they were put: who has said something since is not disturbed."""
        for context in strays:
            stray = self._strays.pop(context)
            if stray.worker in self._staff:
                self._send(stray.worker, Drop(context, stray.epoch))

    def _epoch(self, context: str) -> int | None:
        return self._terms.epoch(self._terms.shard(context))

    def _legs(self) -> Counter[str]:
        """How many each worker has of ours."""
        legs: Counter[str] = Counter()
        for held in self._held.values():
            legs[held.worker] += len(held.desired.legs)
        return legs
