"""The thread that writes the log: whoever logs only leaves a record, the thread formats and writes many at once.

What may live here: the bounded line of records and the thread behind it. What a line looks like, and what must not
be in it, is the business of the handler that is given.
"""

from __future__ import annotations

import atexit
import logging
from collections import deque
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

RECORDS_LIMIT = 10_000
"""Records that may wait; what comes beyond is dropped and counted, so that a reader that stops stops nobody."""
_GATHER_S = 0.1
"""How long a harmless line may wait for others: one wake-up and one write for all of them."""
_LAST_WORDS_S = 5.0
_UNWRITTEN = logging.LogRecord(__name__, logging.ERROR, "", 0, "a line of the log cannot be formatted", None, None)


class ThreadHandler(logging.Handler):
    """Formats by `handler` and writes to its stream. A warning or worse is written at once, with all before it."""

    def __init__(self, handler: logging.StreamHandler[Any], limit: int = RECORDS_LIMIT) -> None:
        super().__init__()
        self._handler, self._limit = handler, limit
        self._waiting: deque[Callable[[], logging.LogRecord]] = deque()
        self._dropped = 0
        self._anything, self._urgent = Event(), Event()
        self._ending = False
        self._thread = Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def createLock(self) -> None:
        """None: appending to the line is atomic."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        self.leave(record.levelno, lambda: record)

    def leave(self, level: int, make: Callable[[], logging.LogRecord]) -> None:
        """Log what `make` will return when the thread asks it: for records that are dear to make."""
        if len(self._waiting) >= self._limit:
            self._dropped += 1
            return
        self._waiting.append(make)
        if not self._anything.is_set():
            self._anything.set()
        if level >= logging.WARNING:
            self._urgent.set()

    def close(self) -> None:
        """Write what waits and end the thread; a reader that does not read is not waited for. May be called again."""
        self._ending = True
        self._anything.set()
        self._urgent.set()
        self._thread.join(_LAST_WORDS_S)
        super().close()

    def _run(self) -> None:
        while True:
            self._anything.wait()
            self._urgent.wait(_GATHER_S)
            self._anything.clear()  # before the line is emptied: who comes later wakes us again
            self._urgent.clear()
            self._write()
            if self._ending and not self._waiting:
                return

    def _write(self) -> None:
        lines = []
        while self._waiting:
            make = self._waiting.popleft()
            try:
                lines.append(self._handler.format(make()))
            except Exception:  # noqa: BLE001 - one line that cannot be formatted must not end the log
                self._handler.handleError(_UNWRITTEN)
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            text = f"{dropped} lines of the log were dropped: nobody read them in time"
            lines.append(self._handler.format(logging.LogRecord(__name__, logging.WARNING, "", 0, text, None, None)))
        try:
            self._handler.stream.write("".join(f"{line}\n" for line in lines))
            self._handler.flush()
        except (OSError, ValueError):  # the reader is gone: there is nobody to tell
            pass
