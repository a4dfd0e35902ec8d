"""The table as text, as Markdown and as JSON, and the arguments of the command."""

from __future__ import annotations

import json
import math
from io import StringIO

import pytest
from rich.console import Console

from bench.__main__ import ROWS, arguments
from bench.table import Line, Missing, Row, as_json, cells, markdown, number, text_table

REGISTER = Row("REGISTER", 0.25, "ms", "echo", 0.05, worst={"failed": 0, "p99 ms": 3.25}, facts={"asked /s": 2000})
NO_YARDSTICK = Row("memory", 9.5, "kB", "none", math.nan)
LINES: list[Line] = [REGISTER, NO_YARDSTICK, Missing("call", "sipp is not installed")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.0001234, "0.000123"),
        (0.25, "0.250"),
        (3.0, "3.00"),
        (57.34, "57.3"),
        (999.6, "1,000"),
        (65432.1, "65,432"),
        (-2.0, "-2.00"),
        (math.nan, "-"),
        (math.inf, "-"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_ratio_is_figure_over_yardstick() -> None:
    assert REGISTER.ratio == pytest.approx(5)
    assert math.isnan(NO_YARDSTICK.ratio)
    assert math.isnan(Row("x", 1.0, "ms", "nothing", 0.0).ratio)


def test_a_line_of_the_table() -> None:
    assert cells(REGISTER) == (
        "REGISTER",
        "0.250 ms",
        "echo",
        "0.0500 ms",
        "5.00",
        "failed 0, p99 ms 3.25",
        "asked /s 2,000",
    )
    assert cells(NO_YARDSTICK)[3:5] == ("-", "-")


def test_a_missing_row_says_why() -> None:
    assert "sipp is not installed" in cells(LINES[2])[2]


def test_markdown_has_a_line_a_row_and_as_many_cells() -> None:
    lines = markdown(LINES).splitlines()
    assert len(lines) == 2 + len(LINES)
    assert {line.count("|") for line in lines} == {8}


def test_text_has_all_rows() -> None:
    out = StringIO()
    Console(file=out, width=170).print(text_table(LINES, "title"))
    assert all(word in out.getvalue() for word in ("title", "REGISTER", "0.250 ms", "memory", "sipp is not installed"))


def test_json_has_every_figure_and_no_nan() -> None:
    document = json.loads(as_json(LINES, {"cores": 2}), parse_constant=pytest.fail)
    assert document["machine"] == {"cores": 2}
    register, memory, call = document["rows"]
    assert register["figure"] == 0.25
    assert register["ratio"] == pytest.approx(5)
    assert register["worst"] == {"failed": 0, "p99 ms": 3.25}
    assert register["facts"] == {"asked /s": 2000}
    assert memory["yardstick_figure"] is None
    assert call == {"name": "call", "missing": "sipp is not installed", "failed": False}


def test_all_rows_are_measured_unless_some_are_named() -> None:
    assert arguments([]).rows == []
    assert arguments(["--quick", *ROWS]).rows == list(ROWS)


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments(["registre"])
    assert ended.value.code == 2
    assert "no row is called registre" in capsys.readouterr().err
