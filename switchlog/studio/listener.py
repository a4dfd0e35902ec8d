"""Callers who hear the messages of a mailbox, or see to its greetings: carries out what `domain.mailbox.hearing` says.

What may live here: their visits, whose PINs they are asked for, and how often those may be wrong. Where a caller is in
a menu is in no event: after a restart of this process it begins again.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from adapters.media.context import ContextName
from domain.call.call import Call
from domain.guess import Guesses
from domain.mailbox import greeting, hearing
from domain.mailbox.hearing import Mailboxes
from domain.mailbox.input import Delete, Hear
from domain.mailbox.visit import Place, Shown, Step
from domain.mailbox.visit import Visit as Where
from domain.ports import JournalError
from domain.switchboard import NotOwned
from switchlog.studio.mailroom import BoxName
from switchlog.studio.stage import Stage, Visit, VoicemailParts

_log = structlog.get_logger(__name__)


class Listening(Visit):
    """A caller who hears messages; `own` is the mailbox with its number, if it has one."""

    def __init__(self, name: ContextName, box: BoxName, call: Call) -> None:
        super().__init__(name, box, call)
        self.where = Where(Place.NUMBER, "")
        self.recording = ""
        """what is being recorded as a greeting; empty for nothing"""


class Listener:
    """All methods are of the loop's thread."""

    def __init__(self, parts: VoicemailParts, stage: Stage) -> None:
        self._parts, self._stage = parts, stage
        self._guesses = Guesses()

    def is_refused(self, box: BoxName, caller: str) -> bool:
        """Whether a caller need not even be asked for the PIN."""
        return self._asks(box, caller) and self._is_shut(box, caller)

    def began(self, visit: Listening) -> None:
        self._finish_former(visit)
        known = self._parts.board.directory.box(*visit.box) is not None
        number = visit.box.number if known else ""
        self._go(visit, hearing.begins(number, self._asks(visit.box, visit.caller), self._mailboxes(visit)))

    def pressed(self, visit: Listening, digit: str) -> None:
        where = visit.where
        if where.asked and where.place is not Place.NUMBER and digit == "#" and self._is_shut(visit.box, visit.caller):
            self._go(visit, where.at(Place.BYE))
        else:
            self._take(visit, hearing.press(where, digit, self._mailboxes(visit)))

    def played(self, visit: Listening) -> None:
        self._take(visit, hearing.played(visit.where))
        if visit.where.waits:
            visit.due = self._parts.clock() + timedelta(seconds=hearing.PATIENCE_S)

    def due(self, visit: Listening) -> None:
        """Nobody is waited for for ever, or speaks for ever."""
        self._go(visit, hearing.tired(visit.where))

    def closed(self, visit: Listening) -> None:
        """What is recorded has come to its end, whatever the reason."""
        if visit.where.place is Place.RECORD:
            self._go(visit, visit.where.at(Place.KEEP))

    def left(self, visit: Listening) -> None:
        """The caller has hung up: a greeting that it was recording is one."""
        self._finish(visit)

    def changed(self, visit: Listening) -> None:
        """Something in its mailbox is other than before, perhaps what became of a greeting."""
        if visit.where.place is not Place.KEEP:
            return
        mailbox = self._parts.mailroom.find(visit.box)
        message = mailbox.messages.get(visit.recording) if mailbox else None
        if message is None or message.file:
            self._go(visit, greeting.kept(visit.where, message is not None))

    # --- where a caller is

    def _mailboxes(self, visit: Listening) -> Mailboxes:
        def is_pin(number: str, digits: str) -> bool:
            return self._is_pin(BoxName(visit.box.tenant, number), digits, visit.caller)

        return Mailboxes(is_pin, lambda number: self._shown(BoxName(visit.box.tenant, number)))

    def _shown(self, box: BoxName) -> Shown | None:
        room = self._parts.mailroom
        if not room.is_here(box):
            return None
        mailbox = room.find(box)
        return Shown(tuple(one.id for one in mailbox.there), mailbox.counts) if mailbox else Shown((), (0, 0))

    def _take(self, visit: Listening, step: Step) -> None:
        actor = f"leg:{visit.leg}"
        if step.heard:
            self._parts.mailroom.tell(visit.box, Hear(actor, actor, step.heard))
        if step.deleted:
            self._parts.mailroom.tell(visit.box, Delete(actor, actor, step.deleted))
        if step.erased:
            self._erase(visit, step.erased)
        if step.visit.round != visit.where.round:
            self._go(visit, step.visit)
        else:
            visit.where = step.visit

    def _go(self, visit: Listening, where: Where) -> None:
        former, visit.where = visit.where, where
        if where.number:
            visit.box = BoxName(visit.box.tenant, where.number)
        if former.place is Place.RECORD and where.place is not Place.RECORD:
            self._finish(visit)
        wait_s = greeting.LONGEST_S if where.place is Place.RECORD else hearing.LONGEST_S if where.waits else None
        visit.due = self._parts.clock() + timedelta(seconds=wait_s) if wait_s else None
        if where.place is Place.OVER:
            self._stage.end(visit)
        elif where.place is Place.RECORD:
            self._record(visit)
        else:
            self._stage.sound(visit, hearing.sound_at(where), lambda: self.played(visit))

    # --- greetings

    def _record(self, visit: Listening) -> None:
        name = visit.recording = greeting.name_of(visit.leg, visit.where.round)

        def begun(accepted: bool) -> None:
            mailbox = self._parts.mailroom.find(visit.box)
            message = mailbox.messages.get(name) if mailbox else None
            is_awaited = not visit.over and visit.where.place is Place.RECORD and visit.recording == name
            if message is not None and is_awaited:
                self._stage.record(visit, message)

        caller = (visit.caller, visit.call.display)
        try:
            self._parts.mailroom.begin(visit.box, name, caller, begun, greeting=visit.where.greeting)
        except (JournalError, NotOwned) as error:
            _log.error("a greeting cannot be recorded", mailbox=visit.box.number, reason=str(error))
            self._stage.end(visit)

    def _finish(self, visit: Listening) -> None:
        if visit.recording:
            self._parts.mailroom.finish(visit.box, visit.recording, closed=False)

    def _finish_former(self, visit: Listening) -> None:
        """What the same caller recorded before a restart is not gone on with."""
        mailbox = self._parts.mailroom.find(visit.box)
        for one in tuple(mailbox.messages.values()) if mailbox else ():
            if one.greeting and not one.file and greeting.is_of(one.id, visit.leg):
                self._parts.mailroom.finish(visit.box, one.id, closed=False)

    def _erase(self, visit: Listening, state: str) -> None:
        mailbox, actor = self._parts.mailroom.find(visit.box), f"leg:{visit.leg}"
        known = mailbox.greetings.get(state) if mailbox else None
        if known is not None:
            self._parts.mailroom.tell(visit.box, Delete(actor, actor, known.id))

    # --- PINs

    def _asks(self, box: BoxName, caller: str) -> bool:
        """Of somebody else's mailbox always."""
        declared = self._parts.mailroom.box(box)
        return caller != box.number or (bool(declared.pin) and not declared.pinless)

    def _is_shut(self, box: BoxName, caller: str) -> bool:
        return self._guesses.shut(box, caller, self._parts.clock())

    def _is_pin(self, box: BoxName, digits: str, caller: str) -> bool:
        """Who has been right before is no stranger later, when others are guessing."""
        pin, now = self._parts.mailroom.box(box).pin, self._parts.clock()
        if pin and digits == self._parts.unseal(pin):
            self._guesses.right(box, caller, now)
            return True
        if pin:
            self._guesses.wrong(box, caller, now)
        _log.warning("a wrong PIN of a mailbox", tenant=box.tenant, mailbox=box.number)
        return False
