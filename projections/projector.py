"""The projector: the live follower and the jobs beside it, in one thread; asked and watched from others.

What may live here: the loop, its pace and its waiting after errors. The journal keeps what the warehouse cannot take
now: nothing is dropped, the cursor just stays where it is.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Any

import msgspec

from domain.ports import JournalError
from projections.follower import AT_ONCE, BATCH, Follower, Pace
from projections.generation import LIVE, Generations, State
from projections.ports import Decode, Source, Unavailable
from projections.projection import PROJECTIONS, named
from projections.rebuild import BATCH as JOB_BATCH
from projections.rebuild import Job, Outcome, Workshop, rebuild, target, verify

log = logging.getLogger(__name__)

POLL_S = 0.05
"""How often the journal is looked into while it flows slowly."""
PACE = Pace(urgent_s=0.2, busy_s=0.4, few=25, patient_s=1.0, records=20_000)
"""The engine's price is by batch, some ms of CPU a table, not by row. A record must be visible within a second of its
call's end; nobody waits for the rows of a call that goes on, for events and bindings as much."""
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
JOBS_REMEMBERED = 50

KINDS: Mapping[str, Callable[[Workshop, str], Job]] = {"rebuild": rebuild, "verify": verify}


class JobState(msgspec.Struct, frozen=True):
    """A job as others see it. `state` is `running` (also while it waits its turn), `done` or `failed`; `done`/`total`
    count records of the journal."""

    id: str
    kind: str
    name: str
    state: str = "running"
    phase: str = "waiting for its turn"
    done: int = 0
    total: int = 0
    detail: str = ""
    differences: list[Mapping[str, Any]] = []


