"""The events of media that go through us. They belong to `Call`, which names them all."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.leg import Settled
from domain.call.relay import Detour, Relay, RelayPlace
from domain.call.state import Refresh
from domain.call.terms import Terms
from domain.values import Cause, Dialog

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class RelayRequested(Event):
    """The call's media are to go through us, because of `why` (see `domain.call.relay.Relay`).

    In a call that goes on `by` wants to record it.
    """

    TOPIC = "call.relay_requested.2"
    FORMER = ("call.relay_requested.1",)

    why: str
    encrypted: bool | None = None
    by: str = ""

    def apply(self, aggregate: Call) -> None:
        raised = aggregate.relay.raised if aggregate.relay is not None else ()
        talked = aggregate.talked
        detour = Detour(to_us=True, legs=talked[::-1], due_at=self.timestamp, by=self.by) if talked else None
        aggregate.relay = Relay(
            self.why, self.encrypted, self.timestamp, None, frozenset(talked), raised, detour=detour
        )


@fact
class RelayWidened(Event):
    """The phones have no codec in common: from now on each is offered all that our media can make of the other's."""

    TOPIC = "call.relay_widened.1"

    def apply(self, aggregate: Call) -> None:
        assert aggregate.relay is not None
        aggregate.relay = msgspec.structs.replace(aggregate.relay, wide=True)


@fact
class MediaRelayed(Event):
    """Our ends of the call's media are open: whoever is told of media from now on is told of these.

    There may have been others, which were lost.
    """

    TOPIC = "call.media_relayed.1"

    place: RelayPlace

    def apply(self, aggregate: Call) -> None:
        relay = aggregate.relay
        assert relay is not None
        again = relay.place is not None
        aggregate.relay = msgspec.structs.replace(relay, place=self.place)
        if not again:
            return
        if aggregate.talked:
            move_on(aggregate, self.timestamp)
        else:
            told = (leg.id for leg in aggregate.legs.values() if not leg.caller or _was_told(aggregate))
            aggregate.relay = msgspec.structs.replace(aggregate.relay, astray=frozenset(told))


@fact
class WayOffered(Event):
    """A phone is offered the same media on another way: through us (`to_us`), or to the other phone."""

    TOPIC = "call.way_offered.1"

    leg: str
    dialog: Dialog
    to_us: bool

    def apply(self, aggregate: Call) -> None:
        leg = aggregate.legs[self.leg]
        leg.dialog, leg.epoch = self.dialog, self.context.epoch
        assert aggregate.relay is not None
        turns = (self.leg in aggregate.relay.direct) is self.to_us
        _tell(aggregate, self.leg, self.to_us)
        aggregate.relay = msgspec.structs.replace(aggregate.relay, raised=(*aggregate.relay.raised, self.leg))
        sdp, terms = aggregate.other(self.leg).sdp, leg.terms
        aggregate.refresh = Refresh(
            self.leg, self.dialog, sdp, False, terms, self.timestamp, to_us=self.to_us, turns=turns
        )


@fact
class WayTaken(Event):
    """A phone took the way that it was offered; `sdp` is its answer.

    That is other than what the leg `again` was told of it, which is offered it once more.
    """

    TOPIC = "call.way_taken.1"

    leg: str
    dialog: Dialog
    sdp: str
    terms: Terms
    again: str = ""

    def apply(self, aggregate: Call) -> None:
        leg, pending, detour = aggregate.legs[self.leg], aggregate.refresh, aggregate.detour
        assert pending is not None
        leg.dialog, leg.sdp = self.dialog, self.sdp
        leg.renew(self.terms, self.timestamp)
        leg.settled, aggregate.refresh = Settled(self.dialog, self.timestamp), None
        if detour is None or pending.to_us is not detour.to_us:  # what it took is being undone
            return
        rest, more = tuple(one for one in detour.legs if one != self.leg), (self.again,) if self.again else ()
        rounds = detour.rounds + len(more)
        later = msgspec.structs.replace(detour, legs=rest + more, due_at=self.timestamp, tries=0, rounds=rounds)
        _go_on(aggregate, later)


@fact
class WayRefused(Event):
    """A phone did not take the way that it was offered, this time: its media are as they were. It may be asked again at
    `retry_at`, with a session under `terms`."""

    TOPIC = "call.way_refused.1"

    leg: str
    why: Cause
    retry_at: datetime
    terms: Terms

    def apply(self, aggregate: Call) -> None:
        pending, detour = aggregate.refresh, aggregate.detour
        assert pending is not None
        assert detour is not None
        aggregate.refresh = None
        aggregate.legs[self.leg].terms = self.terms
        if pending.turns:
            _tell(aggregate, self.leg, not pending.to_us)
        if pending.to_us is detour.to_us:
            later = msgspec.structs.replace(detour, due_at=self.retry_at, tries=detour.tries + 1)
            _go_on(aggregate, later)
        else:  # what it did not take need not be undone
            legs = tuple(one for one in detour.legs if one != self.leg)
            _go_on(aggregate, msgspec.structs.replace(detour, legs=legs))


@fact
class WayAbandoned(Event):
    """A change of the way of the media is given up, because of `why`: who took it is offered the former way."""

    TOPIC = "call.way_abandoned.1"

    why: Cause

    def apply(self, aggregate: Call) -> None:
        detour, relay = aggregate.detour, aggregate.relay
        assert detour is not None
        assert relay is not None
        told = tuple(leg for leg in aggregate.talked[::-1] if (leg not in relay.direct) is detour.to_us)
        _go_on(aggregate, Detour(not detour.to_us, told, self.timestamp, undoes=True))


@fact
class RelayReleased(Event):
    """Nothing asks for media of our own any more: the phones are to hear each other directly again."""

    TOPIC = "call.relay_released.1"

    def apply(self, aggregate: Call) -> None:
        _go_on(aggregate, Detour(to_us=False, legs=aggregate.talked[::-1], due_at=self.timestamp))


def move_on(call: Call, at: datetime) -> None:
    """Our ends are others than those that phones were told of: they are offered these, until they take them.

    Who is on its way to the other phone is not; a change that brings phones to us brings them here.
    """
    assert call.relay is not None
    before = call.relay.detour
    if before is not None and not before.to_us:
        return
    by, undoes = (before.by, before.undoes) if before is not None else ("", True)
    detour = Detour(to_us=True, legs=call.talked[::-1], due_at=at, by=by, undoes=undoes)
    call.relay = msgspec.structs.replace(call.relay, detour=detour, astray=frozenset())


def _was_told(call: Call) -> bool:
    """Whether a caller that waits for an answer was told of media before it."""
    return any(leg.sdp and not leg.media for leg in call.legs.values() if not leg.caller)


def _tell(call: Call, leg: str, to_us: bool) -> None:
    """From now on the phone of `leg` is told of us, or of the other phone."""
    relay = call.relay
    assert relay is not None
    direct = relay.direct - {leg} if to_us else relay.direct | {leg}
    call.relay = msgspec.structs.replace(relay, direct=direct)


def _go_on(call: Call, detour: Detour) -> None:
    """It is made as far as `detour` says; once no phone is left in it our ends are closed if no phone uses them."""
    relay = call.relay
    assert relay is not None
    if detour.legs:
        call.relay = msgspec.structs.replace(relay, detour=detour)
    elif relay.direct.issuperset(call.talked):
        call.relay = msgspec.structs.replace(relay, detour=None, place=None, over=True)
    else:
        call.relay = msgspec.structs.replace(relay, detour=None)
