"""Plays a subscription, as its tests and those of what reads its events want it."""

from __future__ import annotations

from domain.base import Context, Event, Step
from domain.ids import new_stream_id
from domain.subscription.input import Input, Subscribe, Take
from domain.subscription.subscription import Subscription
from domain.subscription.turn import Notice, decide, fold, owed
from domain.values import Dialog
from tests.domain.world import START, UDP

STREAM = new_stream_id(1, 5, b"abcdefgh")
_URI = "sip:1002@acme.example"
DIALOG = Dialog("call", "ours", "theirs", _URI, _URI, "sip:1002@127.0.0.1:6002", (), 1, 7, UDP, "1002")


class Watch:
    """Plays one subscription."""

    def __init__(self) -> None:
        self.now, self.epoch = START, 1
        self.subscription: Subscription | None = None
        self.events: list[Event] = []

    def play(self, inp: Input) -> list[str]:
        version = self.subscription.version if self.subscription else 0
        context = Context("acme", str(STREAM), inp.cause, inp.actor, "node", self.epoch)
        events = decide(self.subscription, inp, Step(STREAM, version, self.now, context))
        self.subscription = fold(self.subscription, events)
        self.events += events
        return [type(event).__name__ for event in events]

    def owed(self, what: str = "0/0") -> Notice | None:
        assert self.subscription is not None
        return owed(self.subscription, what, self.now)

    def taken(self, what: str = "0/0") -> list[str]:
        """The phone takes what it is told now."""
        assert self.subscription is not None
        return self.play(Take("c", "a", self.subscription.version, what))


def begun(expires_s: int = 300) -> Watch:
    watch = Watch()
    watch.play(Subscribe("c", "a", "acme", "1002", "message-summary", "", DIALOG, expires_s))
    return watch
