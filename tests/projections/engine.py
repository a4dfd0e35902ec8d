"""The parts of a projector over the real engine, and a warehouse that fails when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.journal.codec import decode
from domain.base import Event
from domain.ports import Record
from projections.follower import AT_ONCE, Pace
from projections.generation import Generations
from projections.ports import Source
from projections.projector import Projector
from switchlog.store.warehouse import schema
from tests.projections.histories import journal_of

Row = tuple[Any, ...]
T = TypeVar("T")


class Desk:
    """A journal in memory and a projector that fills `warehouse` from it."""

    def __init__(self, warehouse: Warehouse, records: Iterable[Record | Event] = (), *, batch: int = 1000) -> None:
        self.warehouse = warehouse
        self.journal = journal_of(records)
        self.batch = batch
        self.projector = self.restarted()

    def restarted(self) -> Projector:
        """Another projector over the same journal and tables, as after a crash."""
        self.projector = projector(self.warehouse, self.journal, batch=self.batch)
        return self.projector

    def settle(self) -> None:
        """Advance until there is nothing more to do."""
        while self.projector.advance():
            pass

    def job(self, kind: str, name: str = "all") -> dict[str, Any]:
        """Do a job; its last progress."""
        number = self.projector.request(kind, name)
        while self.projector.progress(number)["state"] == "running":
            self.projector.advance()
        return self.projector.progress(number)

    def select(self, sql: str) -> list[Row]:
        return self.warehouse.execute(sql)


def projector(warehouse: Warehouse | Flaky, journal: Source, *, batch: int = 1000, pace: Pace = AT_ONCE) -> Projector:
    return Projector(
        journal,
        Generations(warehouse, schema(), WarehouseError),
        decode,
        batch=batch,
        job_batch=2 * batch,
        pace=pace,
        poll_s=0.01,
    )


class Flaky:
    """Fails the statements (counted from 1) that `broken` picks; `late` = they are done and only the answer is lost."""

    def __init__(self, warehouse: Warehouse, broken: Callable[[int], bool], *, late: bool = False) -> None:
        self._warehouse, self._broken, self._late = warehouse, broken, late
        self.statements = 0

    def execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        return self._do(lambda: self._warehouse.execute(sql, parameters))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
        return self._do(lambda: self._warehouse.insert(table, columns, rows))

    def _do(self, action: Callable[[], T]) -> T:
        self.statements += 1
        broken = self._broken(self.statements)
        if broken and not self._late:
            raise WarehouseError("switched off", retryable=True)
        answer = action()
        if broken:
            raise WarehouseError("cut off", retryable=True)
        return answer
