"""The row on the death of a media worker: how long its phones hear nothing until the spare one has taken over.

Two workers, and what tells them apart in `sessions`: the pool and its connections. One is killed (`kill -9`), and each
of the phones says for how long no packet with a sound came.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from adapters.media.link import Ears, Link
from adapters.media.pool import Pool, Terms
from bench.measure import mean, percentile
from bench.media import SETTLE_S, Shape, begin, contexts, phones
from bench.table import Row
from media.rate import mix_rate_hz
from media.wire import FromWorker, Inventory, Load, Ready
from tests.fixtures.ports import free_pairs

WANTED_MS = 500.0
_AFTER_S = 2.0


def row(shape: Shape) -> Row:
    """The longest silence of any phone."""
    silent_ms = _silence(shape)
    return Row(
        f"silence when a media worker is killed, {shape.legs} legs in {shape.rooms} rooms",
        max(silent_ms),
        "ms",
        "wanted at most",
        WANTED_MS,
        worst={"mean ms": mean(silent_ms), "p50 ms": percentile(silent_ms, 0.5)},
        facts={"legs": shape.legs, "contexts": shape.rooms},
    )


def _silence(shape: Shape) -> Sequence[float]:
    """Milliseconds, of each phone."""
    with tempfile.TemporaryDirectory() as folder, phones(shape, gaps=True) as (speakers, remotes):
        controls = [str(Path(folder) / name) for name in ("media-1", "media-2")]
        workers = [subprocess.Popen([sys.executable, "-m", "media", "--control", control]) for control in controls]
        try:
            asyncio.run(_lead(shape, controls, speakers, remotes, workers[0].kill))
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        out, _ = speakers.communicate()
        return [float(one) for one in json.loads(out)["silent_ms"]]


async def _lead(
    shape: Shape,
    controls: Sequence[str],
    speakers: subprocess.Popen[str],
    remotes: Sequence[int],
    kill: Callable[[], None],
) -> None:
    """Let the first worker mix, and the other one go on when it is killed."""
    house = _House(controls)
    try:
        await house.until(lambda: house.there == len(controls))
        ports = free_pairs(shape.legs)
        for name, context in contexts(shape, ports, remotes).items():
            house.pool.put(name, context)
        await house.until(lambda: house.ready == shape.rooms)
        begin(speakers, ports)
        await asyncio.sleep(SETTLE_S)
        kill()
        await asyncio.sleep(_AFTER_S)
    finally:
        house.close()


class _House:
    """The pool, and a connection to each worker."""

    def __init__(self, controls: Sequence[str]) -> None:
        terms = Terms(lambda context: 0, lambda shard: 1, lambda shard: True)
        self.there = self.ready = 0
        self._news = asyncio.Event()
        self._links = {control: Link(Path(control), self._ears(control)) for control in controls}
        self.pool = Pool(terms, lambda worker, message: self._links[worker].send(message), mix_rate_hz, controls)
        self._tasks = [asyncio.create_task(link.run()) for link in self._links.values()]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for what workers say."""
        while not done():
            self._news.clear()
            await self._news.wait()

    def _ears(self, control: str) -> Ears:
        return Ears(
            partial(self._heard, control),
            lambda: self.pool.parted(control),
            lambda: self.pool.died(control),
            lambda: self.pool.absent(control),
            lambda: None,
        )

    def _heard(self, control: str, message: FromWorker) -> None:
        if isinstance(message, Inventory):
            self.there += 1
            self.pool.arrived(control, message)
        elif isinstance(message, Load):
            self.pool.loaded(control, message)
        elif isinstance(message, Ready):
            self.ready += 1
        self._news.set()
