"""`python -m bench [ROW]... [--quick] [--json FILE]`: measure, print one table, write the figures as JSON."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from bench import group, kafka_group, media_group
from bench.table import Line, Missing, as_json, markdown, text_table
from scripts.interpreter import optimised

WIDTH = 170


class Group(NamedTuple):
    """Rows that one set-up measures; `run` gets the wanted row names."""

    rows: tuple[str, ...]
    run: Callable[[group.Setup], Awaitable[list[Line]]]


GROUPS = (
    Group(("append",), group.append),
    Group(("kafka-append", "kafka-turn", "kafka-replay"), kafka_group.journal),
    Group(("kafka-register", "kafka-call"), kafka_group.server),
    Group(("kafka-record",), kafka_group.record),
    Group(("kafka-takeover",), kafka_group.takeover),
    Group(("replay", "rebuild"), group.replaying),
    Group(("register", "call", "record", "most"), group.server),
    Group(("memory",), group.held),
    Group(("flat",), group.flat),
    Group(("restart",), group.restarted),
    Group(("tenants",), group.many_tenants),
    Group(("codec",), media_group.codecs),
    Group(("conference", "conference-srtp", "relay", "steady", "shared", "takeover", "click"), media_group.legs),
    Group(("recording",), media_group.recordings),
    Group(("hear",), media_group.hear),
)
ROWS = tuple(row for one in GROUPS for row in one.rows)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parsed arguments; ends the program with status 2 for wrong ones."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"which rows: {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="about a minute, rougher figures")
    parser.add_argument(
        "--json", type=Path, default=Path("build/bench.json"), metavar="FILE", help="default %(default)s"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    found = parser.parse_args(argv)
    unknown = sorted(set(found.rows) - set(ROWS))
    if unknown:
        parser.error(f"no row is called {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on most."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version() + ("" if optimised() else ", built without profile-guided optimisation"),
        "system": platform.platform(),
    }


async def measure(rows: Sequence[str], quick: bool, place: Path) -> list[Line]:
    """The wanted lines in order; a group that fails becomes a line that says so.

    Files go below `place` and not to the system's temporary folder, which is often in memory: fsync must cost.
    """
    lines: list[Line] = []
    for one in GROUPS:
        wanted = frozenset(rows) & frozenset(one.rows)
        if not wanted:
            continue
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as folder:
            setup = group.Setup(Path(folder), quick, wanted, say)
            lines += await group.attempt(setup, ", ".join(row for row in one.rows if row in wanted), one.run(setup))
    return lines


def say(text: str) -> None:
    """Progress, for people."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> int:
    """0 unless a measurement failed, then 1; what is not installed here is no failure."""
    wanted = arguments(argv)
    conditions = machine()
    place = wanted.json.parent
    place.mkdir(parents=True, exist_ok=True)
    lines = asyncio.run(measure(wanted.rows or ROWS, wanted.quick, place))
    conditions["load_after"] = os.getloadavg()[0]
    wanted.json.write_text(as_json(lines, conditions))
    if wanted.markdown:
        print(markdown(lines), end="")
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
        console.print(
            text_table(
                lines,
                f"Switchlog on {conditions['cores']} cores, load {conditions['load_before']:.1f} before; "
                f"Python {conditions['python']}",
            )
        )
    say(f"figures also in {wanted.json}")
    return 1 if any(isinstance(line, Missing) and line.failed for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
