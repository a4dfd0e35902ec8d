"""A context as it is: who is in it, what is played and recorded there, and whose word that was.

What may live here: the rules of `rev` and `epoch`, and of the rate of a mix. What sound is, is not known here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from media.play import Playback
from media.rate import mix_rate_hz
from media.record import Recording
from media.span import Span
from media.stream import Stream
from media.wire import Context

_MOST_REMEMBERED = 10_000
_RELAYED_LEGS = 2


@dataclass
class Room:
    """A context that is here."""

    name: str
    epoch: int
    rev: int
    desired: Context
    streams: dict[str, Stream] = field(default_factory=dict)
    """by leg"""
    plays: dict[str, Playback] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    span: Span | None = None
    """if some of its legs are at other workers"""
    talking: tuple[str, ...] = ()
    """who was told to talk, the loudest first"""

    @property
    def rate_hz(self) -> int:
        """Of its mix."""
        return self.desired.clock_rate_hz or mix_rate_hz(self.desired.legs)

    @property
    def is_pair(self) -> bool:
        """Whether it is two legs that only hear each other."""
        return self.desired.relayed and len(self.desired.legs) == _RELAYED_LEGS

    def partners(self) -> Iterator[tuple[Stream, Stream | None]]:
        """Each leg with the one that is to be sent its digits: none where packets pass as they are, digits and all."""
        mixed = self.is_pair and not self.is_relayed
        others = [*self.streams.values()][::-1] if mixed else [None] * len(self.streams)
        return zip(self.streams.values(), others, strict=True)

    @property
    def is_relayed(self) -> bool:
        """Whether packets pass as they are: that is wanted of two legs of one codec, and they hear nothing else."""
        wanted = self.desired
        if not self.is_pair or wanted.plays or wanted.records:
            return False
        one, other = wanted.legs
        same = (one.codecs[0].name.upper(), one.codecs[0].clock_rate_hz, one.codecs[0].channels)
        return not (one.plays or other.plays) and same == (
            other.codecs[0].name.upper(),
            other.codecs[0].clock_rate_hz,
            other.codecs[0].channels,
        )


class StaleError(ValueError):
    """Whoever wrote this lost the context to another, or was overtaken by what it wrote itself."""


class Rooms:
    """All contexts by name, and the epochs of some that were dropped: a loser's word may still be on its way."""

    def __init__(self) -> None:
        self.here: dict[str, Room] = {}
        self._dropped: OrderedDict[str, int] = OrderedDict()

    def check(self, context: str, epoch: int) -> None:
        """Raises StaleError if somebody with a newer epoch had the context since."""
        room = self.here.get(context)
        known = room.epoch if room is not None else self._dropped.get(context, 0)
        if epoch < known:
            raise StaleError(f"epoch {epoch} is over: {context} belongs to epoch {known}")

    def drop(self, context: str, epoch: int) -> Room | None:
        """Take a context away, if it is here; older epochs are refused from now on. Raises StaleError."""
        self.check(context, epoch)
        self._dropped[context] = epoch
        self._dropped.move_to_end(context)
        if len(self._dropped) > _MOST_REMEMBERED:
            self._dropped.popitem(last=False)
        return self.here.pop(context, None)

    def inventory(self) -> tuple[tuple[str, int, int], ...]:
        """(context, rev, epoch) of each."""
        return tuple((name, room.rev, room.epoch) for name, room in self.here.items())

    def spans(self) -> dict[str, tuple[bool, tuple[str, ...]]]:
        """Of each that has legs elsewhere, whether this is its home, and the legs here."""
        spans = ((name, room, room.desired.span) for name, room in self.here.items())
        return {name: (span.home, tuple(room.streams)) for name, room, span in spans if span is not None}
