"""Callers at mailboxes: the `Attendance` of both kinds of venue, where a message is left and where messages are heard.

What may live here: the visits that go on, and who is told what happens in them. A visit lives as long as this process;
after a restart it begins again from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import structlog

from adapters.media.attend import Happening
from adapters.media.context import ContextName
from domain.call.call import Call
from domain.values import MAILBOX, MESSAGES, Cause
from media.wire import PlayDone
from switchlog.studio.leaver import Leaver, Leaving
from switchlog.studio.listener import Listener, Listening
from switchlog.studio.mailroom import BoxName
from switchlog.studio.stage import Stage, VoicemailParts

_log = structlog.get_logger(__name__)
NO_MAILBOX = Cause(404, 1, "this number has no mailbox")
ELSEWHERE = Cause(480, 20, "this mailbox is at another node")
GUESSED = Cause(403, 21, "too many wrong PINs were entered for this mailbox: try again later")


class Voicemail:
    """All methods are of the loop's thread."""

    def __init__(self, parts: VoicemailParts) -> None:
        self._parts = parts
        stage = Stage(parts)
        self._leaver, self._listener = Leaver(parts, stage), Listener(parts, stage)
        self._visits: dict[str, Leaving | Listening] = {}

    # --- adapters.media.attend.Attendance

    def refuses(self, call: Call) -> Cause | None:
        """Nobody leaves a message where none is taken, nor is asked for a PIN while it is being guessed."""
        assert call.venue is not None
        box = self._box_of(call)
        if call.venue.kind == MESSAGES:
            known = self._parts.board.directory.box(*box) is not None
            return GUESSED if known and self._listener.is_refused(box, call.caller.number) else None
        if self._parts.board.directory.box(*box) is None:
            return NO_MAILBOX
        return None if self._parts.mailroom.is_here(box) else ELSEWHERE

    def came(self, call: Call, leg: str) -> None:
        if leg in self._visits:
            return
        assert call.venue is not None
        name, box = ContextName(call.venue.kind, call.tenant, leg), self._box_of(call)
        if call.venue.kind == MAILBOX:
            leaving = self._visits[leg] = Leaving(name, box, call)
            self._leaver.began(leaving)
        else:
            listening = self._visits[leg] = Listening(name, box, call)
            self._listener.began(listening)

    def gone(self, name: ContextName, leg: str) -> None:
        visit = self._visits.pop(leg, None)
        self._parts.arrange(name, None)
        if visit is None:
            return
        visit.over = True
        if isinstance(visit, Leaving):
            self._leaver.left(visit)
        else:
            self._listener.left(visit)

    def pressed(self, name: ContextName, leg: str, digit: str) -> None:
        visit = self._visits.get(leg)
        if visit is None or visit.over:
            return
        if isinstance(visit, Leaving):
            self._leaver.pressed(visit, digit)
        else:
            self._listener.pressed(visit, digit)

    def heard(self, name: ContextName, message: Happening) -> None:
        visit = self._visits.get(name.name)
        if isinstance(message, PlayDone):
            if visit is not None and visit.play is not None and visit.play.id == message.play:
                self._played(visit)
            return
        if message.reason:
            _log.error(
                "a message was not recorded to its end; what there was is kept: see that the disk of the data folder"
                " has room and can be written",
                message=message.record,
                reason=message.reason,
            )
        box = visit.box if visit is not None else self._box_of_message(name.tenant, message.record)
        if isinstance(visit, Leaving):
            self._leaver.closed(visit)
        elif isinstance(visit, Listening) and visit.recording == message.record:
            self._listener.closed(visit)
        if box is not None:
            self._parts.mailroom.finish(box, message.record, closed=True)

    def changed(self, box: BoxName) -> None:
        """Something in a mailbox is other than before."""
        for visit in list(self._visits.values()):
            if isinstance(visit, Listening) and visit.box == box:
                self._listener.changed(visit)

    def leave(self, is_left: Callable[[UUID], bool]) -> None:
        """Forget the visits of calls that are not ours any more: should they come back, they begin again."""
        for visit in self._visits.values():
            visit.over |= is_left(visit.call.id)
        self._visits = {leg: visit for leg, visit in self._visits.items() if not is_left(visit.call.id)}

    # --- time

    def next_due(self) -> datetime | None:
        """When `on_due` is to be called."""
        return min((visit.due for visit in self._visits.values() if visit.due is not None), default=None)

    def on_due(self, now: datetime) -> None:
        """Nobody speaks for ever, and nobody is waited for for ever."""
        for visit in list(self._visits.values()):
            if visit.due is None or visit.due > now:
                continue
            visit.due = None
            if isinstance(visit, Leaving):
                self._leaver.due(visit)
            else:
                self._listener.due(visit)

    # --- parts

    def _played(self, visit: Leaving | Listening) -> None:
        if isinstance(visit, Leaving):
            self._leaver.played(visit)
        else:
            self._listener.played(visit)

    def _box_of(self, call: Call) -> BoxName:
        """Where the call goes: the mailbox that was dialled, be it behind the number of messages, or its caller's."""
        assert call.venue is not None
        number = call.venue.number
        if call.venue.kind == MESSAGES:
            number = number.removeprefix(self._parts.board.directory.voicemail(call.tenant)) or call.caller.number
        return BoxName(call.tenant, number)

    def _box_of_message(self, tenant: str, message: str) -> BoxName | None:
        for mailbox in self._parts.mailroom.mailboxes():
            if mailbox.tenant == tenant and message in mailbox.messages:
                return BoxName(tenant, mailbox.number)
        return None
