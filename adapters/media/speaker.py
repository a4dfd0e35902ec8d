"""What our side says of its streams, and what each comes to with the party's word.

What may live here: the choice of what to say, and opening sealed keys for a moment. The texts are `offer`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.media.offer import Place, answer, elsewhere, leg_alone, leg_of, offer, offer_again
from adapters.media.secure import Means, Shown
from adapters.media.stream import Stream
from domain.sdp import map_crypto
from media.wire import Leg


class Speaker:
    """Of one installation."""

    def __init__(self, means: Means, unseal: Callable[[str], str], shown: Shown) -> None:
        self._means, self._unseal, self._shown = means, unseal, shown

    def first(self, stream: Stream, place: Place) -> tuple[str, Leg]:
        """What we say of a stream whose port is not open yet, and what it is. Raises ValueError."""
        theirs = stream.theirs if stream.moves else stream.offered
        if not theirs:
            ours = offer(place, self._means, stream.secret)
            return ours, leg_alone(stream.leg, ours)
        ours = elsewhere(stream.said, place) if stream.moves else answer(theirs, place, self._means)
        return ours, self.leg(stream.leg, theirs, ours)

    def again(self, leg: str, offered: str, place: Place, before: str) -> str:
        """What we say to a new offer in a session, or to the wish for one. Raises ValueError."""
        if not offered:
            return elsewhere(offer_again(before), place)
        ours = answer(offered, place, self._means, before)
        self.leg(leg, offered, ours)
        return ours

    def leg(self, leg: str, theirs: str, ours: str) -> Leg:
        """What both descriptions, with sealed keys, came to. Raises ValueError."""
        return leg_of(leg, map_crypto(theirs, self._unseal), map_crypto(ours, self._unseal), self._shown)
