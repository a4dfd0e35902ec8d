"""Callers who leave messages: carries out what `domain.mailbox.leaving` says.

What may live here: their visits. A message that is being recorded when this process dies is gone on with.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from adapters.media.context import ContextName
from domain.call.call import Call
from domain.mailbox.leaving import Cue, Place, begins, sound_at, turn
from domain.mailbox.turn import is_full
from domain.ports import JournalError
from domain.switchboard import NotOwned
from switchlog.studio.mailroom import BoxName
from switchlog.studio.stage import Stage, Visit, VoicemailParts

_log = structlog.get_logger(__name__)


class Leaving(Visit):
    """A caller who leaves a message."""

    def __init__(self, name: ContextName, box: BoxName, call: Call) -> None:
        super().__init__(name, box, call)
        self.place = Place.GREETING


class Leaver:
    """All methods are of the loop's thread."""

    def __init__(self, parts: VoicemailParts, stage: Stage) -> None:
        self._parts, self._stage = parts, stage

    def began(self, visit: Leaving) -> None:
        """The visit begins, or goes on after a restart in the middle of a recording."""
        room = self._parts.mailroom
        mailbox, declared = room.find(visit.box), room.box(visit.box)
        message = mailbox.messages.get(visit.leg) if mailbox else None
        if message is not None and message.file:
            self._go(visit, Place.SAVED)
        else:
            self._go(visit, begins(is_full(mailbox, declared), message is not None))

    def pressed(self, visit: Leaving, digit: str) -> None:
        if digit == "#":
            self.cue(visit, Cue.HASH)

    def played(self, visit: Leaving) -> None:
        self.cue(visit, Cue.PLAYED)

    def due(self, visit: Leaving) -> None:
        """Nobody speaks for ever."""
        self.cue(visit, Cue.LIMIT)

    def closed(self, visit: Leaving) -> None:
        """What is recorded has come to its end, whatever the reason."""
        if visit.place is Place.RECORDING:
            self.cue(visit, Cue.LIMIT)

    def left(self, visit: Leaving) -> None:
        """The caller has hung up."""
        self._parts.mailroom.finish(visit.box, visit.leg, closed=False)

    def cue(self, visit: Leaving, cue: Cue) -> None:
        place = turn(visit.place, cue)
        if place is not visit.place:
            self._go(visit, place)

    def _go(self, visit: Leaving, place: Place) -> None:
        visit.place, visit.due = place, None
        if place is Place.RECORDING:
            self._record(visit)
        elif place is Place.OVER:
            self._stage.end(visit)
        else:
            sound = sound_at(place, visit.call.voicemail.state or "none")
            self._stage.sound(visit, sound, lambda: self.played(visit))

    def _record(self, visit: Leaving) -> None:
        visit.due = self._parts.clock() + timedelta(seconds=self._parts.mailroom.box(visit.box).message_s)
        caller = (visit.caller, visit.call.display)

        def begun(accepted: bool) -> None:
            mailbox = self._parts.mailroom.find(visit.box)
            message = mailbox.messages.get(visit.leg) if mailbox else None
            if visit.over or visit.place is not Place.RECORDING:
                return
            if message is None:
                self._go(visit, Place.FULL)
            else:
                self._stage.record(visit, message)

        try:
            self._parts.mailroom.begin(visit.box, visit.leg, caller, begun)
        except (JournalError, NotOwned) as error:
            _log.error("a message cannot be taken", mailbox=visit.box.number, reason=str(error))
            self._stage.end(visit)
