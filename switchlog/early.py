"""The first child process, started before anything slow is loaded: it loads its role while its parent gets ready.

Nothing of ours may be imported here. The child does nothing until its settings come, and ends quietly if none do.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress


def command(role: str) -> Sequence[str]:
    """What runs a role as a child of this process."""
    return (sys.executable, "-m", "switchlog.child", role, str(os.getpid()))


class EarlyChild:
    """A child of this process, as the supervisor sees children. It ends with this process."""

    def __init__(self, role: str) -> None:
        # A session of its own: Ctrl-C reaches the parent only, which ends the children in order.
        self._process = subprocess.Popen(command(role), stdin=subprocess.PIPE, start_new_session=True)
        self.role, self.pid = role, self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def give(self, settings: bytes) -> None:
        """Hand it the settings: now it begins."""
        await asyncio.to_thread(self._give, settings)

    async def wait(self) -> int:
        return await asyncio.to_thread(self._process.wait)

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

    def _give(self, settings: bytes) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(settings)
            self._process.stdin.close()
