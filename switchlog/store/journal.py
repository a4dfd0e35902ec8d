"""The journal that the settings name, for those who write it and those who read it.

Which kinds of journal there are is known here and nowhere else; the roles see protocols. A kind's library is loaded
only where it is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import structlog

from adapters.journal.kafka.address import Address, parse
from adapters.journal.kafka.topic import CONFIG_PARTITION
from domain.ids import WHOLE, Part
from domain.ports import PARTITION, Batch, Cursor, Journal, JournalAway, JournalError, Notebook, Notes, Stored
from switchlog.setting.folder import JOURNAL

if TYPE_CHECKING:
    from adapters.journal.kafka.announce import Announcements
    from adapters.journal.kafka.mailbox import Mailbox
    from adapters.journal.kafka.membership import Membership, Told
    from domain.node import Neighbour
    from switchlog.setting.settings import Settings

_log = structlog.get_logger(__name__)

Dispatch = Callable[[Callable[[], None]], None]
"""Runs a callable where the owner of shards wants to be told, such as `loop.call_soon_threadsafe`; in order."""


class JournalReader(Protocol):
    """What reads a journal from outside, from any thread. Blocks; raises JournalError (see `domain.ports.Journal`)."""

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]: ...

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        """`live` of many shards, in few readings."""

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch: ...

    def end(self) -> Cursor: ...

    def close(self) -> None: ...


def open_journal(settings: Settings, dispatch: Dispatch) -> Journal:
    """For the one process of the node that writes it; makes it if there is none. Blocks.

    Raises JournalAway while it cannot be reached, JournalError if it cannot be used.
    """
    from adapters.journal.pace import Pace

    if _on_kafka(settings):
        from adapters.journal.kafka.journal import PACE, KafkaJournal

        return KafkaJournal(_address(settings), settings.node, dispatch=dispatch, pace=Pace(PACE))
    from adapters.journal.sqlite import SqliteJournal

    return SqliteJournal(settings.data / JOURNAL, dispatch=dispatch, pace=Pace())


def open_reader(settings: Settings, who: str, part: Part = WHOLE) -> JournalReader:
    """For all others; `who` reads, as the brokers' operators see it, and follows the shards of `part`. Blocks.

    Raises JournalAway while there is none or it cannot be reached, JournalError.
    """
    if _on_kafka(settings):
        from adapters.journal.kafka.reader import KafkaReader

        return KafkaReader(_address(settings), f"switchlog-{settings.node}-{who}", part=part)
    from adapters.journal.reader import SqliteReader

    return SqliteReader(settings.data / JOURNAL, part=part)


def is_shared(settings: Settings) -> bool:
    """Whether other nodes may write it too."""
    return _on_kafka(settings)


def open_announcements(settings: Settings) -> Announcements:
    """What all nodes of a shared journal follow. Blocks. Raises JournalError."""
    from adapters.journal.kafka.announce import Announcements

    return Announcements(_address(settings), f"switchlog-{settings.node}-news")


def open_membership(settings: Settings, me: Neighbour, told: Told) -> Membership:
    """This node's place in the group of all nodes of a shared journal."""
    from adapters.journal.kafka.membership import TIMEOUTS_S, Membership

    timeouts_s = (float(settings.node_timeout),) if settings.node_timeout else TIMEOUTS_S
    return Membership(_address(settings), me, told, timeouts_s)


def open_mailbox(settings: Settings) -> Mailbox:
    """Letters between the nodes of a shared journal. Blocks. Raises JournalError."""
    from adapters.journal.kafka.mailbox import Mailbox

    return Mailbox(_address(settings), settings.node)


def config_partition(settings: Settings) -> str:
    """The partition that holds all of the configuration."""
    return CONFIG_PARTITION if _on_kafka(settings) else PARTITION


def _on_kafka(settings: Settings) -> bool:
    return settings.journal.startswith("kafka:")


def _address(settings: Settings) -> Address:
    return parse(settings.journal, settings.kafka_password)


