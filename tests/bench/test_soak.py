"""The soak's verdict: what grew, what failed, and which minutes are compared."""

from __future__ import annotations

import json

import pytest

from bench.installation import ROLES
from bench.soak import WARM_MINUTES, Minute, as_json, compared, faults, report


def minute(memory_mb: float = 100.0, cpu_ms: float = 1.5, **changes: float) -> Minute:
    spent_ms = {"all": cpu_ms, **dict.fromkeys(ROLES, cpu_ms / 4)}
    one = Minute(3000, 3000, 0, 0, 0, spent_ms, 5.0, 20.0, 300.0, {"sessions": memory_mb, "api": 50.0})
    return one._replace(**changes)  # type: ignore[arg-type]


def test_a_quiet_hour_has_no_faults() -> None:
    assert faults([minute()] * 60) == []


@pytest.mark.parametrize(
    ("changes", "words"), [({"failed": 2}, "2 calls or registrations failed"), ({"lost": 1}, "1 calls have no record")]
)
def test_what_failed_is_said(changes: dict[str, float], words: str) -> None:
    assert faults([minute(), minute(**changes), minute()]) == [words]


def test_memory_that_grows_is_a_fault_and_memory_of_the_beginning_is_not() -> None:
    warming = [minute(60.0)] * WARM_MINUTES
    assert faults([*warming, *[minute()] * 30]) == []
    grown = faults([*warming, *[minute()] * 15, *[minute(120.0)] * 15])
    assert grown == ["memory of sessions MB grew from 100 to 120", "memory MB grew from 150 to 170"]
    assert faults([*[minute()] * 30, *[minute(104.0)] * 15]) == []


def test_the_first_ten_minutes_are_beside_the_last_ten() -> None:
    minutes = [minute(cpu_ms=float(number)) for number in range(60)]
    assert compared(minutes)["CPU ms a call and a REGISTER"] == (WARM_MINUTES + 4.5, 54.5)
    assert compared(minutes[:1])["CPU ms a call and a REGISTER"] == (0.0, 0.0)
    assert report(minutes).row_count == len(minutes[0].figures())


def test_the_file_has_every_minute_and_no_nan() -> None:
    found = json.loads(as_json([minute(record_p99_ms=float("nan"))], ["x"]))
    assert (len(found["minutes"]), found["minutes"][0]["end of call to record p99 ms"]) == (1, None)
    assert found["faults"] == ["x"]
