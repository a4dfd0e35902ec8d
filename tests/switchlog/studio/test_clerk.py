"""What is done with the files of messages by several threads at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.storage.folder import FolderStorage
from domain.mailbox.mailbox import Message
from domain.storage import StorageError
from switchlog.studio.clerk import Clerk

LEG = f"{'a' * 26}1"
MESSAGE = Message(LEG, "1001", "Alice", "sealed", datetime(2026, 3, 1, tzinfo=UTC), file=f"acme/voicemail/{LEG}")
SEALED = bytes(range(256)) * 2000


class Between(FolderStorage):
    """Something happens once a first piece of a file was read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.happens: list[Callable[[], None]] = []

    def open(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        pieces = super().open(name, start, length)
        yield next(pieces)
        if self.happens:
            self.happens.pop()()
        yield from pieces


@pytest.fixture
def storage(tmp_path: Path) -> Between:
    (tmp_path / "sealed").write_bytes(SEALED)
    storage = Between(tmp_path / "storage")
    storage.put(MESSAGE.file, tmp_path / "sealed")
    return storage


@pytest.fixture
def clerk(storage: Between, tmp_path: Path) -> Clerk:
    return Clerk(lambda: storage, tmp_path / "spool")


def test_two_visits_to_one_message_both_hear_all_of_it(clerk: Clerk, storage: Between, tmp_path: Path) -> None:
    heard: list[bytes] = []
    storage.happens = [lambda: heard.append(clerk.fetch(MESSAGE).read_bytes())]
    heard.append(clerk.fetch(MESSAGE).read_bytes())
    assert heard == [SEALED, SEALED]
    assert [one.name for one in (tmp_path / "spool").iterdir()] == [f"{LEG}.play"]


def test_of_a_copy_that_could_not_be_made_nothing_stays(clerk: Clerk, storage: Between, tmp_path: Path) -> None:
    def fails() -> None:
        raise StorageError("the storage is away")

    storage.happens = [fails]
    with pytest.raises(StorageError, match="away"):
        clerk.fetch(MESSAGE)
    assert list((tmp_path / "spool").iterdir()) == []
    assert clerk.fetch(MESSAGE).read_bytes() == SEALED
