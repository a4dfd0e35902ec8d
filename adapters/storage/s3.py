"""Files in a bucket of an S3-compatible service, by `obstore`; implements `domain.storage.Storage`.

What may live here: how that library is called, and what its errors mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from adapters.storage.address import Bucket
from domain.storage import MissingFileError, StorageError, StoredFile, checked, checked_prefix

if TYPE_CHECKING:
    from obstore.store import S3Config

_PIECE_BYTES = 1 << 18
_PART_BYTES = 8 << 20
"""Larger files go up in parts, which become one file at the end or not at all."""
_TIMEOUT_S, _CONNECT_TIMEOUT_S = 30, 5
_RETRIES, _RETRY_S = 3, 20


class S3Storage:
    """A bucket that is there already, or our place in it."""

    def __init__(self, bucket: Bucket) -> None:
        """Asks nothing yet."""
        self._bucket = bucket
        config: S3Config = {"region": bucket.region, "virtual_hosted_style_request": not bucket.endpoint}
        if bucket.key:
            config |= {"access_key_id": bucket.key, "secret_access_key": bucket.secret}
        if bucket.endpoint:
            config |= {"endpoint": bucket.endpoint}
        self._store = S3Store(
            bucket.name,
            prefix=bucket.prefix or None,
            config=config,
            client_options={
                "allow_http": bucket.endpoint.startswith("http:"),
                "timeout": timedelta(seconds=_TIMEOUT_S),
                "connect_timeout": timedelta(seconds=_CONNECT_TIMEOUT_S),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
        )

    def put(self, name: str, source: Path) -> None:
        checked(name)
        try:
            file = source.open("rb")
        except OSError as error:
            raise StorageError(f"cannot read {source}: {error.strerror}") from error
        with file, self._errors(name):
            obstore.put(self._store, name, file, chunk_size=_PART_BYTES)

    def open(self, name: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        size = self.size(name)
        end = size if length is None else min(start + length, size)
        return self._pieces(name, start, end)

    def size(self, name: str) -> int:
        checked(name)
        with self._errors(name):
            return obstore.head(self._store, name)["size"]

    def delete(self, name: str) -> None:
        checked(name)
        try:
            with self._errors(name):
                obstore.delete(self._store, name)
        except MissingFileError:
            return

    def list(self, prefix: str = "") -> Iterator[StoredFile]:
        checked_prefix(prefix)
        with self._errors(prefix):
            for page in obstore.list(self._store, prefix or None):
                yield from (StoredFile(found["path"], found["size"]) for found in page)

    def close(self) -> None:
        pass

    def _pieces(self, name: str, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        with self._errors(name):
            found = obstore.get(self._store, name, options={"range": (start, end)})
            for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        """What the library says, in our words."""
        place = f"the bucket {self._bucket.name}"
        try:
            yield
        except FileNotFoundError:
            raise MissingFileError(f"there is no file {name}, or no bucket {self._bucket.name}") from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StorageError(f"{place} refuses us {name}: check SWITCHLOG_STORAGE and _SECRET") from error
        except (BaseError, OSError) as error:
            raise StorageError(f"{place} cannot be used for {name}: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
