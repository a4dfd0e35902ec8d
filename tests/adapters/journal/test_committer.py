"""The pace of commits, and the order of what they answer, with a clock that the test drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import pytest

from adapters.journal.committer import Committer, at_once
from adapters.journal.pace import Pace, PaceLimits
from adapters.journal.submission import Outcome, Submission
from domain.ports import JournalError, OwnershipLost
from tests.conformance.record import TIMEOUT_S, records, stream

PACE_S = 0.002
STEADY = PaceLimits(least_s=PACE_S, most_s=PACE_S)


class Written:
    """Transactions that remember the groups, each as the shards of its submissions."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.fails: Callable[[], None] = lambda: None

    def append(self, group: Sequence[Submission]) -> list[Outcome]:
        self.groups.append([submission.shard for submission in group])
        self.fails()
        return [submission.shard for submission in group]

    def claim(self, shards: Sequence[int], node: str) -> Mapping[int, int]:
        return dict.fromkeys(shards, 1)

    def release(self, shards: Sequence[int]) -> None:
        pass

    def close(self) -> None:
        pass


class Table:
    """A committer whose clock stands still unless it sleeps; `meanwhile` is what happens while it does."""

    def __init__(self, limits: PaceLimits | None = STEADY) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.told: list[int | OwnershipLost] = []
        self.written = Written()
        pace = Pace(limits) if limits else None
        self.committer = Committer(self.written, at_once, 10_000, pace, clock=lambda: self.now_s, sleep=self._sleep)

    def _sleep(self, duration_s: float) -> None:
        self.slept_s.append(round(duration_s, 6))
        self.now_s += duration_s
        self.meanwhile()

    def submit(self, shard: int, rows: int = 1) -> None:
        self.committer.submit(Submission(shard, 1, records(stream("a"), 1, rows), self.told.append))

    def append(self, shard: int, rows: int = 1) -> None:
        """Submit and wait for the answer."""
        durable = Event()

        def done(outcome: int | OwnershipLost) -> None:
            self.told.append(outcome)
            durable.set()

        self.committer.submit(Submission(shard, 1, records(stream("a"), 1, rows), done))
        assert durable.wait(TIMEOUT_S)


def test_what_comes_after_a_quiet_moment_is_committed_at_once() -> None:
    table = Table()
    table.append(1)
    table.now_s += PACE_S
    table.append(2)
    assert table.slept_s == []
    assert table.written.groups == [[1], [2]]
    table.committer.close()


def test_what_comes_too_soon_waits_for_the_pace_and_goes_with_what_comes_meanwhile() -> None:
    table = Table()
    table.append(1)
    table.now_s += 0.0005

    def meanwhile() -> None:
        table.submit(3)
        table.submit(4)

    table.meanwhile = meanwhile
    table.append(2)
    table.committer.close()
    assert table.slept_s == [0.0015]
    assert table.written.groups == [[1], [2, 3, 4]]
    assert table.told == [1, 2, 3, 4]


def test_the_pace_is_kept_by_groups_that_follow_each_other() -> None:
    table = Table()
    for shard in (1, 2, 3):
        table.append(shard)
    table.committer.close()
    assert table.slept_s == [PACE_S, PACE_S]


def test_the_pace_grows_with_the_records_that_come_and_is_the_least_again_after_a_quiet_moment() -> None:
    table = Table(PaceLimits(least_s=0.002, most_s=0.005, slow=400, fast=1500, remembers_s=0.25))
    table.append(1, rows=1000)
    table.append(2)
    table.now_s += 5
    table.append(3)
    table.append(4)
    table.committer.close()
    assert table.slept_s == [0.005, 0.002]


def test_nobody_waits_without_a_pace() -> None:
    table = Table(limits=None)
    for shard in (1, 2, 3):
        table.append(shard)
    table.committer.close()
    assert table.slept_s == []
    assert table.told == [1, 2, 3]


def test_a_claim_waits_for_no_pace() -> None:
    table = Table()
    table.append(1)
    assert table.committer.claim((1,), "node") == {1: 1}
    assert table.slept_s == []
    table.committer.close()


def test_a_group_that_fails_is_told_so_in_order_and_the_next_is_committed() -> None:
    table = Table()

    def fail() -> None:
        raise MemoryError("no room for the group")

    table.written.fails = fail
    table.append(1)
    table.written.fails = lambda: None
    table.append(2)
    table.committer.close()
    assert isinstance(table.told[0], OwnershipLost)
    assert table.told[1:] == [2]


def test_a_call_has_its_place_in_line_and_its_fault_is_its_callers() -> None:
    table = Table()
    for shard in (1, 2):
        table.submit(shard)
    groups = table.committer.call(lambda: list(table.written.groups))
    assert [shard for group in groups for shard in group] == [1, 2]
    with pytest.raises(ZeroDivisionError):
        table.committer.call(lambda: 1 // 0)
    table.append(3)
    assert table.written.groups[-1] == [3]
    table.committer.close()
    with pytest.raises(JournalError, match="closed"):
        table.committer.call(lambda: None)
