"""Rules of the code that no linter knows: pure cores, short functions, and what pyproject.toml promises."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("adapters", "api", "domain", "media", "projections", "switchlog")
FUNCTION_LINES = 60
FILE_LINES = 400

# A core gets time, chance and what arrived as arguments; it waits for nothing.
IMPURE_MODULES = {"asyncio", "os", "random", "secrets", "select", "socket", "ssl", "subprocess", "threading", "time"}
# What of media is no core: threads and files, and a worker's sockets, clock and life.
MEDIA_EDGE = {
    "__main__", "batch", "container", "control", "part", "port", "record", "shelf", "speech", "ties", "worker",
}  # fmt: skip
IMPURE_NAMES = {"now", "today", "utcnow", "uuid1", "uuid4", "time_ns", "monotonic", "perf_counter", "urandom"}


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def cores() -> list[Path]:
    sip = [path for path in sources("adapters/sip") if path.parent.name != "edge"]
    media = [path for path in sources("media") if path.stem not in MEDIA_EDGE]
    return sources("domain") + media + sip


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield node.module or ""
        yield from (alias.name for alias in node.names if alias.name in IMPURE_NAMES)


def impurities(source: str) -> list[str]:
    """What of the clock, of chance and of the world outside a module reaches for."""
    found = []
    for node in ast.walk(ast.parse(source)):
        for module in imported(node):
            if module.partition(".")[0] in IMPURE_MODULES or module in IMPURE_NAMES:
                found.append(f"line {node.lineno}: import of {module}")  # type: ignore[attr-defined]
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in IMPURE_NAMES
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in {"datetime", "date", "uuid", "time", "os"}
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name} at line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES
    ]


def repeated_rows(source: str) -> list[str]:
    """Keys that a table names twice: the row above is dead, and no linter says so of dotted names."""
    tables = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Dict)]
    keys = [[ast.unparse(key) for key in table.keys if key is not None] for table in tables]
    return sorted({key for names in keys for key in names if names.count(key) > 1})


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("path", cores(), ids=name)
def test_cores_have_no_clock_no_chance_and_no_sockets(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio",
        "from time import monotonic",
        "import random as r",
        "from uuid import UUID, uuid4",
        "from datetime import datetime\nx = datetime.now()",
        "def f():\n    import os.path",
    ],
)
def test_the_gate_sees_what_a_core_may_not_do(source: str) -> None:
    assert impurities(source)


def test_functions_and_files_stay_short() -> None:
    files = sources(*PACKAGES, "bench", "cluster", "scripts", "tests")
    assert {name(path): found for path in files if (found := long_functions(path.read_text()))} == {}
    counts = {name(path): len(path.read_text().splitlines()) for path in files}
    assert {path: lines for path, lines in counts.items() if lines > FILE_LINES} == {}


def test_no_row_of_a_table_hides_another() -> None:
    files = sources(*PACKAGES, "bench", "cluster", "scripts", "tests")
    assert {name(path): found for path in files if (found := repeated_rows(path.read_text()))} == {}
    assert repeated_rows("X = {Call.Ended: 1, (A, b): 2, Call.Ended: 3}") == ["Call.Ended"]


def test_every_package_is_listed_for_installation(project: dict[str, Any]) -> None:
    folders = {path.parent.relative_to(ROOT) for path in sources(*PACKAGES)}
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(".".join(folder.parts) for folder in folders)


def test_files_that_are_not_python_are_packaged_too(project: dict[str, Any]) -> None:
    named = set()
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            found = set((ROOT / package.replace(".", "/")).glob(pattern))
            assert found, f"{package} has no {pattern}"
            named |= found
    files = {path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file()}
    assert {path for path in files if path.suffix not in {".py", ".pyc"}} == named


def canonical(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def test_every_dependency_is_pinned_by_name_and_version_alone(project: dict[str, Any]) -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ?;.*)?", line)] == []
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]
    assert {canonical(one) for one in wanted} - {canonical(line) for line in lines} == set()


def test_the_make_targets_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / "README.md").read_text()))
    assert named
    assert named <= targets
