"""What the counts of SIPp say of a cost."""

from __future__ import annotations

import math
from pathlib import Path

from bench.sipp import Stats, _last_line


def test_those_that_succeeded_bear_the_cost_of_the_failed_ones() -> None:
    assert Stats(10, 0, 0, 1.0, ()).each_ms(0.5) == 50.0
    assert Stats(5, 5, 0, 1.0, ()).each_ms(0.5) == 100.0


def test_there_is_no_cost_of_each_when_none_succeeded() -> None:
    assert math.isnan(Stats(0, 5, 0, 1.0, ()).each_ms(0.5))


def test_a_file_with_a_heading_only_has_no_figures(tmp_path: Path) -> None:
    path = tmp_path / "stats.csv"
    assert _last_line(path) is None
    path.write_text("ElapsedTime(C);FailedCall(C)\n")
    assert _last_line(path) is None
    path.write_text("ElapsedTime(C);FailedCall(C)\n00:00:01;0\n00:00:02;3\n")
    assert _last_line(path) == {"ElapsedTime(C)": "00:00:02", "FailedCall(C)": "3"}
