"""The first child process, started before anything slow is loaded: it loads its role while its parent gets ready.

Nothing of ours may be imported here, nor anything slow. The child does nothing until its settings come, and ends
quietly if none do.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

FIRST = "sessions"
"""The role that calls wait for after a crash: it loads while the rest of the parent does."""


def command(part: str, words: int) -> Sequence[str]:
    """What runs a role as a child of this process; it inherits the descriptor `words` (`LastWords`)."""
    return (sys.executable, "-m", "switchlog.child", part, str(os.getpid()), str(words))


class LastWords:
    """A pipe by which a child that cannot run says why: what ends everything is then said once, by its parent."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)

    def inherited(self) -> None:
        """The child has its end."""
        os.close(self.write)

    def read(self) -> str:
        """Once, when the child has ended; empty if it said nothing."""
        with os.fdopen(self._read, "rb") as pipe:
            return (pipe.read() or b"").decode(errors="replace")


class EarlyChild:
    """A child of this process, as the supervisor sees children. It ends with this process."""

    def __init__(self, role: str) -> None:
        # A session of its own: Ctrl-C reaches the parent only, which ends the children in order.
        self.words = LastWords()
        self._process = subprocess.Popen(
            command(role, self.words.write),
            stdin=subprocess.PIPE,
            pass_fds=(self.words.write,),
            start_new_session=True,
        )
        self.words.inherited()
        self.role, self.pid = role, self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def give(self, settings: bytes) -> None:
        """Hand it the settings: now it begins."""
        from asyncio import to_thread

        await to_thread(self._give, settings)

    async def wait(self) -> int:
        from asyncio import to_thread

        return await to_thread(self._process.wait)

    def send_signal(self, number: int) -> None:
        """Raises ProcessLookupError never: a process that has ended is left alone."""
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()

    def abandon(self) -> None:
        """There are no settings for it, so it has done nothing yet: end it."""
        self._process.kill()
        self._give(b"")
        self._process.wait()
        self.words.read()

    def _give(self, settings: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(settings)
            self._process.stdin.close()
