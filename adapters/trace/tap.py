"""The tap: what the edge hands over, kept on disk and sent to a collector by one thread beside the loop.

Policy: the queue is bounded in bytes; what does not fit is left out and counted, calls never wait for it. On disk the
newest `limit_bytes` are kept, the oldest segment goes first. A disk or a collector that fails is told once in the log
and tried again with the next batch.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Protocol

from adapters.trace.hep import encapsulate
from adapters.trace.mask import masked
from adapters.trace.message import Seen
from adapters.trace.segment import frame, name_of, segments

_log = logging.getLogger(__name__)
QUEUE_BYTES = 16 << 20
FLUSH_S = 0.2
SEGMENTS = 8
"""Into so many files the kept bytes are divided: dropping one forgets an eighth."""
_LARGEST_HEP = 65_000
_MOST_FILES = 64
"""Each start begins a segment, however small the ones before are."""


class Sink(Protocol):
    """Where messages go; used by the tap's thread alone. May raise OSError, after which the batch is left out."""

    def take(self, batch: Sequence[Seen]) -> None: ...

    def close(self) -> None: ...


class Tap:
    """Call it with each message; `close` when the edge is closed. Thread-safe."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        queue_bytes: int = QUEUE_BYTES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.left_out = 0
        self._sinks, self._queue_bytes, self._clock_ns = tuple(sinks), queue_bytes, clock_ns
        self._lock = Lock()
        self._waiting: list[Seen] = []
        self._bytes = 0
        self._failing: set[Sink] = set()
        self._stop = Event()
        self._thread = Thread(target=self._run, name="sip-tap", daemon=True)
        self._thread.start()

    def __call__(self, outbound: bool, transport: str, local: str, remote: str, data: bytes) -> None:
        """Never blocks for long and never fails."""
        with self._lock:
            if self._bytes + len(data) > self._queue_bytes:
                self.left_out += 1
                return
            self._bytes += len(data)
            self._waiting.append(Seen(self._clock_ns() // 1000, outbound, transport, local, remote, data))

    def close(self) -> None:
        """Hand over what waits, then end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self._flush()
        self._flush()
        for sink in self._sinks:
            sink.close()

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        batch = [seen._replace(data=masked(seen.data)) for seen in waiting]
        for sink in self._sinks:
            try:
                sink.take(batch)
                self._failing.discard(sink)
            except OSError as error:
                if sink not in self._failing:
                    _log.warning("SIP messages are not traced at the moment: %s", error)
                self._failing.add(sink)


class Files:
    """Segments in `folder`, together at most `limit_bytes`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._path: Path | None = None
        self._size = 0

    def take(self, batch: Sequence[Seen]) -> None:
        data = b"".join(frame(seen) for seen in batch)
        if self._path is None or self._size + len(data) > self._limit_bytes // SEGMENTS:
            self._begin(batch[0].at_us, len(data))
        assert self._path is not None
        with self._path.open("ab") as file:
            file.write(data)
        self._size += len(data)

    def close(self) -> None:
        """Every batch is in its file already."""

    def _begin(self, at_us: int, room: int) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = segments(self._folder)
        sizes = [path.stat().st_size for path in kept]
        most = self._limit_bytes * (SEGMENTS - 1) // SEGMENTS
        while kept and (sum(sizes) + room > most or len(kept) >= _MOST_FILES):
            kept.pop(0).unlink(missing_ok=True)
            sizes.pop(0)
        self._path, self._size = self._folder / name_of(at_us), 0
        self._path.touch(mode=0o600)


class Collector:
    """A HEP3 collector at a numeric `host:port`, over UDP; nothing waits for it."""

    def __init__(self, host: str, port: int, capture_id: int) -> None:
        self._capture_id = capture_id
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((host, port))

    def take(self, batch: Sequence[Seen]) -> None:
        trouble: OSError | None = None
        for seen in batch:
            try:
                packet = encapsulate(seen, self._capture_id)
                if len(packet) <= _LARGEST_HEP:
                    self._socket.send(packet)
            except ValueError:  # an address that HEP cannot say
                continue
            except OSError as error:  # perhaps only the answer to an earlier one: nobody listens there now
                trouble = error
        if trouble is not None:
            raise trouble

    def close(self) -> None:
        self._socket.close()
