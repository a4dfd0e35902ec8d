"""Callers at mailboxes: who leaves a message, and who hears those for its own number.

What may live here: visits, which are the `Attendance` of both kinds of venue: what is heard and recorded there as
`domain.mailbox` says, and when a visit ends. A visit lives as long as this process; after a restart it begins again
from the start, but a message that is being recorded is gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from adapters.media.attend import Happening
from adapters.media.context import Arrangement, ContextName
from adapters.media.room import silent
from domain.call.call import Call
from domain.call.input import Released
from domain.guess import Guesses
from domain.ids import call_of_leg
from domain.mailbox import hearing, leaving
from domain.mailbox.input import Delete, Hear
from domain.mailbox.leaving import Sound
from domain.mailbox.turn import is_full
from domain.ports import JournalError
from domain.routing.directory import Box
from domain.switchboard import NotOwned
from domain.values import MAILBOX, MESSAGES, NORMAL, Cause
from media.wire import Context, Leg, Play, PlayDone, Record
from switchlog.session.board import Board
from switchlog.studio.mailroom import BoxName, Mailroom

_log = structlog.get_logger(__name__)
NO_MAILBOX = Cause(404, 1, "this number has no mailbox")
GUESSED = Cause(403, 21, "too many wrong PINs were entered for this mailbox: try again later")


class VoicemailParts(NamedTuple):
    """What visits are built from."""

    board: Board
    mailroom: Mailroom
    unseal: Callable[[str], str]
    clock: Callable[[], datetime]
    arrange: Callable[[ContextName, Arrangement | None], None]


class _Visit:
    """A caller at a mailbox."""

    def __init__(self, name: ContextName, box: BoxName, call: Call) -> None:
        self.name, self.box, self.call = name, box, call
        self.leaving: leaving.Place | None = None
        self.hearing: hearing.Visit | None = None
        self.sounds = 0
        """How many there were: the names of plays rise."""
        self.play: Play | None = None
        self.due: datetime | None = None
        self.over = False

    @property
    def leg(self) -> str:
        return self.name.name


class Voicemail:
    """All methods are of the loop's thread."""

    def __init__(self, parts: VoicemailParts) -> None:
        self._parts = parts
        self._visits: dict[str, _Visit] = {}
        self._guesses = Guesses()

    # --- adapters.media.attend.Attendance

    def refuses(self, call: Call) -> Cause | None:
        """Whoever has no mailbox cannot hear its messages, nor anybody while its PIN is being guessed."""
        assert call.venue is not None
        name = _box_of(call)
        if self._parts.board.directory.box(*name) is None:
            return NO_MAILBOX
        shut = call.venue.kind == MESSAGES and self._asks(name) and self._is_shut(name)
        return GUESSED if shut else None

    def came(self, call: Call, leg: str) -> None:
        if leg in self._visits:
            return
        assert call.venue is not None
        box = _box_of(call)
        visit = self._visits[leg] = _Visit(ContextName(call.venue.kind, call.tenant, leg), box, call)
        mailbox, declared = self._parts.mailroom.find(box), self._parts.mailroom.box(box)
        if call.venue.kind == MAILBOX:
            message = mailbox.messages.get(leg) if mailbox else None
            if message is not None and message.file:
                self._leave_to(visit, leaving.Place.SAVED)
            else:
                self._leave_to(visit, leaving.begins(is_full(mailbox, declared), message is not None))
        else:
            self._hear_to(visit, hearing.begins(self._asks(box), self._shown(box)))

    def gone(self, name: ContextName, leg: str) -> None:
        visit = self._visits.pop(leg, None)
        self._parts.arrange(name, None)
        if name.kind == MAILBOX and visit is not None:
            self._parts.mailroom.finish(visit.box, leg, closed=False)

    def pressed(self, name: ContextName, leg: str, digit: str) -> None:
        visit = self._visits.get(leg)
        if visit is None or visit.over:
            return
        if visit.leaving is not None and digit == "#":
            self._cue(visit, leaving.Cue.HASH)
        elif visit.hearing is not None and visit.hearing.asked and digit == "#" and self._is_shut(visit.box):
            self._hear_to(visit, hearing.dismissed(visit.hearing))
        elif visit.hearing is not None:
            step = hearing.press(visit.hearing, digit, partial(self._is_pin, visit.box), self._shown(visit.box))
            self._take(visit, step)

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
        if visit is not None and visit.leaving is leaving.Place.RECORDING:
            self._cue(visit, leaving.Cue.LIMIT)
        if box is not None:
            self._parts.mailroom.finish(box, message.record, closed=True)

    def leave(self, is_left: Callable[[UUID], bool]) -> None:
        """Forget the visits of calls that are not ours any more: should they come back, they begin again."""
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
            if visit.leaving is not None:
                self._cue(visit, leaving.Cue.LIMIT)
            elif visit.hearing is not None:
                self._hear_to(visit, hearing.dismissed(visit.hearing))

    # --- who leaves a message

    def _cue(self, visit: _Visit, cue: leaving.Cue) -> None:
        assert visit.leaving is not None
        place = leaving.turn(visit.leaving, cue)
        if place is not visit.leaving:
            self._leave_to(visit, place)

    def _leave_to(self, visit: _Visit, place: leaving.Place) -> None:
        box = self._parts.mailroom.box(visit.box)
        state = visit.call.voicemail.state or "none"
        sound = leaving.sound_at(place, state, box.greetings)
        if sound is None and place is leaving.Place.GREETING:
            place = leaving.Place.BEEP
            sound = leaving.sound_at(place, state, box.greetings)
        visit.leaving, visit.due = place, None
        if place is leaving.Place.RECORDING:
            self._record(visit, box)
        elif place is leaving.Place.OVER:
            self._end(visit)
        else:
            self._sound(visit, sound)

    def _record(self, visit: _Visit, box: Box) -> None:
        visit.due = self._parts.clock() + timedelta(seconds=box.message_s)
        caller = (visit.call.caller.number, visit.call.display)

        def begun(accepted: bool) -> None:
            mailbox = self._parts.mailroom.find(visit.box)
            message = mailbox.messages.get(visit.leg) if mailbox else None
            if self._visits.get(visit.leg) is not visit or visit.leaving is not leaving.Place.RECORDING:
                return
            if message is None:
                self._leave_to(visit, leaving.Place.FULL)
            else:
                record = self._parts.mailroom.record(message)
                self._parts.arrange(visit.name, partial(_recorded, record=record))

        try:
            self._parts.mailroom.begin(visit.box, visit.leg, caller, begun)
        except (JournalError, NotOwned) as error:
            _log.error("a message cannot be taken", mailbox=visit.box.number, reason=str(error))
            self._end(visit)

    # --- who hears messages

    def _shown(self, box: BoxName) -> hearing.Shown:
        mailbox = self._parts.mailroom.find(box)
        if mailbox is None:
            return hearing.Shown((), (0, 0))
        return hearing.Shown(tuple(one.id for one in mailbox.there), mailbox.counts)

    def _asks(self, box: BoxName) -> bool:
        declared = self._parts.mailroom.box(box)
        return bool(declared.pin) and not declared.pinless

    def _is_shut(self, box: BoxName) -> bool:
        """Whoever calls for a mailbox calls from its own number: the right and the wrong are one caller."""
        return self._guesses.shut(box, box.number, self._parts.clock())

    def _is_pin(self, box: BoxName, digits: str) -> bool:
        pin = self._parts.mailroom.box(box).pin
        if pin and digits == self._parts.unseal(pin):
            return True
        self._guesses.wrong(box, box.number, self._parts.clock())
        _log.warning("a wrong PIN of a mailbox", tenant=box.tenant, mailbox=box.number)
        return False

    def _take(self, visit: _Visit, step: hearing.Step) -> None:
        cause, actor = f"leg:{visit.leg}", f"leg:{visit.leg}"
        if step.heard:
            self._parts.mailroom.tell(visit.box, Hear(cause, actor, step.heard))
        if step.deleted:
            self._parts.mailroom.tell(visit.box, Delete(cause, actor, step.deleted))
        before = visit.hearing
        assert before is not None
        if step.visit.round != before.round:
            self._hear_to(visit, step.visit)
        else:
            visit.hearing = step.visit

    def _hear_to(self, visit: _Visit, state: hearing.Visit) -> None:
        visit.hearing = state
        visit.due = self._parts.clock() + timedelta(seconds=hearing.LONGEST_S) if state.waits else None
        if state.place is hearing.Place.OVER:
            self._end(visit)
        else:
            self._sound(visit, hearing.sound_at(state))

    def _played(self, visit: _Visit) -> None:
        if visit.leaving is not None:
            self._cue(visit, leaving.Cue.PLAYED)
        elif visit.hearing is not None:
            step = hearing.played(visit.hearing)
            self._take(visit, step)
            if visit.hearing.waits:
                visit.due = self._parts.clock() + timedelta(seconds=hearing.PATIENCE_S)

    # --- sounds

    def _sound(self, visit: _Visit, sound: Sound | None) -> None:
        visit.sounds += 1
        visit.play = None
        if sound is not None and sound.kind == "message":
            self._fetch(visit, sound.name)
            return
        if sound is not None:
            language = self._parts.board.directory.language(*visit.box)
            visit.play = Play(str(visit.sounds), _source(sound, language))
        self._parts.arrange(visit.name, partial(_heard, play=visit.play))

    def _fetch(self, visit: _Visit, name: str) -> None:
        """Silence until the message is here; one that cannot be had is over at once."""
        mailbox = self._parts.mailroom.find(visit.box)
        message = mailbox.messages.get(name) if mailbox else None
        count = visit.sounds
        self._parts.arrange(visit.name, silent)
        if message is None or not message.there:
            self._played(visit)
            return

        def fetched(path: str, key: bytes) -> None:
            if self._visits.get(visit.leg) is not visit or visit.sounds != count:
                return
            if path:
                visit.play = Play(str(count), path, key=key)
                self._parts.arrange(visit.name, partial(_heard, play=visit.play))
            else:
                self._played(visit)

        self._parts.mailroom.fetch(message, fetched)

    # --- parts

    def _box_of_message(self, tenant: str, message: str) -> BoxName | None:
        for mailbox in self._parts.mailroom.mailboxes():
            if mailbox.tenant == tenant and message in mailbox.messages:
                return BoxName(tenant, mailbox.number)
        return None

    def _end(self, visit: _Visit) -> None:
        visit.over = True
        inp = Released(f"mailbox:{visit.leg}", "system", visit.leg, NORMAL)
        try:
            self._parts.board.handle(call_of_leg(visit.leg), inp, lambda accepted: None)
        except (JournalError, NotOwned) as error:
            _log.warning("who was at a mailbox stays for the moment", leg=visit.leg, reason=str(error))


def _box_of(call: Call) -> BoxName:
    """Where the call goes: the mailbox that was dialled, or that of its caller."""
    assert call.venue is not None
    number = call.caller.number if call.venue.kind == MESSAGES else call.venue.number
    return BoxName(call.tenant, number)


def _source(sound: Sound, language: str) -> str:
    """As `media.source` names it."""
    if sound.kind == "tone":
        return f"tone:{sound.name}"
    if sound.kind == "text":
        return f"say:{language}:{sound.name}"
    number = f":{sound.number}" if sound.number >= 0 else ""
    return f"prompt:{sound.name}:{language}{number}"


def _heard(streams: Sequence[Leg], play: Play | None) -> Context:
    """The caller hears something, or nothing; what it presses is heard."""
    return Context(tuple(_open(leg, plays=(play,) if play else ()) for leg in streams))


def _recorded(streams: Sequence[Leg], record: Record) -> Context:
    return Context(tuple(_open(leg, plays=()) for leg in streams), records=(record,))


def _open(leg: Leg, plays: tuple[Play, ...]) -> Leg:
    return msgspec.structs.replace(leg, plays=plays, inband_dtmf=leg.dtmf < 0 and leg.receives)
