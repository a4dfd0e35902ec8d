"""What a caller at a mailbox hears, and is recorded: told to the media as its context.

What may live here: visits as the media know them, sounds by their kinds, and their end. What is heard when is said by
who lets visitors in (`leaver`, `listener`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from adapters.media.context import Arrangement, ContextName
from adapters.media.room import silent
from domain.call.call import Call
from domain.call.input import Released
from domain.ids import call_of_leg
from domain.mailbox import leaving
from domain.mailbox.leaving import Sound
from domain.mailbox.mailbox import Message
from domain.ports import JournalError
from domain.switchboard import NotOwned
from domain.values import NORMAL
from media.wire import Context, Leg, Play, Record
from switchlog.session.board import Board
from switchlog.studio.mailroom import BoxName, Mailroom

_log = structlog.get_logger(__name__)


class VoicemailParts(NamedTuple):
    """What visits are built from."""

    board: Board
    mailroom: Mailroom
    unseal: Callable[[str], str]
    clock: Callable[[], datetime]
    arrange: Callable[[ContextName, Arrangement | None], None]


class Visit:
    """A caller at a mailbox."""

    def __init__(self, name: ContextName, box: BoxName, call: Call) -> None:
        self.name, self.box, self.call = name, box, call
        self.sounds = 0
        """How many there were: the names of plays rise."""
        self.play: Play | None = None
        self.due: datetime | None = None
        self.over = False

    @property
    def leg(self) -> str:
        return self.name.name

    @property
    def caller(self) -> str:
        """Its number."""
        return self.call.caller.number


class Stage:
    """All methods are of the loop's thread."""

    def __init__(self, parts: VoicemailParts) -> None:
        self._parts = parts

    def sound(self, visit: Visit, sound: Sound | None, failed: Callable[[], None]) -> None:
        """Let it be heard, or silence; `failed` if what was recorded cannot be had."""
        visit.sounds += 1
        visit.play = None
        if sound is not None and sound.kind == "greeting":
            self._greet(visit, sound.name, failed)
        elif sound is not None and sound.kind == "message":
            self._fetch(visit, self._message(visit, sound.name), failed)
        else:
            self._play(visit, sound)

    def record(self, visit: Visit, message: Message) -> None:
        """Record the caller from now on; nothing is heard."""
        visit.sounds += 1
        visit.play = None
        record = self._parts.mailroom.record(message)
        self._parts.arrange(visit.name, partial(_recorded, record=record))

    def end(self, visit: Visit) -> None:
        """All has been said."""
        visit.over = True
        inp = Released(f"mailbox:{visit.leg}", "system", visit.leg, NORMAL)
        try:
            self._parts.board.handle(call_of_leg(visit.leg), inp, lambda accepted: None)
        except (JournalError, NotOwned) as error:
            _log.warning("who was at a mailbox stays for the moment", leg=visit.leg, reason=str(error))

    # --- parts

    def _greet(self, visit: Visit, state: str, failed: Callable[[], None]) -> None:
        """What is recorded, and what is spoken in its place if that cannot be had."""
        mailbox, texts = self._parts.mailroom.find(visit.box), self._parts.mailroom.box(visit.box).greetings
        recorded = mailbox.greetings.get(state) if mailbox else None

        def spoken() -> None:
            sound = leaving.greeting(state, texts)
            if sound is None:
                failed()
            else:
                self._play(visit, sound)

        if recorded is not None:
            self._fetch(visit, recorded, spoken)
        else:
            spoken()

    def _play(self, visit: Visit, sound: Sound | None) -> None:
        if sound is not None:
            language = self._parts.board.directory.language(*visit.box)
            visit.play = Play(str(visit.sounds), _source(sound, language))
        self._parts.arrange(visit.name, partial(_heard, play=visit.play))

    def _message(self, visit: Visit, name: str) -> Message | None:
        mailbox = self._parts.mailroom.find(visit.box)
        message = mailbox.messages.get(name) if mailbox else None
        return message if message is not None and message.is_kept else None

    def _fetch(self, visit: Visit, message: Message | None, failed: Callable[[], None]) -> None:
        """Silence until the message is here."""
        count = visit.sounds
        self._parts.arrange(visit.name, silent)
        if message is None:
            failed()
            return

        def fetched(path: str, key: bytes) -> None:
            if visit.over or visit.sounds != count:
                return
            if path:
                visit.play = Play(str(count), path, key=key)
                self._parts.arrange(visit.name, partial(_heard, play=visit.play))
            else:
                failed()

        self._parts.mailroom.fetch(message, fetched)


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
