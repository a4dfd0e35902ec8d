"""Reads what all nodes follow, in a thread, and tells those who keep it: directory, roster and gazette.

What may live here: the thread, and what it does when the journal is away. That is waited for; a journal that cannot be
used at all ends it, and somebody is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

import structlog

from domain.ports import JournalAway, JournalError, Stored

if TYPE_CHECKING:
    from adapters.journal.kafka.announce import News, Word

_log = structlog.get_logger(__name__)
_WAIT_MS = 500
_GATHER_S = 0.05
"""How long what comes next may gather after something came: each reading has a price, and no phone is as quick."""
_PAUSE_S = 0.2


class Announced(Protocol):
    """What has the news; see `adapters.journal.kafka.announce.Announcements`."""

    def begin(self, now: float) -> Iterator[News]: ...

    def next(self, wait_ms: int) -> News: ...

    def behind(self) -> int: ...

    def another(self) -> Self: ...

    def close(self) -> None: ...


class Readers(NamedTuple):
    """Who is told, on the reporter's thread or on that of who opens it."""

    records: Callable[[tuple[Stored, ...]], None]
    words: Callable[[tuple[Word, ...]], None]
    failed: Callable[[JournalError], None]
    """the journal cannot be used: nothing more comes"""


class Reporter:
    """Tells everything there is at once, before the constructor returns, and what comes then until `close`.

    `announced` is the reporter's from then on. The constructor raises JournalError; then it is closed.
    """

    def __init__(self, announced: Announced, readers: Readers, clock: Callable[[], float] = time.time) -> None:
        self._announced, self._readers = announced, readers
        self._stop = Event()
        try:
            for news in announced.begin(clock()):
                self._tell(news)
        except BaseException:
            announced.close()
            raise
        self._thread = Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def behind(self) -> int:
        """How many positions it has yet to read. Blocks. Raises JournalError."""
        return self._announced.behind()

    def close(self) -> None:
        """Blocks for some moments."""
        self._stop.set()
        self._thread.join()
        self._announced.close()

    def _run(self) -> None:
        away = False
        while not self._stop.is_set():
            try:
                if away:
                    self._announced.close()
                    self._announced = self._announced.another()
                news = self._announced.next(_WAIT_MS)
                self._tell(news)
                if news.records:
                    self._stop.wait(_GATHER_S)
                if away:
                    _log.info("what all nodes follow can be read again")
                away = False
            except JournalAway as error:
                if not away:
                    _log.warning("what all nodes follow cannot be read at the moment", reason=str(error))
                away = True
                self._stop.wait(_PAUSE_S)
            except JournalError as error:
                self._readers.failed(error)
                return
            except Exception:  # noqa: BLE001  boundary: else this node would know nothing new, and nobody that
                if not away:
                    _log.exception("what all nodes follow could not be read; this is a fault: report these lines")
                away = True
                self._stop.wait(_PAUSE_S)

    def _tell(self, news: News) -> None:
        try:
            if news.words:
                self._readers.words(news.words)
            if news.records:
                self._readers.records(news.records)
        except Exception:  # noqa: BLE001  boundary: what comes next is to be told all the same
            _log.exception("news could not be taken in; this is a fault of ours: report these lines")
