"""The worker's memory: what a tick has freed is kept for the next one.

What may live here: what the C library is told about it. Arrays of all legs are larger than what glibc keeps by
itself: it would give their pages back as each is freed, and the kernel would clear them again 50 times a second.
"""

from __future__ import annotations

import ctypes

KEPT_BYTES = 256 << 20
"""Free memory at the end of the heap is given back from here on."""
_LARGEST_ON_HEAP_BYTES = 32 << 20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep() -> bool:
    """Whether this process keeps its memory from now on; a C library other than glibc cannot be told."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_TRIM_THRESHOLD, KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _LARGEST_ON_HEAP_BYTES)
    )
