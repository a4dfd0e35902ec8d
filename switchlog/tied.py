"""The life of a process, tied to that of its parent. Loads nothing of ours, as a child has to be up soon."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

EXIT_UNUSABLE = 78
"""A role cannot run with its settings (sysexits' EX_CONFIG); its last words say why."""
WORDS_MOST = 4096
"""What a pipe takes at once, whoever reads."""
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent is gone: no orphan may write the journal."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def end_unusable(words: int, reason: str) -> NoReturn:
    """End, with the reason as last words in the descriptor `words`: the parent says it, last of all."""
    os.write(words, spoken(reason))
    sys.exit(EXIT_UNUSABLE)


def spoken(reason: str) -> bytes:
    """The last words of a child, whatever is in them; cut where the pipe is full, be it inside a character."""
    return reason.encode(errors="backslashreplace")[:WORDS_MOST]


def refused(error: OSError) -> str:
    """What to do about what the system refuses while a role starts."""
    what = f"{error.filename}: " if error.filename else ""
    return f"{what}{error.strerror or error}; see to the data folder and its disk"