class Projector:
    """`run` blocks in its own thread; everything else may be called from any."""

    def __init__(
        self,
        source: Source,
        generations: Generations,
        decode: Decode,
        *,
        pace: Pace = AT_ONCE,
        poll_s: float = POLL_S,
        batch: int = BATCH,
        job_batch: int = JOB_BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._generations, self._decode = source, generations, decode
        self._pace, self._poll_s, self._batch, self._job_batch, self._clock = pace, poll_s, batch, job_batch, clock
        self._live: Follower | None = None
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._lock = Lock()
        self._jobs: dict[str, JobState] = {}
        self._count = 0
        self._job: tuple[str, Job] | None = None
        self._trouble = ""
        self._status: list[dict[str, Any]] = []

    # --- for other threads

    def request(self, kind: str, name: str) -> str:
        """Ask for a `rebuild` or `verify` of projection `name` or `all`; returns the job's id. Raises ValueError."""
        if kind not in KINDS:
            raise ValueError(f"a job is one of {', '.join(KINDS)}, not {kind!r}")
        named(name)
        with self._lock:
            self._count += 1
            job = JobState(str(self._count), kind, name)
            self._jobs[job.id] = job
            for old in list(self._jobs)[:-JOBS_REMEMBERED]:
                if self._jobs[old].state in ("done", "failed"):
                    del self._jobs[old]
        self._wanted.put(job.id)
        return job.id

    def progress(self, job: str) -> dict[str, Any]:
        """How far a job is (`JobState`'s fields). Raises KeyError for one that is unknown."""
        with self._lock:
            state: dict[str, Any] = msgspec.to_builtins(self._jobs[job])
        return state

    def status(self) -> dict[str, Any]:
        """`projections`: name, generation, state, detail, cursor, rows, parked, updated_at of each; `trouble` is
        empty or says why nothing moves."""
        with self._lock:
            return {"projections": [dict(one) for one in self._status], "trouble": self._trouble}

    # --- the loop's thread

    def run(self, stop: Event) -> None:
        """Follow the journal and do the jobs until `stop`. Errors of the journal and the warehouse are waited out."""
        failures = 0
        while not stop.is_set():
            try:
                busy = self.advance()
                failures = 0
            except (Unavailable, JournalError) as error:
                self._fail(error, first=failures == 0)
                stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if not busy:
                stop.wait(self._poll_s)
        self._close_job("the projector was stopped")

    def advance(self) -> bool:
        """One round: a batch of the live follower and a step of the job. True = there is more to do at once.

        Raises Unavailable or JournalError; the next round goes on where this one stood.
        """
        live = self._live or self._open()
        self._live = live
        full = live.step(self._batch) >= self._batch
        working = self._advance_job(live)
        self._publish_status(live, full)
        return full or working

    def flush(self) -> None:
        """Write what was taken in and waits for more. Raises Unavailable."""
        if self._live is not None:
            self._live.flush()
            self._publish_status(self._live, full=False)

    def _open(self) -> Follower:
        """Take the live generations up, or begin the first; tidy up after jobs that never finished."""
        self._generations.prepare()
        known = self._generations.states()
        live = [self._current(name, known) for name in PROJECTIONS]
        keep = set()
        targets = [target(self._source, self._decode, state) for state in live]
        for one in targets:
            number, tables = one.state.generation, one.projection.tables
            self._generations.create(tables, number)
            self._generations.publish(tables, number)
            keep |= {(table, number) for table in tables}
        for table, number in self._generations.existing():
            if (table, number) not in keep:
                self._generations.drop((table,), number)
        self._generations.save([one.state for one in targets])
        for one in targets:
            one.set_aside = self._generations.parked(one.state.name, one.state.generation)
        return Follower(self._source, self._generations, targets, self._pace, self._clock)

    def _current(self, name: str, known: list[State]) -> State:
        """The live state of a projection, its revision raised; without one, the first or the next generation."""
        mine = [state for state in known if state.name == name]
        live = [state for state in mine if state.state == LIVE]
        if live:
            state = max(live, key=lambda one: one.generation)
        else:
            state = State(name, 1 + max((one.generation for one in mine), default=0), {}, LIVE)
        return msgspec.structs.replace(state, revision=state.revision + 1)

    def _advance_job(self, live: Follower) -> bool:
        """One step of the current job, or the start of the next one. True while there is one."""
        if self._job is None:
            try:
                wanted = self._wanted.get_nowait()
            except Empty:
                return False
            with self._lock:
                asked = self._jobs[wanted]
            shop = Workshop(self._source, self._generations, self._decode, live, self._job_batch)
            self._job = (wanted, KINDS[asked.kind](shop, asked.name))
        number, job = self._job
        try:
            at = next(job)
        except StopIteration as finished:
            self._finish(number, finished.value)
        except Exception as error:
            log.exception("job %s failed; the live projections go on", number)
            self._close_job(str(error) or repr(error))
        else:
            self._note(number, state="running", phase=at.phase, done=at.done, total=at.total)
            return not at.phase.startswith("waiting")
        return True

    def _finish(self, number: str, outcome: Outcome) -> None:
        self._job = None
        differences = [msgspec.to_builtins(one) for one in outcome.differences]
        records = outcome.records
        self._note(number, state="done", phase="", done=records, total=records, differences=differences)

    def _close_job(self, reason: str) -> None:
        """End the current job; what it built is dropped at the next start."""
        if self._job is not None:
            number, job = self._job
            self._job = None
            job.close()
            self._note(number, state="failed", detail=reason)

    def _note(self, number: str, **changes: Any) -> None:
        with self._lock:
            self._jobs[number] = msgspec.structs.replace(self._jobs[number], **changes)

    def _fail(self, error: Exception, *, first: bool) -> None:
        if first:
            log.warning("the projections wait: %s", error)
        with self._lock:
            self._trouble = str(error)

    def _publish_status(self, live: Follower, full: bool) -> None:
        status = [
            {
                "name": one.state.name,
                "generation": one.state.generation,
                "state": "behind" if full and one.state.state == LIVE else one.state.state,
                "detail": one.state.detail,
                "cursor": dict(one.state.cursor),
                "rows": one.state.rows,
                "parked": one.set_aside,
                "updated_at": one.state.updated_at.isoformat(),
            }
            for one in live.targets
        ]
        with self._lock:
            self._trouble = ""
            self._status = status