class Pulse:
    """How a journal does that is asked again and again, for those who must not wait for its answer.

    `clock` gives monotonic seconds. After `silent_s` without an answer it counts as away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, silent_s: float = 5.0) -> None:
        self._clock, self._silent_s = clock, silent_s
        self._answered_at = clock()
        self._reason = "it is not open yet"

    def answered(self) -> None:
        self._answered_at, self._reason = self._clock(), ""

    def failed(self, reason: str) -> None:
        self._reason = reason

    def words(self) -> str:
        """`ok`, or what is wrong."""
        silent_s = self._clock() - self._answered_at
        if not self._reason and silent_s >= self._silent_s:
            return f"it has not answered for {silent_s:.0f} s"
        return self._reason or "ok"


class Vigil:
    """Waits for a journal that is away, and tells of it in one line, and in one that it is there again.

    `who` waits; `patience_s` is how long nothing is said: a journal that is being made is nothing wrong. `clock`
    gives monotonic seconds.
    """

    FIRST_S, MOST_S = 0.05, 1.0

    def __init__(self, who: str, patience_s: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._who, self._patience_s, self._clock = who, patience_s, clock
        self._pause_s = self.FIRST_S
        self._since: float | None = clock()
        self._told = False
        self.reason = ""
        """why it is away; empty = it is not"""

    async def away(self, error: JournalAway, stop: asyncio.Event) -> None:
        """It is away: come back after a while, or at `stop`."""
        self.reason = str(error)
        now = self._clock()
        self._since = now if self._since is None else self._since
        if not self._told and now - self._since >= self._patience_s:
            self._told = True
            _log.warning(f"the {self._who} wait for the journal", reason=self.reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), self._pause_s)
        self._pause_s = min(2 * self._pause_s, self.MOST_S)

    def there(self) -> None:
        """It is there, or there again."""
        if self._told and self._since is not None:
            _log.info(f"the {self._who} have the journal again", after_s=round(self._clock() - self._since))
        self.reason, self._told, self._since, self._pause_s = "", False, None, self.FIRST_S


class Awaited:
    """A journal's reader before there is one: until `opened`, whatever is asked raises JournalAway with the reason."""

    def __init__(self, opening: Callable[[], JournalReader], who: str, pulse: Pulse | None = None) -> None:
        """`pulse` is told of what is waited for."""
        self._opening, self._vigil, self._pulse = opening, Vigil(who), pulse or Pulse()
        self._reader: JournalReader | None = None

    @property
    def trouble(self) -> str:
        """Why it is not open, empty once it is."""
        return "" if self._reader is not None else self._vigil.reason or "the journal is not open yet"

    async def opened(self, stop: asyncio.Event) -> bool:
        """Wait until it is open; False when told to stop before. Raises JournalError if it cannot be used."""
        while not stop.is_set():
            try:
                self._reader = await asyncio.to_thread(self._opening)
            except JournalAway as error:
                self._pulse.failed(str(error))
                await self._vigil.away(error, stop)
            else:
                self._vigil.there()
                return True
        return False

    def read(self, stream: UUID, after: int = 0) -> Sequence[Stored]:
        return self._open().read(stream, after)

    def live_of(self, shards: Iterable[int], now: float) -> Iterator[Sequence[Stored]]:
        return self._open().live_of(shards, now)

    def follow(self, cursor: Cursor, limit: int = 1000, wait_s: float = 0.0) -> Batch:
        return self._open().follow(cursor, limit, wait_s)

    def end(self) -> Cursor:
        return self._open().end()

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        """Of a journal that several nodes write (see `domain.ports.Notebook`)."""
        reader = self._open()
        if not isinstance(reader, Notebook):
            raise JournalError("the journal of one node has no notes")
        return reader.notes(after, limit, wait_s)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def _open(self) -> JournalReader:
        if self._reader is None:
            raise JournalAway(self.trouble)
        return self._reader
