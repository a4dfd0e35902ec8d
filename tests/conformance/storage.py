"""What every storage must do: inherit `StorageConformance` in a test module that has a fixture `storage`, empty."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.storage import MissingFileError, Storage, StorageError, StoredFile

CONTENT = bytes(range(256)) * 4096
BAD_NAMES = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "acme/../other/x",
    "acme/./x",
    "acme//x",
    "acme/",
    "acme/.hidden",
    "acme/-rf",
    "acme/a b",
    "acme/a\0b",
    "acme/a\nb",
    "acme/ä",
    "acme\\x",
    "acme/%2e%2e/x",
    "~/x",
    "a" * 201,
    "/".join(["a" * 100] * 11),
]


@pytest.fixture
def given_file(tmp_path: Path) -> Path:
    """A file of a megabyte."""
    path = tmp_path / "given"
    path.write_bytes(CONTENT)
    return path


def kept(storage: Storage, name: str) -> bytes:
    return b"".join(storage.open(name))


class StorageConformance:
    def test_what_is_put_is_there_whole(self, storage: Storage, given_file: Path) -> None:
        storage.put("acme/recordings/a.wav", given_file)
        assert kept(storage, "acme/recordings/a.wav") == CONTENT
        assert storage.size("acme/recordings/a.wav") == len(CONTENT)
        assert given_file.read_bytes() == CONTENT

    @pytest.mark.parametrize("size", [0, 1, (8 << 20) + 1])
    def test_size_does_not_matter(self, storage: Storage, tmp_path: Path, size: int) -> None:
        (tmp_path / "given").write_bytes(bytes(size))
        storage.put("acme/a", tmp_path / "given")
        assert storage.size("acme/a") == size
        assert kept(storage, "acme/a") == bytes(size)

    def test_a_file_is_replaced_whole(self, storage: Storage, given_file: Path) -> None:
        storage.put("acme/a", given_file)
        given_file.write_bytes(b"shorter")
        storage.put("acme/a", given_file)
        assert kept(storage, "acme/a") == b"shorter"
        assert list(storage.list()) == [StoredFile("acme/a", 7)]

    def test_any_part_can_be_read(self, storage: Storage, given_file: Path) -> None:
        storage.put("acme/a", given_file)

        # one of its own for each storage: Hypothesis refuses one that two classes inherit and run in one process
        @settings(max_examples=20)
        @given(start=st.integers(0, len(CONTENT) + 9), length=st.none() | st.integers(0, len(CONTENT) + 9))
        def read(start: int, length: int | None) -> None:
            end = None if length is None else start + length
            assert b"".join(storage.open("acme/a", start, length)) == CONTENT[start:end]

        read()

    def test_what_is_not_there_is_missing(self, storage: Storage, given_file: Path) -> None:
        storage.put("acme/folder/a", given_file)
        for name in ("acme/none", "none", "acme/folder/a/b", "acme/folder"):
            with pytest.raises(MissingFileError, match=f"there is no file {name}"):
                storage.open(name)
            with pytest.raises(MissingFileError, match=f"there is no file {name}"):
                storage.size(name)

    def test_what_is_deleted_is_gone_and_may_be_deleted_again(self, storage: Storage, given_file: Path) -> None:
        storage.put("acme/a", given_file)
        storage.put("acme/b", given_file)
        for name in ("acme/a", "acme/a", "acme/never/was"):
            storage.delete(name)
        assert [found.name for found in storage.list()] == ["acme/b"]
        with pytest.raises(MissingFileError):
            storage.size("acme/a")

    def test_a_list_has_what_is_below_whole_segments(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "given").write_bytes(b"x")
        names = ["acme/a.wav", "acme/a/1", "acme/a/2", "acme/a0", "acme2/a", "beta/x/y/z"]
        for name in names:
            storage.put(name, tmp_path / "given")
        assert sorted(found.name for found in storage.list()) == names
        assert sorted(found.name for found in storage.list("acme")) == names[:4]
        assert sorted(found.name for found in storage.list("acme/a")) == names[1:3]
        assert list(storage.list("beta")) == [StoredFile("beta/x/y/z", 1)]
        assert list(storage.list("none")) == list(storage.list("acme/a/1")) == []

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_a_name_that_leads_elsewhere_is_none(self, storage: Storage, given_file: Path, name: str) -> None:
        for work in (
            lambda: storage.put(name, given_file),
            lambda: storage.open(name),
            lambda: storage.size(name),
            lambda: storage.delete(name),
            lambda: list(storage.list(name or "/")),
        ):
            with pytest.raises(ValueError, match="is no name of a file"):
                work()

    def test_what_cannot_be_read_is_not_kept(self, storage: Storage, tmp_path: Path) -> None:
        with pytest.raises(StorageError):
            storage.put("acme/a", tmp_path / "none")
        with pytest.raises(MissingFileError):
            storage.size("acme/a")

    def test_several_threads_may_put_at_once(self, storage: Storage, given_file: Path) -> None:
        threads = [
            threading.Thread(target=storage.put, args=(f"acme/new/folder/{number % 4}", given_file))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = sorted(storage.list(), key=lambda one: one.name)
        assert found == [StoredFile(f"acme/new/folder/{n}", len(CONTENT)) for n in range(4)]
        assert kept(storage, "acme/new/folder/3") == CONTENT
