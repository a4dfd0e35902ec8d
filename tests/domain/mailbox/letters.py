"""Plays a mailbox, as its tests and those of what reads its events want it."""

from __future__ import annotations

from typing import Any

from domain.base import Context, Event, Step
from domain.ids import mailbox_id
from domain.mailbox.input import Begin, Input, Keep
from domain.mailbox.mailbox import Mailbox
from domain.mailbox.turn import decide, fold
from domain.routing.directory import Box
from tests.domain.world import START

STREAM = mailbox_id("acme", "1002", 1, b"abcdefgh")
BOX = Box("acme", "1002", messages=2, keep_days=7, email="bob@acme.example")
LEFT = ("acme/voicemail/a", "00" * 32, 2500)


class Letters:
    """Plays one mailbox."""

    def __init__(self, box: Box = BOX) -> None:
        self.box, self.now = box, START
        self.mailbox: Mailbox | None = None
        self.events: list[Event] = []

    def play(self, kind: type[Input], message: str, *fields: Any) -> list[str]:
        version = self.mailbox.version if self.mailbox else 0
        step = Step(STREAM, version, self.now, Context("acme", str(STREAM), "c", "a", "node", 1))
        events = decide(self.mailbox, kind("c", "a", message, *fields), self.box, step)
        self.mailbox = fold(self.mailbox, events)
        self.events += events
        return [type(event).__name__ for event in events]

    def leave(self, message: str) -> list[str]:
        begun = self.play(Begin, message, "1001", "Alice", "sealed")
        return begun + self.play(Keep, message, *LEFT)
