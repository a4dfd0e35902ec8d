"""The storage that the settings name is the one that is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.storage.folder import FolderStorage
from adapters.storage.s3 import S3Storage
from domain.storage import StorageError
from switchlog.setting.settings import load
from switchlog.store.storage import storage_of


@pytest.mark.parametrize("named", [False, True])
def test_a_folder_is_in_the_data_folder_or_where_it_is_named(named: bool, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "files"
    environment = {"SWITCHLOG_STORAGE": str(elsewhere)} if named else {}
    storage = storage_of(load(environment=environment, data=tmp_path / "data"))
    assert isinstance(storage, FolderStorage)
    (tmp_path / "given").write_bytes(b"x")
    storage.put("acme/a", tmp_path / "given")
    assert ((elsewhere if named else tmp_path / "data" / "storage") / "acme" / "a").read_bytes() == b"x"


def test_a_bucket_is_a_bucket_and_its_secret_is_not_shown() -> None:
    settings = load(environment={}, storage="s3://K@bucket/place?endpoint=http://127.0.0.1:1", storage_secret="hush")
    assert isinstance(storage_of(settings), S3Storage)
    assert "hush" not in str(settings.shown())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot make the folder"):
        storage_of(load(environment={}, storage=str(tmp_path / "file" / "files")))
