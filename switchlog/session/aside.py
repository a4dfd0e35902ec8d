"""What blocks, beside the loop.

What may live here: the way into a thread and back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Aside:
    """`switchlog.studio.reels.Work`: each in a thread; `settled` is told after each."""

    def __init__(self, spawn: Callable[[Coroutine[Any, Any, None]], None], settled: Callable[[], None]) -> None:
        self._spawn, self._settled = spawn, settled

    def __call__(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self._spawn(self._run(work, done))

    async def _run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        results = await asyncio.gather(asyncio.to_thread(work), return_exceptions=True)
        done(results[0])
        self._settled()
