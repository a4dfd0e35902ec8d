"""What was recorded, read from the storage."""

from __future__ import annotations

from domain.storage import Storage
from media.sealed import SealedWave

_AHEAD_BYTES = 1 << 20


def open_wave(storage: Storage, name: str, key: bytes) -> SealedWave:
    """Any part of it can be read, by one thread at a time. Raises StorageError and SealedError. Blocks."""
    size = storage.size(name)
    return SealedWave(key, size, _Ahead(storage, name, size).read)


class _Ahead:
    """Reads a file in large pieces, of which the last one is kept: a storage may be far away, and chunks are small."""

    def __init__(self, storage: Storage, name: str, size: int) -> None:
        self._storage, self._name, self._size = storage, name, size
        self._at, self._piece = 0, b""

    def read(self, at: int, length: int) -> bytes:
        begin = at - self._at
        if begin < 0 or begin + length > len(self._piece):
            wanted = min(max(length, _AHEAD_BYTES), self._size - at)
            self._at, self._piece, begin = at, b"".join(self._storage.open(self._name, at, wanted)), 0
        return self._piece[begin : begin + length]
