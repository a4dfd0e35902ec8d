"""The sessions process's connections to the media workers.

What may live here: the loop's side of media (tasks, sockets). What is said, and what that means, is the studio's.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from adapters.media.link import Ears, Link
from domain.refusal import Refusal
from media.wire import FromWorker, ToWorker
from switchlog.studio.studio import MediaSettings, Studio

_log = structlog.get_logger(__name__)


class MediaLinks:
    """One to each worker; none, and nothing to do, without `settings`.

    `settled` is told when something came that `flush` may turn into something to say.
    """

    def __init__(self, settings: MediaSettings | None, settled: Callable[[], None]) -> None:
        self._settled = settled
        self.studio: Studio | None = None
        """What is connected; to be set before all else."""
        self._links = {str(path): Link(path, self._ears(str(path))) for path in (settings.workers if settings else ())}

    def serve(self, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        """Connect. Not before `resume`: what the studio does not know of is dropped."""
        for link in self._links.values():
            spawn(link.run())

    def resume(self) -> None:
        """The conferences of shards that were taken go on, after their calls."""
        if self.studio is not None:
            self.studio.resume()

    def flush(self) -> None:
        """Tell workers and calls what has changed."""
        if self.studio is None:
            return
        try:
            self.studio.flush()
        except Exception:  # noqa: BLE001  boundary: what is to be said to phones goes out all the same
            _log.exception("what media workers are owed was not said; this is a fault of ours: report these lines")

    def metrics(self) -> dict[str, float]:
        """Numbers for `/metrics`."""
        return self.studio.metrics() if self.studio is not None else {}

    def workers(self) -> list[dict[str, Any]]:
        """All that there are to be, by their numbers from 1."""
        if self.studio is None:
            return []
        pool = self.studio.pool
        return [{"worker": number, **pool.said_of(worker)} for number, worker in enumerate(self._links, 1)]

    def drain(self, number: int) -> dict[str, Any]:
        """Let a worker end once others have what it has; how it is. Raises Refusal."""
        names = list(self._links)
        if self.studio is None or not 0 < number <= len(names):
            raise Refusal("missing", f"there is no media worker {number}: there are {len(names)}", field="worker")
        pool, worker = self.studio.pool, names[number - 1]
        if not pool.has(worker):
            raise Refusal("conflict", f"media worker {number} is not there at the moment", field="worker")
        if not pool.retire(worker):
            raise Refusal("conflict", f"no other media worker is there that could have what {number} has: ask again")
        return {"worker": number, **pool.said_of(worker), "draining": True}

    def send(self, worker: str, message: ToWorker) -> None:
        self._links[worker].send(message)

    def _ears(self, worker: str) -> Ears:
        return Ears(
            partial(self._heard, worker),
            partial(self._parted, worker),
            partial(self._died, worker),
            partial(self._absent, worker),
            partial(self._hung, worker),
        )

    def _heard(self, worker: str, message: FromWorker) -> None:
        assert self.studio is not None
        try:
            self.studio.heard(worker, message)
        except Exception:  # noqa: BLE001  boundary: one message's fault is not the others'
            _log.exception(
                "what a media worker said was not handled; this is a fault of ours: report these lines",
                message=type(message).__name__,
            )
        self._settled()

    def _parted(self, worker: str) -> None:
        assert self.studio is not None
        self.studio.pool.parted(worker)
        _log.warning("a media worker is gone", worker=worker)

    def _died(self, worker: str) -> None:
        assert self.studio is not None
        self.studio.died(worker)
        _log.error("a media worker has died: what it had is another one's, or waits for it", worker=worker)

    def _absent(self, worker: str) -> None:
        assert self.studio is not None
        self.studio.pool.absent(worker)

    def _hung(self, worker: str) -> None:
        _log.error("a media worker stands still and is killed: what it had is another one's", worker=worker)
