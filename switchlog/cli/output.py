"""How the command line shows things: tables for people, the API's JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchlog.cli.client import NO

Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the API has it.")]


def print_json(content: Any) -> None:
    """One line."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], items: Iterable[Mapping[str, Any]], header: bool = True) -> None:
    """Named columns of the items; what a stranger chose (a caller's name) cannot steer the terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False, show_header=header)
    for column in columns:
        table.add_column(column, overflow="fold")
    for item in items:
        table.add_row(*(Text(shown(item.get(column))) for column in columns))
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    console.print(table)


def note(line: str) -> None:
    """For people, on stderr."""
    sys.stderr.write(shown(line) + "\n")


def tell_change(answer: Mapping[str, Any], as_json: bool, done: str) -> None:
    """What the API says to a wish; exit code 1 if it was so already."""
    if as_json:
        print_json(answer)
    else:
        note(done if answer["changed"] else f"nothing was changed: {done}")
    if not answer["changed"]:
        raise typer.Exit(NO)


def shown(value: Any) -> str:
    """A value as printable text on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(one) for one in value)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))
