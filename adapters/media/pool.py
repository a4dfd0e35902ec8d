"""Media workers and the contexts that they hold: which worker has which, and what it was told last.

What may live here: that bookkeeping, and when a context is said again. Sans-IO: messages leave by `send`, and what came
is told. What a context is about is not known here, only in whose shard it is.

A context stays with its worker while the two cannot hear each other. When the worker is dead, another one that is there
takes its contexts over, with the same ports: best the spare one, which has nothing to do until then. One of more legs
than its worker takes is shared: each of several workers has a part of its legs.
Several processes may have the same workers: each says what shall be in its own shards, and touches nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from adapters.media.held import Found, Held, Part, RateHz
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


class Pool:
    """The workers of this node."""

    def __init__(
        self, terms: Terms, send: Callable[[str, ToWorker], None], rate_hz: RateHz, workers: Iterable[str] = ()
    ) -> None:
        """`send(worker, message)` may only be called for workers that are there; it is not for others.

        `workers` are those that there may be: nothing is taken from one to another before it is known what each has.
        """
        self._terms, self._send, self._rate_hz = terms, send, rate_hz
        self._staff = Staff(workers)
        self._held: dict[str, Held] = {}
        self._strays: dict[str, dict[str, Found]] = {}
        """contexts that workers have in shards that are not ours: perhaps not yet, perhaps another process's"""
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
        """A context shall be so from now on; returns the `rev` by which its workers will speak of that.

        Without a worker it waits for one.
        """
        held = self._held.get(context)
        if held is None:
            held = self._held[context] = Held(desired)
            for worker, found in self._strays.pop(context, {}).items():
                self._find(worker, context, found)
        held.change(desired)
        self._tidy(context, held)
        self._spread(held, self._staff.best)
        self._say(context, held)
        return held.rev

    def drop(self, context: str) -> None:
        """A context shall not be any more."""
        held, epoch = self._held.pop(context, None), self._epoch(context)
        if epoch is None:
            return
        # one that was put by another process before the shard came here may be anywhere
        for worker in [part.worker for part in held.parts] if held is not None else self._staff.there:
            if worker in self._staff:
                self._send(worker, Drop(context, epoch))

    def leave(self, shard: int) -> None:
        """A shard is not ours any more. Its audio flows on until somebody says otherwise."""
        for context in [one for one in self._held if self._terms.shard(one) == shard]:
            held = self._held.pop(context)
            if held.epoch:
                self._strays[context] = held.found()

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
        self._forget_strays(worker)
        for context, rev, epoch in inventory.contexts:
            self._find(worker, context, Found(rev, epoch, *inventory.spans.get(context, ())))
        for context, held in self._held.items():
            if (part := held.part_at(worker)) is not None:
                part.moves = False
                self._tidy(context, held)
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
        self._forget_strays(worker)
        self._place()

    def loaded(self, worker: str, load: Load) -> None:
        """A worker says, once a second, how busy it is; when it does so again, all have been heard that there are."""
        known = self._staff.is_known
        if worker in self._staff:
            self._staff.loaded(worker, load)
        if not known:
            self._known()
        self._move_on()

    def retires(self, worker: str) -> None:
        """A worker ends once it has nothing any more: what it has goes to others, one after the other."""
        self._staff.retires(worker)
        self._move_on()

    def left(self, worker: str, message: Left) -> None:
        """A worker says that others may have its part of a context now."""
        held = self._held.get(message.context)
        part = held.part_at(worker) if held is not None else None
        if held is not None and part is not None and part.moves:
            held.parts.remove(part)
            self._moves += bool(part.legs)
            self._spread(held, self._staff.heir)
            self._say(message.context, held)
        self._move_on()  # also where it has ended meanwhile: the next one may go

    def worker_of(self, context: str) -> str:
        """The worker that has it, or is its home, be it away; empty if there is none."""
        held = self._held.get(context)
        return held.home if held else ""

    def carrier(self, context: str, leg: str) -> str:
        """The worker that has a leg of a context, be it away; empty if there is none."""
        held = self._held.get(context)
        return held.carrier(leg) if held else ""

    def rev(self, context: str) -> int:
        """The newest one of a context, 0 if there is none."""
        held = self._held.get(context)
        return held.rev if held else 0

    def metrics(self) -> dict[str, float]:
        """Numbers of the workers that are there; of loads the highest."""
        return {
            **self._staff.metrics(),
            "media_contexts": float(len(self._held)),
            "media_contexts_shared": float(sum(len(held.parts) > 1 for held in self._held.values())),
            "media_takeovers_total": float(self._takeovers),
            "media_moves_total": float(self._moves),
        }

    def said_of(self, worker: str) -> dict[str, Any]:
        """A worker as operators see it; `contexts` are ours."""
        contexts = sum(held.part_at(worker) is not None for held in self._held.values())
        return {**self._staff.said_of(worker), "contexts": contexts}

    def retire(self, worker: str) -> bool:
        """Let a worker end that is there, once others have what it has; whether there is another one for that."""
        if worker not in self._staff.retiring and not self._staff.others(worker):
            return False
        self._send(worker, Retire())
        return True

    # --- what workers have

    def _find(self, worker: str, context: str, found: Found) -> None:
        held, mine = self._held.get(context), self._epoch(context)
        if held is not None and held.adopt(worker, found):
            return
        if mine is None and self._terms.near(self._terms.shard(context)):
            self._strays.setdefault(context, {})[worker] = found
        elif worker in self._staff:
            self._send(worker, Drop(context, found.epoch if mine is None else mine))

    def _forget_strays(self, worker: str) -> None:
        for found in self._strays.values():
            found.pop(worker, None)

    def _end(self, strays: Collection[str]) -> None:
        """In the term in which they were put: who has said something since is not disturbed."""
        for context in strays:
            for worker, found in self._strays.pop(context).items():
                if worker in self._staff:
                    self._send(worker, Drop(context, found.epoch))

    # --- who is to have what

    def _known(self) -> None:
        if self._staff.is_known:
            self._place()

    def _place(self) -> None:
        """Find workers for what has none: what one that died had stays together, if there is room."""
        heirs: dict[str, str] = {}
        for context, held in self._held.items():
            bereft = [part for part in held.parts if self._staff.is_dead(part.worker)]
            for part in bereft:
                if part.legs or len(held.parts) == 1:
                    self._inherit(held, part, heirs)
                else:
                    held.parts.remove(part)
            if self._spread(held, self._staff.heir if bereft else self._staff.best) or bereft:
                self._say(context, held)

    def _inherit(self, held: Held, part: Part, heirs: dict[str, str]) -> None:
        legs = self._legs()
        dead = part.worker
        heir = heirs.get(dead) or self._staff.heir(legs)
        if not heir:
            return
        if dead not in heirs:
            heirs[dead] = heir
            self._takeovers += 1
        if self._staff.room(heir, legs) < len(part.legs):
            heir = self._staff.heir(legs)
        if self._staff.room(heir, legs) < len(part.legs) and not held.desired.relayed:
            held.parts.remove(part)  # each leg of it goes where there is room
        else:
            held.inherit(part, heir)

    def _spread(self, held: Held, choose: Callable[[Mapping[str, int]], str]) -> bool:
        """Find workers for legs that have none: the context's, as far as they have room. Whether it found any."""
        if not self._staff.is_known and (not held.parts or held.shared):
            return False
        waiting = held.waiting()
        if held.parts and not waiting:
            return False
        legs, before = self._legs(), len(held.parts)
        for leg in waiting:
            part = self._part_for(held, legs, choose)
            if part is None:
                break
            part.legs.add(leg)
            legs[part.worker] += 1
        if not held.parts and (worker := choose(legs)):
            held.parts.append(Part(worker))
        return len(held.parts) > before or len(held.waiting()) < len(waiting)

    def _part_for(self, held: Held, legs: Mapping[str, int], choose: Callable[[Mapping[str, int]], str]) -> Part | None:
        able = [part for part in held.parts if not part.moves]
        found = next((part for part in able if self._staff.room(part.worker, legs) > 0), None)
        if found is not None or (able and held.desired.relayed):
            return found or able[0]
        worker = choose(legs)
        if worker and held.part_at(worker) is None and (not able or self._staff.room(worker, legs) > 0):
            held.parts.append(Part(worker))
            return held.parts[-1]
        return able[0] if able else None  # it says that it has no room

    def _tidy(self, context: str, held: Held) -> None:
        """A worker without a leg of a context is of no use to it, not even as its home."""
        for part in held.parts if len(held.parts) > 1 else ():
            if not part.legs and not part.moves:
                self._let_leave(context, part)

    def _move_on(self) -> None:
        """Let those that end leave some more of what they have, as long as there is room for it elsewhere."""
        for worker in self._staff.retiring:
            theirs = [(name, part) for name, held in self._held.items() if (part := held.part_at(worker)) is not None]
            waiting = [(context, part) for context, part in theirs if not part.moves]
            for context, part in waiting[: max(0, _MOVES_AT_ONCE - len(theirs) + len(waiting))]:
                moving = sum(len(part.legs) for _, part in theirs if part.moves)
                relayed = self._held[context].desired.relayed
                if self._staff.could_have(moving + len(part.legs), relayed and not moving, self._legs()):
                    self._let_leave(context, part)

    def _let_leave(self, context: str, part: Part) -> None:
        epoch = self._epoch(context)
        if epoch is not None and part.worker in self._staff:
            part.moves = True
            self._send(part.worker, Drop(context, epoch, moves=True))

    def _say(self, context: str, held: Held) -> None:
        held.rev += 1
        epoch = self._epoch(context)
        if epoch is None:
            return
        for worker, desired in held.divided(self._rate_hz):
            if worker in self._staff:
                held.epoch = epoch
                self._send(worker, Put(context, held.rev, epoch, desired))

    def _epoch(self, context: str) -> int | None:
        return self._terms.epoch(self._terms.shard(context))

    def _legs(self) -> Counter[str]:
        """How many each worker has of ours."""
        legs: Counter[str] = Counter()
        for held in self._held.values():
            for part in held.parts:
                legs[part.worker] += len(part.legs)
        return legs
