"""The mailboxes of this process's shards: decided and journaled as conferences are, with the work that they owe.

What may live here: the one way in which a mailbox changes, and what is owed for it: a recording is brought to the
storage, a deleted message's file is erased, a mail is sent. All of that blocks, so it is done in a thread, once at a
time for each message, and again until it is done: after a restart too, since what is owed is read from the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import structlog

from domain.base import Context, Event, Step
from domain.ids import mailbox_id, shard_of_registration, text_of
from domain.mailbox.input import Begin, Drop, Erase, Expire, GiveUpMail, Input, Keep, Mail
from domain.mailbox.mailbox import Mailbox, Message, live_until
from domain.mailbox.turn import decide, expired, fold
from domain.ports import JournalError
from domain.routing.directory import Box, Directory
from domain.switchboard import NotOwned
from media.wire import Record
from switchlog.session.board import Board
from switchlog.session.submission import nothing
from switchlog.studio.clerk import Clerk, Nothing, NotSendable
from switchlog.studio.reels import Work

_log = structlog.get_logger(__name__)
_AGAIN_S = (2.0, 5.0, 15.0, 60.0, 300.0)
"""How long is waited before something is tried again; the last one for ever."""
_WRITER_GRACE_S = 5.0
"""How long a media worker may take to close a file before it is seen to without it: it may have died."""
_REMEDIES = {
    "keep": "see that the data folder and SWITCHLOG_STORAGE can be read and written, and have room",
    "erase": "see that files in SWITCHLOG_STORAGE can be deleted",
    "mail": "see that SWITCHLOG_SMTP and SWITCHLOG_STORAGE can be reached",
}
"""What an operator can do about each kind of work that fails."""
_LOOK = timedelta(hours=1)
"""Between two looks at what was kept for long enough: nobody waits for that, and there may be many thousands."""
SYSTEM = "system"


class BoxName(NamedTuple):
    """A mailbox anywhere."""

    tenant: str
    number: str


class MailroomParts(NamedTuple):
    """What a mailroom is built from."""

    board: Board
    directory: Callable[[], Directory]
    seal: Callable[[str], str]
    unseal: Callable[[str], str]
    node: str
    clock: Callable[[], datetime]
    chance: Callable[[int], bytes]
    told: Callable[[tuple[Event, ...]], None]
    clerk: Clerk
    work: Work
    changed: Callable[[BoxName], None]
    """how many messages there are may be other than before"""


class _Job(NamedTuple):
    """Something that is owed for a message: `keep`, `erase` or `mail`."""

    kind: str
    box: BoxName
    message: str


class Mailroom:
    """All methods are of the loop's thread."""

    def __init__(self, parts: MailroomParts) -> None:
        self._parts = parts
        self._running: set[_Job] = set()
        self._later: dict[_Job, datetime] = {}
        self._tries: dict[_Job, int] = {}
        self._look = parts.clock()
        self._kinds: dict[str, Callable[[_Job, Message], None]] = {
            "keep": self._keep,
            "erase": self._erase,
            "mail": self._mail,
        }

    def mailboxes(self) -> Iterator[Mailbox]:
        """All in which something is."""
        for shard in self._parts.board.shards:
            yield from shard.mailboxes.values()

    def is_here(self, name: BoxName) -> bool:
        """Whether what is not found is not there."""
        return self._parts.board.owns(shard_of_registration(*name))

    def find(self, name: BoxName) -> Mailbox | None:
        shard = self._parts.board.shard(shard_of_registration(*name))
        return shard.mailboxes.get(name) if shard else None

    def counts(self, name: BoxName) -> tuple[int, int] | None:
        """How many messages are new, and were heard; None if no such mailbox is declared."""
        if self._parts.directory().box(*name) is None:
            return None
        mailbox = self.find(name)
        return mailbox.counts if mailbox is not None else (0, 0)

    def box(self, name: BoxName) -> Box:
        """As it is declared; one that no longer is declared takes what it is sent as any other."""
        return self._parts.directory().box(*name) or Box(*name)

    def handle(
        self,
        name: BoxName,
        inp: Input,
        done: Callable[[bool], None] = lambda accepted: None,
        lost: Callable[[], None] = nothing,
    ) -> None:
        """Let a mailbox decide; `done(True)` once the events are durable, `done(False)` if it meant nothing, `lost` if
        the shard was lost meanwhile.

        Raises JournalError and NotOwned.
        """
        board, now = self._parts.board, self._parts.clock()
        shard = board.owned(shard_of_registration(*name))
        before = shard.mailboxes.get(name)
        stream = before.id if before else mailbox_id(*name, int(now.timestamp() * 1000), self._parts.chance(8))
        context = Context(name.tenant, text_of(stream), inp.cause, inp.actor, self._parts.node, shard.epoch)
        step = Step(stream, before.version if before else 0, now, context)
        events = decide(before, inp, self.box(name), step)
        if not events:
            done(False)
            return
        with board.submissions.ahead(shard):
            after = fold(before, events)
            assert after is not None
            shard.hold_mailbox(after)

        def durable() -> None:
            done(True)
            self._parts.told(events)
            self._parts.changed(name)
            if isinstance(inp, Keep):
                self._parts.work(partial(self._parts.clerk.tidy, inp.message), lambda result: None)
            self._see_to(after)

        board.submissions.submit(shard, events, live_until(after), durable, lost)

    def tell(self, name: BoxName, inp: Input) -> None:
        """As `handle`; what cannot be written down now is found again when the shard is taken again."""
        try:
            self.handle(name, inp)
        except (JournalError, NotOwned) as error:
            _log.warning("what happens in a mailbox has to wait", mailbox=name.number, reason=str(error))

    # --- recordings

    def begin(
        self,
        name: BoxName,
        message: str,
        caller: tuple[str, str],
        done: Callable[[bool], None],
        greeting: str = "",
    ) -> None:
        """Begin a message of (number, name), or a greeting. Raises JournalError and NotOwned."""
        key, actor = self.seal(self._parts.chance(32)), f"leg:{message}"
        self.handle(name, Begin(actor, actor, message, *caller, key, greeting), done)

    def seal(self, key: bytes) -> str:
        """A file's key as events have it."""
        return self._parts.seal(key.hex())

    def record(self, message: Message) -> Record:
        """The file of a message that is being recorded, for the media worker."""
        return Record(message.id, str(self._parts.clerk.path(message.id)), key=self.key_of(message))

    def finish(self, name: BoxName, message: str, closed: bool) -> None:
        """Nothing is added to a message any more; the worker has `closed` the file, or should soon."""
        job = _Job("keep", name, message)
        if closed:
            self._later.pop(job, None)
            self._start(job)
        elif job not in self._running:
            self._later[job] = self._parts.clock() + timedelta(seconds=_WRITER_GRACE_S)

    def fetch(self, message: Message, done: Callable[[str, bytes], None]) -> None:
        """Have a message here to be played: `done(path, key)`, with an empty path if that cannot be done."""

        def fetched(result: Any) -> None:
            if isinstance(result, Exception):
                _log.error("a message cannot be played", message=message.id, reason=str(result))
            done("" if isinstance(result, Exception) else str(result), self.key_of(message))

        self._parts.work(partial(self._parts.clerk.fetch, message), fetched)

    def key_of(self, message: Message) -> bytes:
        """With which its file is sealed."""
        return bytes.fromhex(self._parts.unseal(message.key))

    # --- what is owed

    def resume(self, is_over: Callable[[str], bool]) -> None:
        """See to all mailboxes again; `is_over(leg)` says whether whoever left a message is gone."""
        for mailbox in list(self.mailboxes()):
            name = BoxName(mailbox.tenant, mailbox.number)
            for message in list(mailbox.messages.values()):
                if not message.file and is_over(message.id):
                    self.finish(name, message.id, closed=False)
            self._see_to(mailbox)

    def _see_to(self, mailbox: Mailbox) -> None:
        name = BoxName(mailbox.tenant, mailbox.number)
        for message in list(mailbox.messages.values()):
            if message.deleted:
                self._start(_Job("erase", name, message.id))
            elif message.mail:
                self._start(_Job("mail", name, message.id))

    def _start(self, job: _Job) -> None:
        mailbox = self.find(job.box)
        message = mailbox.messages.get(job.message) if mailbox else None
        if message is not None and job not in self._running and job not in self._later:
            self._running.add(job)
            self._kinds[job.kind](job, message)

    def _work(self, job: _Job, work: Callable[[], Any], then: Callable[[Any], Input]) -> None:
        def done(result: Any) -> None:
            self._running.discard(job)
            if isinstance(result, Exception) and not isinstance(result, (Nothing, NotSendable)):
                tries = self._tries[job] = self._tries.get(job, 0) + 1
                wait_s = _AGAIN_S[min(tries, len(_AGAIN_S)) - 1]
                self._later[job] = self._parts.clock() + timedelta(seconds=wait_s)
                log = _log.error if tries >= len(_AGAIN_S) else _log.warning
                log(
                    f"work for a mailbox has to be done again: {_REMEDIES[job.kind]}",
                    work=job.kind,
                    message=job.message,
                    reason=str(result),
                    again_s=wait_s,
                )
                return
            self._tries.pop(job, None)
            self.tell(job.box, then(result))

        self._parts.work(work, done)

    def _keep(self, job: _Job, message: Message) -> None:
        def then(result: Any) -> Input:
            if isinstance(result, Nothing):
                return Drop("voicemail", SYSTEM, message.id, str(result))
            return Keep("voicemail", SYSTEM, message.id, *result)

        if message.file:
            self._running.discard(job)
            return
        tries = self._tries.get(job, 0)
        self._work(job, partial(self._parts.clerk.keep, job.box.tenant, message.id, self.key_of(message), tries), then)

    def _erase(self, job: _Job, message: Message) -> None:
        work = partial(self._parts.clerk.erase, message)
        self._work(job, work, lambda result: Erase("voicemail", SYSTEM, message.id))

    def _mail(self, job: _Job, message: Message) -> None:
        def then(result: Any) -> Input:
            if isinstance(result, NotSendable):
                _log.error("a mail about a message cannot be sent", message=message.id, reason=str(result))
                return GiveUpMail("voicemail", SYSTEM, message.id, str(result))
            return Mail("voicemail", SYSTEM, message.id)

        box, tenant = self.box(job.box), self._parts.directory().tenants.get(job.box.tenant)
        timezone = tenant.timezone if tenant is not None else "UTC"
        self._work(job, partial(self._parts.clerk.mail, box, message, self.key_of(message), timezone), then)

    # --- time

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called. Asked very often."""
        return min((*self._later.values(), self._look))

    def on_due(self, now: datetime) -> None:
        """Try again what is to be tried again; delete what was kept for long enough."""
        for job in [job for job, at in self._later.items() if at <= now]:
            del self._later[job]
            self._start(job)
        if self._look > now:
            return
        self._look = now + _LOOK
        for mailbox in list(self.mailboxes()):
            name = BoxName(mailbox.tenant, mailbox.number)
            for message in expired(mailbox, self.box(name), now):
                self.tell(name, Expire("deadline:expiry", SYSTEM, message))
