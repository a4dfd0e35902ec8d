"""A leg that ends at our own media, and what its call is told of it.

What may live here: what is known of one leg, and inputs made of that.
"""

from __future__ import annotations

import msgspec

from adapters.media.context import ContextName
from adapters.media.description import NoCommonMedia
from domain.call.call import Call
from domain.call.effect import Reoffer
from domain.call.input import Answered, Failed, Released, Reoffered
from domain.values import MEDIA, Ability, Cause, Dialog, Transaction
from media.wire import Dtls, Leg, Sdes

ACTOR = "media"
NAME = "Switchlog"
"""What the far end of a call to our media is called where a phone's make would be."""
_UPDATES = Ability(updates=True)
_SECRET = ("tls", "wss")


class Stream:
    """A leg that ends here. `rev` is that of the context with which its port was opened first, 0 before that."""

    def __init__(self, call: Call, leg: str, context: ContextName) -> None:
        self.call, self.leg, self.context = call.id, leg, context
        self.dialog: Dialog | None = None
        self.offered, self.host = "", ""
        self.secret = call.caller.dialog.flow.transport in _SECRET
        """Whether nobody else reads what its party is told, so that keys may be offered to it."""
        self.ours = ""
        self.wire: Leg | None = None
        self.rev = self.tries = 0
        self.told = False
        """Whether its call knows what we answered."""
        self.out, self.lost_s = False, 0
        """Whether, and since how many seconds, its port is somebody else's: a worker that came new did not get it."""
        self.moves = False
        """Whether its party knows another place of ours: `said`, to what it said itself, which is `theirs`."""
        self.theirs, self.said = "", ""
        self.promised = 0
        """The port that its party is being told already."""
        self.asked: tuple[Call, Reoffer] | None = None
        """What is to be answered once the port is open."""

    def settle(self, wire: Leg, theirs: str, ours: str) -> None:
        """Its party knows where our end is; the keys of a handshake stay unless what was agreed on asks for another."""
        if self.wire is not None and isinstance(self.wire.secure, Dtls):
            known = _keyed(wire, self.wire.secure.keys)
            wire = known if known.secure == self.wire.secure else wire
        self.wire, self.theirs, self.ours, self.told, self.moves = wire, theirs, ours, True, False

    def uproot(self) -> None:
        """Its port is lost for good, and its party is to be told another one."""
        self.moves, self.said = True, self.ours
        self.told = self.out = False
        self.lost_s = self.tries = 0

    def learn(self, keys: Sdes) -> bool:
        """What its handshake gave; whether that is news."""
        before = self.wire
        self.wire = _keyed(before, keys) if before is not None else None
        return self.wire != before


def _keyed(leg: Leg, keys: Sdes | None) -> Leg:
    """A leg with what its handshake gave: a worker that did not make it needs no other one."""
    if keys is None or not isinstance(leg.secure, Dtls):
        return leg
    return msgspec.structs.replace(leg, secure=msgspec.structs.replace(leg.secure, keys=keys))


def cause_of(leg: str) -> str:
    """Of what our media say of a leg."""
    return f"{ACTOR}:{leg}"


def not_acceptable(error: ValueError) -> Cause:
    """RFC 3261 21.4.26; what is no description at all is no better."""
    return Cause(488, 65 if isinstance(error, NoCommonMedia) else 95, str(error))


def answered(stream: Stream) -> Answered:
    """Its port is open, and this is what we answer."""
    assert stream.dialog is not None
    dialog = msgspec.structs.replace(stream.dialog, remote_tag=ACTOR)
    return Answered(cause_of(stream.leg), ACTOR, stream.leg, dialog, stream.ours, NAME, _UPDATES)


def moved(stream: Stream) -> Reoffered:
    """Our end is elsewhere than its party knows: an offer of ours. Our side never holds, so it says `sendrecv`."""
    assert stream.dialog is not None
    dialog, cause = stream.dialog, cause_of(stream.leg)
    transaction = Transaction("INVITE", cause, dialog.remote_cseq + 1, dialog.call_id, "", "", (), (), MEDIA)
    return Reoffered(cause, ACTOR, stream.leg, transaction, dialog.remote_target, stream.ours, "sendrecv")


def ended(stream: Stream, why: Cause) -> Failed | Released:
    """There can be no stream: a party that waits for an answer is refused, one that talks is hung up on."""
    return released(stream, why) if stream.moves else Failed(cause_of(stream.leg), ACTOR, stream.leg, why)


def released(stream: Stream, why: Cause) -> Released:
    """A call that talks ends."""
    return Released(cause_of(stream.leg), ACTOR, stream.leg, why)
