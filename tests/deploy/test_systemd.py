"""The systemd units: checked by systemd itself, and against the settings and the command line."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, command, settings_of

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
INSTANCE = "a"
PROGRAM = "/opt/switchlog/bin/switchlog"
EXPOSURE_MOST = 20
"""In tenths of what `systemd-analyze security` counts (0 = nothing is exposed, 100 = everything)."""
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def lines(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def installed(unit: Path, folder: Path) -> Path:
    """The unit as on a machine where the program is there."""
    there = folder / unit.name.replace("@", f"@{INSTANCE}")
    there.write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    return there


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(installed(unit, tmp_path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_hardly_anything_is_exposed(unit: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            f"--threshold={EXPOSURE_MOST}",
            str(installed(unit, tmp_path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-300:]


@needs_systemd
def test_the_gate_sees_a_line_that_systemd_does_not_know(tmp_path: Path) -> None:
    wrong = installed(UNITS[0], tmp_path)
    wrong.write_text(wrong.read_text().replace("KillMode=mixed", "KillMood=mixed"))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(wrong)], capture_output=True, text=True, check=False
    )
    assert "KillMood" in run.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_they_start_what_there_is(unit: Path) -> None:
    told = dict(shlex.split(pair)[0].split("=", 1) for pair in lines(unit, "Environment"))
    (start,) = lines(unit, "ExecStart")
    program, *words = shlex.split(start.replace("$ROLES", told.pop("ROLES", "")))
    assert (program, command(words)) == (PROGRAM, "serve")
    settings_of({name: value.replace("%i", INSTANCE) for name, value in told.items()})
    for stop in lines(unit, "ExecStop"):
        program, *words = shlex.split(stop.removeprefix("-"))
        assert (program, command(words)) == (PROGRAM, "nodes drain")


def test_instances_share_nothing_but_secrets() -> None:
    (unit,) = (unit for unit in UNITS if "@" in unit.name)
    text = unit.read_text()
    for line in re.findall(r"^.*(?:/etc/switchlog/|/var/lib/|StateDirectory=).*$", text, re.MULTILINE):
        assert line.startswith("#") or "%i" in line or "secrets.env" in line, line


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_an_end_is_in_order_and_a_wrong_setting_is_not_tried_for_ever(unit: Path) -> None:
    assert lines(unit, "KillMode") == ["mixed"], "SIGTERM to the children at once would end the journal under the API"
    assert int(lines(unit, "TimeoutStopSec")[0]) >= 60
    assert lines(unit, "Restart") == ["on-failure"]
    assert lines(unit, "RestartPreventExitStatus") == ["2"]
    assert lines(unit, "ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert lines(unit, "User")[0] != "root"
    assert lines(unit, "StateDirectoryMode") == ["0700"]
