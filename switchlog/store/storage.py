"""The storage that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from adapters.storage.address import is_bucket, parse
from adapters.storage.folder import FolderStorage
from domain.storage import Storage
from switchlog.setting.folder import STORAGE

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


def storage_of(settings: Settings) -> Storage:
    """Opened; a folder is made. Raises StorageError."""
    if is_bucket(settings.storage):
        from adapters.storage.s3 import S3Storage  # whose library takes its time to load

        return S3Storage(parse(settings.storage, settings.storage_secret))
    return FolderStorage(Path(settings.storage) if settings.storage else settings.data / STORAGE)
