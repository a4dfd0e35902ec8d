"""The folder: the conformance suite, and what a crash, a full disk and other users must not do."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from adapters.storage.folder import FolderStorage
from domain.storage import Storage, StorageError
from tests.conformance.storage import StorageConformance, kept
from tests.conformance.storage import given_file as given_file
from tests.fixtures.disk import full_disk


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return FolderStorage(tmp_path / "storage")


class TestFolder(StorageConformance):
    pass


def test_files_and_folders_are_for_us_alone(tmp_path: Path, given_file: Path) -> None:
    FolderStorage(tmp_path / "storage").put("acme/new/a", given_file)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "storage").rglob("*")}
    assert modes == {"acme": 0o700, "new": 0o700, "a": 0o600}


def test_a_full_disk_leaves_what_was_there_and_nothing_else(tmp_path: Path, given_file: Path) -> None:
    storage = FolderStorage(tmp_path / "storage")
    (tmp_path / "small").write_bytes(b"before")
    storage.put("acme/a", tmp_path / "small")
    with full_disk(100_000), pytest.raises(StorageError, match="cannot keep acme/a in .*: File too large"):
        storage.put("acme/a", given_file)
    assert kept(storage, "acme/a") == b"before"
    assert [path.name for path in (tmp_path / "storage" / "acme").iterdir()] == ["a"]


def test_a_draft_that_a_crash_left_is_no_file(tmp_path: Path, given_file: Path) -> None:
    storage = FolderStorage(tmp_path / "storage")
    storage.put("acme/a", given_file)
    (tmp_path / "storage" / "acme" / ".0011223344556677").write_bytes(b"half")
    assert [found.name for found in storage.list()] == ["acme/a"]


def test_a_file_that_goes_while_it_is_read_is_missing_not_a_crash(tmp_path: Path, given_file: Path) -> None:
    storage = FolderStorage(tmp_path / "storage")
    storage.put("acme/a", given_file)
    pieces = storage.open("acme/a")
    storage.delete("acme/a")
    with pytest.raises(StorageError, match="there is no file acme/a"):
        list(pieces)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot make the folder"):
        FolderStorage(tmp_path / "file" / "storage")
    storage = FolderStorage(tmp_path / "storage")
    (tmp_path / "storage" / "acme").write_text("in the way")
    with pytest.raises(StorageError, match="cannot keep acme/a in"):
        storage.put("acme/a", tmp_path / "file")
