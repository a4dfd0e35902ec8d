"""What is done with the files of recordings: all of it blocks, none of it decides.

What may live here: the spool, in which recordings grow, and the way from there to the storage. Nothing here may be
called by the loop's thread but what says so.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from domain.call.recording import Kept, Recording
from domain.storage import Storage
from media.part import part_of

MOST_TRIES = 5
"""So often a file is looked for that no worker may ever have begun."""
KEPT = "kept"
"""The folder of recordings that are kept for ever; the others' are named by their last day, such as `2026-12-31`."""


def folder_of(recording: Recording) -> str:
    """Where its file is to be, below its tenant's recordings."""
    if not recording.keep_days:
        return KEPT
    return (recording.began_at + timedelta(days=recording.keep_days)).date().isoformat()


def prefix_of(tenant: str) -> str:
    """Of all names of a tenant's recordings."""
    return f"{tenant}/recordings"


def key_purpose(tenant: str, recording: str) -> str:
    """What the key of a recording is derived for: each has its own, and no tenant another's."""
    return f"recording {tenant} {recording}"


class ReelStore:
    """Of several threads."""

    def __init__(self, storage: Callable[[], Storage], spool: Path, secret: Callable[[str], bytes]) -> None:
        """`storage` opens it, once it is needed; `spool` is a folder that the media workers write; `secret` gives the
        key for a purpose."""
        self.spool = spool
        self._open_storage, self._secret = storage, secret
        self._storage: Storage | None = None

    def path(self, recording: str) -> Path:
        """Where it grows. Does not block."""
        return self.spool / recording

    def key(self, tenant: str, recording: str) -> bytes:
        """Does not block."""
        return self._secret(key_purpose(tenant, recording))

    def keep(self, tenant: str, recording: Recording, why: str, tries: int) -> Kept:
        """Bring what was recorded to the storage; `why` it ended before it was to, if it did.

        Raises ContainerError, StorageError and OSError: perhaps it can be done later.
        """
        from media.container import complete  # which load numpy: no start waits for that

        path = self.path(recording.id)
        if tries >= MOST_TRIES and not path.exists() and not part_of(path).exists():
            return Kept(reason=why or "nothing was recorded")
        done = complete(path, self.key(tenant, recording.id))
        name = f"{prefix_of(tenant)}/{folder_of(recording)}/{recording.id}"
        self.storage.put(name, path)
        size = path.stat().st_size
        return Kept(name, done.sha256, done.duration_ms, size, why)

    def tidy(self, recording: str) -> None:
        """What is in the storage need not be here."""
        self.path(recording).unlink(missing_ok=True)

    def expired(self, tenant: str, today: date) -> list[str]:
        """Names of files whose last day is over. Raises StorageError."""
        found = []
        for file in self.storage.list(prefix_of(tenant)):
            folder = file.name.split("/")[-2]
            if folder != KEPT and folder < today.isoformat():
                found.append(file.name)
        return found

    def erase(self, recording: str, name: str) -> None:
        """A recording that is over: its file by its `name` in the storage, if there is one, and what a crash left of it
        in the spool. Raises StorageError and OSError."""
        if name:
            self.storage.delete(name)
        self.tidy(recording)
        part_of(self.path(recording)).unlink(missing_ok=True)

    @property
    def storage(self) -> Storage:
        """Raises StorageError."""
        if self._storage is None:
            self._storage = self._open_storage()
        return self._storage
