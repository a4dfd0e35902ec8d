"""The gate's driver: looks at the load, keeps the count of failed authentications, and says what was refused.

What may live here: the loop's side of the gate (its clock and timers) and what an operator sees of it. The rulings are
`adapters.sip.gate.gate`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import partial

import structlog

from adapters.sip.gate.gate import Failing, Gate, GateSettings, Knowledge
from adapters.sip.gate.overload import Controller, Measures
from adapters.sip.gate.source import Sources
from domain.base import Event
from domain.guard import FailureCount, Failures, GuardStreams
from domain.ids import home_of_guard
from domain.ports import JournalError
from domain.switchboard import NotOwned
from domain.values import Flow
from switchlog.node.strain import Strain
from switchlog.session.board import Board

_log = structlog.get_logger(__name__)
_LOOK_S = 0.025
_TELL_S = 60.0
_MARKS = 4096


class Sentry:
    """One process's gate (`adapters.sip.gate.gate.Witness`). All methods run on the loop's thread."""

    def __init__(
        self, settings: GateSettings, knowledge: Knowledge, secret: bytes, node: str, utc: Callable[[], datetime]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._utc = utc
        self._controller = Controller()
        self.gate = Gate(self._controller, Sources(settings.limits), settings.policy, knowledge, secret)
        self._failures, self._streams = FailureCount(), GuardStreams(node)
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)
        self._measures = Measures()
        self._told: dict[str, int] = {}
        self._tell_at = self._loop.time() + _TELL_S
        self._due = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, board: Board, load: Callable[[], Strain], tell: Callable[[Strain], None] | None = None) -> None:
        """Look at the load from now on: `load` is what the driver sees of it. `tell` is told what each look finds."""
        self._board, self._load, self._tell_strain = board, load, tell
        self._due = self._loop.time()
        self._look()

    def close(self) -> None:
        """Stop looking, and write what was counted until now."""
        if self._timer is not None:
            self._timer.cancel()
            self._record(self._failures.due(self._utc(), all_of_them=True))

    # --- adapters.sip.gate.gate.Witness

    def proved(self, flow: Flow, tenant: str, device: str) -> None:
        self.gate.proved(flow.remote, tenant, device, self._loop.time())

    def failed(self, flow: Flow, how: Failing, tenant: str = "") -> None:
        self.gate.failed(flow.remote, how, self._loop.time())
        if tenant:
            self._failures.note(tenant, self.gate.source(flow.remote), self._utc())

    # --- what an operator sees

    def metrics(self) -> Mapping[str, float]:
        """Numbers for `/metrics`."""
        ruled = {f"sip_gate_{name}_total": float(count) for name, count in asdict(self.gate.counters).items()}
        return ruled | {
            "sip_pressure": self._controller.pressure,
            "sip_sources": float(len(self.gate.sources)),
            "sip_lane_age_seconds": self._measures.lane_age_s,
            "sip_loop_lag_seconds": self._measures.loop_lag_s,
            "journal_age_seconds": self._measures.commit_age_s,
            "journal_waiting": float(self._measures.commits_waiting),
        }

    # --- inside

    def _look(self) -> None:
        now = self._loop.time()
        load = self._load()
        submitted, answered = self._board.waiting
        self._measures = Measures(
            commit_age_s=self._commit_age_s(now, submitted, answered),
            commits_waiting=submitted - answered,
            lane_age_s=load.delay_s,
            loop_lag_s=now - self._due,
            transactions=load.transactions,
        )
        self._controller.observe(self._measures, now)
        if self._tell_strain is not None:
            self._tell_strain(Strain(self._controller.delay_s(self._measures), load.transactions))
        if now >= self._tell_at:
            self._tell_at = now + _TELL_S
            self._tell()
        self._record(self._failures.due(self._utc()))
        self._due = now + _LOOK_S
        self._timer = self._loop.call_at(self._due, self._look)

    def _commit_age_s(self, now: float, submitted: int, answered: int) -> float:
        """Age of the oldest unanswered submission, to one look exactly: a mark a look, not a time a submission."""
        marks = self._marks
        while marks and marks[0][1] <= answered:
            marks.popleft()
        if submitted > answered and (not marks or marks[-1][1] < submitted):
            marks.append((now, submitted))
        return now - marks[0][0] if marks else 0.0

    def _record(self, over: tuple[Failures, ...]) -> None:
        for failures in over:
            shard = home_of_guard(failures.tenant, self._board.owns)
            try:
                self._board.append(shard, partial(self._events, failures, shard))
            except (JournalError, NotOwned) as error:
                _log.warning("failed authentications are not in the journal", reason=str(error), **_plain(failures))
            else:
                _log.warning("authentications failed", **_plain(failures))

    def _events(self, failures: Failures, shard: int, epoch: int) -> tuple[Event, ...]:
        return self._streams.events(failures, shard, epoch, self._utc())

    def _tell(self) -> None:
        """One line a minute for each kind of ruling that went on."""
        counters = asdict(self.gate.counters)
        for name, count in counters.items():
            new = count - self._told.get(name, 0)
            if new:
                _log.warning("gate", ruling=name, count=new, in_s=_TELL_S)
        if counters["bans"] != self._told.get("bans", 0):
            _log.warning("gate banned sources", latest=list(self.gate.latest_bans))
        self._told = counters


def _plain(failures: Failures) -> dict[str, object]:
    return {"tenant": failures.tenant, "count": failures.count, "sources": failures.sources}
