"""The events of media that go through us. They belong to `Call`, which names them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from domain.base import Event, fact
from domain.call.relay import Relay, RelayPlace

if TYPE_CHECKING:
    from domain.call.call import Call


@fact
class RelayRequested(Event):
    """The call's media are to go through us, because of `why` (see `domain.call.relay.Relay`)."""

    TOPIC = "call.relay_requested.1"

    why: str
    encrypted: bool | None = None

    def apply(self, aggregate: Call) -> None:
        aggregate.relay = Relay(self.why, self.encrypted, self.timestamp)


@fact
class MediaRelayed(Event):
    """Our ends of the call's media are open: whoever is told of media from now on is told of these."""

    TOPIC = "call.media_relayed.1"

    place: RelayPlace

    def apply(self, aggregate: Call) -> None:
        relay = aggregate.relay
        assert relay is not None
        aggregate.relay = msgspec.structs.replace(relay, place=self.place)
