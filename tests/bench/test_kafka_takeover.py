"""When a take-over counts as done, by the survivor's log."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bench.kafka_takeover import seen

KILLED_AT = 1_000.0


Line = tuple[float, str, dict[str, object]]


def log(*lines: Line) -> str:
    said = [
        json.dumps({"event": event, "timestamp": datetime.fromtimestamp(at, UTC).isoformat(), **values})
        for at, event, values in lines
    ]
    return "\n".join(["no JSON", *said, '{"event": "of no time"}'])


BEFORE: list[Line] = [
    (990.0, "the nodes are", {"nodes": "a, b"}),
    (995.0, "shards taken over", {"calls": 7, "shards": "0-31"}),
]
AFTER: list[Line] = [
    (1003.0, "the nodes are", {"nodes": "b"}),
    (1003.5, "shards taken over", {"calls": 6, "shards": "32-40"}),
    (1003.8, "shards taken over", {"calls": 4, "shards": "41-63"}),
]


def test_it_counts_from_when_the_failure_is_seen_to_the_last_call() -> None:
    assert seen(log(*BEFORE, *AFTER), KILLED_AT, 10) == pytest.approx((3.0, 0.8))


@pytest.mark.parametrize("lines", [BEFORE, [*BEFORE, *AFTER[:2]], [*BEFORE, *AFTER[1:]]])
def test_it_is_not_done_before_all_calls_are_there_and_the_failure_is_seen(
    lines: list[Line],
) -> None:
    assert seen(log(*lines), KILLED_AT, 10) is None
