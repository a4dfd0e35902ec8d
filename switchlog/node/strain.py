"""How much the workers of a node have to bear, as its edge sees it: the edge's gate refuses on behalf of all.

Each worker writes what it has measured into a file of its own that both have in memory; so it is seen also when the
worker answers nobody, and costs no message.

What may live here: those files. What they say is measured and judged elsewhere.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_WORDS = struct.Struct("=ddd")
_GONE_S = 2.0
"""Who has not written for so long does not run: others see to its shards."""
_LATE_S = 0.1
"""Several looks: who has not written for longer is held up by what it does."""
_PAUSE_S = 1.0
"""before a file is looked for again that is not there"""


class Strain(NamedTuple):
    """Of one process, or the worst of several."""

    delay_s: float = 0.0
    """how long the oldest piece of work waits"""
    transactions: float = 0.0
    """as a share of their limit"""


def worst(several: Sequence[Strain]) -> Strain:
    """Each of both by itself."""
    return Strain(
        max((one.delay_s for one in several), default=0.0), max((one.transactions for one in several), default=0.0)
    )


class StrainFile:
    """Where a worker tells its own. Raises OSError when it is made."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self._memory = _mapped(path, os.O_RDWR | os.O_CREAT)

    def tell(self, strain: Strain) -> None:
        _WORDS.pack_into(self._memory, 0, time.monotonic(), *strain)


class Strains:
    """What the workers with these files tell."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._memories: dict[Path, mmap.mmap] = {}
        self._not_before = 0.0

    def worst(self) -> Strain:
        """Of those that run."""
        now = time.monotonic()
        if len(self._memories) < len(self._paths) and now >= self._not_before:
            self._not_before = now + _PAUSE_S
            self._look_for_files()
        return worst([_read(memory, now) for memory in self._memories.values()])

    def _look_for_files(self) -> None:
        for path in self._paths:
            if path not in self._memories and path.exists():
                self._memories[path] = _mapped(path, os.O_RDWR)


def _read(memory: mmap.mmap, now: float) -> Strain:
    at, delay_s, transactions = _WORDS.unpack_from(memory)
    silent_s = now - at
    if silent_s > _GONE_S:
        return Strain()
    return Strain(max(delay_s, silent_s if silent_s > _LATE_S else 0.0), transactions)


def _mapped(path: Path, flags: int) -> mmap.mmap:
    """The file, which is never removed: who writes it after a restart is seen by who has it already."""
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, _WORDS.size)
        return mmap.mmap(descriptor, _WORDS.size)
    finally:
        os.close(descriptor)
