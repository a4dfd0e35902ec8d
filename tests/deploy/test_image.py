"""The image: its Dockerfile is linted, and what it says of the project is true."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import ROOT, Unknown, command, ports_of, settings_of


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continuation lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(words[0], words[1]) for line in lines if (words := line.strip().split(None, 1))]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = [[]]
    for one in instructions():
        if one[0] == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def said(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [words for instruction, words in stage if instruction == name]


def from_context(stage: list[tuple[str, str]]) -> set[str]:
    """What is copied from the checkout."""
    copies = [words.split()[:-1] for words in said(stage, "COPY")]
    return {name for sources in copies if not sources[0].startswith("--from") for name in sources}


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    run = subprocess.run(
        [str(hadolint), "--format=json", "--no-color", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(run.stdout) == []


def test_every_package_is_in_it_and_the_context_lets_it_through() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {package.partition(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    copied = from_context(stages()[1])
    assert wanted | {"pyproject.toml", "constraints.txt", project["project"]["readme"], "LICENSE"} == copied
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(let_through) == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_last_stage_is_not_root_and_brings_no_tools_but_the_voice() -> None:
    build, last = stages()[1], stages()[-1]
    assert len(stages()) == 3
    assert said(last, "USER") == ["10001:10001"]
    installs = [words for words in said(last, "RUN") if "pip" in words or "apt" in words]
    assert installs == [
        "apt-get update && apt-get install --yes --no-install-recommends espeak-ng && rm -rf /var/lib/apt/lists/*"
    ]
    assert from_context(last) == set()
    assert said(build, "USER") == []


def test_its_commands_are_ours() -> None:
    last = stages()[-1]
    assert json.loads(said(last, "ENTRYPOINT")[0]) == ["switchlog"]
    assert command(json.loads(said(last, "CMD")[0])) == "serve"
    health = json.loads(said(last, "HEALTHCHECK")[0].partition("CMD ")[2])
    assert (health[0], command(health[1:])) == ("switchlog", "ready")


def test_its_settings_and_ports_are_ours() -> None:
    last = stages()[-1]
    pairs = [pair.partition("=") for pair in said(last, "ENV")[0].split()]
    told = {name: value for name, _, value in pairs if name.startswith("SWITCHLOG_")}
    assert told
    settings = settings_of(told)
    exposed = {port.partition("/")[::2] for port in said(last, "EXPOSE")[0].split()}
    assert {(int(port), protocol.upper()) for port, protocol in exposed} == ports_of(settings)
    assert str(settings.data.parent) in said(last, "VOLUME")


def test_the_gate_sees_a_command_that_nobody_knows() -> None:
    assert command(["projections", "rebuild", "cdr"]) == "projections rebuild"
    for wrong in (["serv"], ["serve", "--rol", "api"], ["projections", "burn"], ["ready", "--timeout"]):
        with pytest.raises(Unknown):
            command(wrong)
