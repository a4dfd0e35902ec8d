"""The commands over projections: list, rebuild, verify."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from switchlog.cli.client import NO, UNREACHABLE, Client, CliError
from switchlog.cli.output import Json, note, print_json, print_table

app = typer.Typer(help="What is derived from the journal.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="cdr, events, registrations or all.")]


@app.command("list")
def show(as_json: Json = False) -> None:
    """How far each projection is."""
    with Client.found() as client:
        answer = client.get("/v1/projections")
    if as_json:
        print_json(answer)
        return
    columns = list(dict.fromkeys(name for item in answer["items"] for name in item if name != "cursor"))
    print_table(columns or ["name"], answer["items"])


@app.command()
def rebuild(name: Name, as_json: Json = False) -> None:
    """Fill it again beside the live one from the start of the journal, and swap."""
    _run("rebuild", name, as_json)
    if not as_json:
        note(f"{name} is rebuilt")


@app.command()
def verify(name: Name, as_json: Json = False) -> None:
    """Rebuild aside and compare with the live one; exit code 1 and the places if they differ."""
    last = _run("verify", name, as_json)
    differences = last.get("differences") or []
    if differences:
        if not as_json:
            for one in differences:
                note(f"differs: {_place(one)}")
        raise typer.Exit(NO)
    if not as_json:
        note(f"{name} is equal to a rebuild")


def _place(difference: Any) -> str:
    if isinstance(difference, dict):
        return ", ".join(f"{name} {value}" for name, value in difference.items())
    return str(difference)


def _run(kind: str, name: str, as_json: bool) -> dict[str, Any]:
    """The last line of the job's progress. Raises CliError for a job that failed or broke off."""
    last: dict[str, Any] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=Console(stderr=True), disable=as_json)
    with Client.found() as client, shown as progress:
        bar = progress.add_task(f"{kind} {name}", total=None)
        for line in client.lines(f"/v1/projections/{name}/{kind}"):
            last = line
            if as_json:
                print_json(line)
            words = " ".join(filter(None, (kind, name, line.get("phase"))))
            progress.update(bar, description=words, completed=line.get("done") or 0, total=line.get("total") or None)
    if last.get("state") == "failed":
        raise CliError(NO, f"{kind} {name} failed: {last.get('detail') or 'see the log'}")
    if last.get("state") != "done":
        raise CliError(UNREACHABLE, f"the server stopped telling how {kind} {name} goes on")
    return last
