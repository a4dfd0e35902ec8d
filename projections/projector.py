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

from domain.cursor import covers, cursor_word, lag
from domain.ports import Cursor, JournalError
from projections.crew import Crew
from projections.follower import AT_ONCE, BATCH, Follower, Pace, Target
from projections.generation import LIVE, Generations, State
from projections.ports import Decode, Source, Unavailable
from projections.projection import PROJECTIONS, named
from projections.rebuild import Job, Outcome, Workshop, rebuild, verify
from projections.rebuilding import BATCH as JOB_BATCH
from projections.rebuilding import target

log = logging.getLogger(__name__)

POLL_S = 0.1
"""How often the journal is looked into while it flows slowly."""
IDLE_S = 0.5
"""How long a source may wait for records at a time where it can and nothing is to be written."""
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
        crew: Crew | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._generations, self._decode, self._crew = source, generations, decode, crew
        self._pace, self._poll_s, self._batch, self._job_batch, self._clock = pace, poll_s, batch, job_batch, clock
        self._live: Follower | None = None
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._lock = Lock()
        self._jobs: dict[str, JobState] = {}
        self._count = 0
        self._job: tuple[str, Job] | None = None
        self._trouble = ""
        self._status: list[tuple[Cursor, dict[str, Any]]] = []
        self._unreadable = 0

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

    @property
    def trouble(self) -> str:
        """Empty, or why nothing moves."""
        with self._lock:
            return self._trouble

    def status(self) -> list[dict[str, Any]]:
        """Of each projection: name, generation, state, detail, rows, parked, updated_at, cursor (as one word), and lag:
        how many positions of the journal its tables are behind. Blocks. Raises JournalError."""
        end = self._source.end()
        with self._lock:
            known = list(self._status)
        return [{**one, "cursor": cursor_word(cursor), "lag": lag(cursor, end)} for cursor, one in known]

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`. Blocks. Raises JournalError."""
        status = self.status()
        return {
            "projection_lag": float(max((one["lag"] for one in status), default=0)),
            "projection_parked_records": float(sum(one["parked"] for one in status)),
            "journal_unreadable_total": float(self._unreadable),
        }

    # --- the loop's thread

    def run(self, stop: Event) -> None:
        """Follow the journal and do the jobs until `stop`. Errors of the journal and the warehouse are waited out."""
        failures = 0
        while not stop.is_set():
            begun = self._clock()
            try:
                busy = self.advance(self._patience_s())
                failures = 0
            except (Unavailable, JournalError) as error:
                self._fail(error, first=failures == 0)
                stop.wait(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)])
                failures += 1
                continue
            if not busy:
                stop.wait(max(0.0, self._poll_s - (self._clock() - begun)))
        self._close_job("the projector was stopped")

    def advance(self, wait_s: float = 0.0) -> bool:
        """One round: a batch of the live follower and a step of the job. True = there is more to do at once.

        A source that can do so waits for the first record up to `wait_s`.

        Raises Unavailable or JournalError; the next round goes on where this one stood.
        """
        live = self._live or self._open()
        self._live = live
        try:
            full = live.step(self._batch, wait_s) >= self._batch
        except Unavailable as error:
            if not error.retryable:  # such as tables that another projector has replaced: the books name those of now
                self._live = None
                self._close_job(str(error))
            raise
        working = self._advance_job(live)
        self._publish_status(live, full)
        return full or working

    def _patience_s(self) -> float:
        """How long the next round may wait for records: not at all for whom there is other work."""
        if self._live is None or self._job is not None or not self._wanted.empty():
            return 0.0
        return self._poll_s if self._live.waiting else IDLE_S

    def catch_up(self, going_on: Callable[[], bool]) -> None:
        """Take in what the journal has by now and write it, as long as `going_on()`. Raises as `advance`."""
        goal = self._source.end()
        before: Cursor | None = None
        while going_on() and (self._live is None or before != self._live.cursor):
            before = self._live.cursor if self._live is not None else None
            self.advance()
            if self._live is not None and covers(self._live.cursor, goal):
                break
        self.flush()

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
            shop = Workshop(self._source, self._generations, self._decode, live, self._job_batch, self._crew)
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
            return not at.waits
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
        status = [(live.written_to(one), _shown(one, full)) for one in live.targets]
        with self._lock:
            self._trouble = ""
            self._status = status
            self._unreadable = live.unreadable


def _shown(one: Target, full: bool) -> dict[str, Any]:
    return {
        "name": one.state.name,
        "generation": one.state.generation,
        "state": "behind" if full and one.state.state == LIVE else one.state.state,
        "detail": one.state.detail,
        "rows": one.state.rows,
        "parked": one.set_aside,
        "updated_at": one.state.updated_at.isoformat(),
    }
