"""Where Kafka comes from, and what is said where it does not come."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import jars
from cluster.jars import KAFKA, Kafka, Unavailable, fetch


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are looked for, besides that of the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/nowhere")
    return folder


@pytest.mark.parametrize(
    ("there", "missing"), [([], "no Java .Debian: default-jre-headless"), (["java"], "no Maven .* .Debian: maven")]
)
def test_what_is_missing_is_named(bin_folder: Path, tmp_path: Path, there: list[str], missing: str) -> None:
    for name in there:
        program(bin_folder, name, "exit 1")
    with pytest.raises(Unavailable, match=missing):
        fetch(tmp_path / "kafka")


def test_a_failing_maven_is_told_with_what_it_said_and_leaves_nothing(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder, "java", "exit 1")
    program(bin_folder, "mvn", "echo no route to the registry; exit 1")
    with pytest.raises(Unavailable, match="no route to the registry"):
        fetch(tmp_path / "kafka")
    assert list((tmp_path / "kafka").iterdir()) == []


def test_maven_is_asked_once(bin_folder: Path, tmp_path: Path) -> None:
    program(bin_folder, "java", "exit 1")
    program(bin_folder, "mvn", '/bin/grep -q "<version>' + KAFKA + '</version>" pom.xml || exit 1\n'
            'for word; do case $word in -DoutputDirectory=*) /bin/mkdir -p "${word#*=}"; : > "${word#*=}/b.jar"; '
            ': > "${word#*=}/a.jar";; esac; done')  # fmt: skip
    found = fetch(tmp_path / "kafka")
    assert [jar.name for jar in found.jars] == ["a.jar", "b.jar"]
    program(bin_folder, "mvn", "exit 1")
    assert fetch(tmp_path / "kafka") == found


def test_of_two_that_fetch_at_once_the_first_stays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jars").write_text(name)
    jars._put(tmp_path / "first", tmp_path / "home")
    jars._put(tmp_path / "second", tmp_path / "home")
    assert (tmp_path / "home" / "jars").read_text() == "first"


def test_another_java_has_another_archive(tmp_path: Path) -> None:
    for name in ("java", "other"):
        program(tmp_path, name, f"exit {len(name)}")
    first, same, other = (Kafka(str(tmp_path / name), tmp_path) for name in ("java", "java", "other"))
    assert first.archive == same.archive
    assert first.archive != other.archive
