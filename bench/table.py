"""The rows of the table, as text for people and as JSON for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measured thing beside its yardstick of the same run, both in `unit`.

    `worst` holds what a mean hides (`p99 ms`, `failed`, `retransmissions`), `facts` how the figure came about
    (`asked /s`). `more_is_better` tells how to read the ratio: of work per second more is better, of time less.
    """

    name: str
    figure: float
    unit: str
    yardstick: str
    yardstick_figure: float
    more_is_better: bool = False
    worst: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Figure over yardstick; NaN where there is no yardstick."""
        return self.figure / self.yardstick_figure if self.yardstick_figure else math.nan

    def as_dict(self) -> dict[str, Any]:
        """All of it for JSON, which has no NaN: null."""
        return {
            "name": self.name,
            "figure": _finite(self.figure),
            "unit": self.unit,
            "yardstick": self.yardstick,
            "yardstick_figure": _finite(self.yardstick_figure),
            "ratio": _finite(self.ratio),
            "more_is_better": self.more_is_better,
            "worst": {name: _finite(value) for name, value in self.worst.items()},
            "facts": {name: _finite(value) for name, value in self.facts.items()},
        }


@dataclass(frozen=True)
class Missing:
    """A row without a figure, and why: something is not installed here or, if `failed`, the measurement failed."""

    name: str
    reason: str
    failed: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "missing": self.reason, "failed": self.failed}


Line = Row | Missing


def number(value: float) -> str:
    """Three significant digits, thousands with commas; `-` for NaN."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 6)}f}"


def text_table(lines: Sequence[Line], title: str = "") -> Table:
    """The table for a terminal."""
    table = Table(title=title or None, title_justify="left", show_lines=True)
    table.add_column("what", overflow="fold")
    table.add_column("figure", justify="right")
    table.add_column("yardstick", overflow="fold")
    table.add_column("its figure", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("worst cases", overflow="fold")
    table.add_column("how", overflow="fold")
    for line in lines:
        table.add_row(*cells(line))
    return table


def markdown(lines: Sequence[Line]) -> str:
    """The table for the documentation."""
    head = "| what | figure | yardstick | its figure | ratio | worst cases | how |\n|---|--:|---|--:|--:|---|---|\n"
    return head + "".join(f"| {' | '.join(cells(line))} |\n" for line in lines)


def cells(line: Line) -> tuple[str, ...]:
    """What the columns hold."""
    if isinstance(line, Missing):
        return (line.name, "-", f"not measured: {line.reason}", "-", "-", "", "")
    return (
        line.name,
        f"{number(line.figure)} {line.unit}",
        line.yardstick,
        f"{number(line.yardstick_figure)} {line.unit}" if math.isfinite(line.yardstick_figure) else "-",
        number(line.ratio),
        _pairs(line.worst),
        _pairs(line.facts),
    )


def as_json(lines: Sequence[Line], machine: Mapping[str, Any]) -> str:
    """The file that a machine reads: the machine, then the rows."""
    return json.dumps({"machine": dict(machine), "rows": [line.as_dict() for line in lines]}, indent=2) + "\n"


def _pairs(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
