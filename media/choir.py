"""Legs that hear the very same, to the sample: what they hear is encoded once.

What may live here: who hears the same as whom, and since when. Codecs are `media.voice`'s.

Who has heard the same as another for a second *follows*: it gets the other's packets, and its own encoder rests. By
then two encoders hardly differ in what they take for known to the decoder. Who hears something else again goes on with
a copy of the encoder whose packets it got, so its decoder notices nothing; of those that part from a leader together
the first becomes the leader of the others.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from media.pcm import Samples
from media.quick import same
from media.voice import Packed, Speaking

ALIKE_FRAMES = 50
_APART = 61
"""Samples between those that are compared first."""


class Choir:
    """Of all legs with codecs of their own. What lasts of a leg is in its `Speaking`."""

    def packets(self, speaking: Sequence[Speaking], frames: Sequence[Samples]) -> list[list[Packed]]:
        """What is full with these frames, one for each."""
        sounds = dict(zip(speaking, frames, strict=True))
        self._part(sounds)
        self._join(sounds)
        made = {one: one.packets(frame) for one, frame in sounds.items() if one.leader is None}
        return [made[one] if one.leader is None else list(made[one.leader]) for one in speaking]

    def _part(self, sounds: dict[Speaking, Samples]) -> None:
        """Let those go on by themselves that do not hear any more what their leader hears."""
        heirs: dict[Speaking, list[Speaking]] = {}
        for one, frame in sounds.items():
            leader = one.leader
            if leader is None or (leader in sounds and one.likeness == leader.likeness and same(frame, sounds[leader])):
                continue
            parted = heirs.setdefault(leader, [])
            heir = next(
                (other for other in parted if one.likeness == other.likeness and same(frame, sounds[other])), None
            )
            if heir is None:
                one.go_on_from(leader)
                parted.append(one)
            else:
                one.leader = heir

    def _join(self, sounds: dict[Speaking, Samples]) -> None:
        """Count for how long others have heard what the first of them hears."""
        first: dict[Hashable, Speaking] = {}
        for one, frame in sounds.items():
            if one.leader is not None or one.likeness is None:
                continue
            other = first.setdefault((one.likeness, frame[::_APART].tobytes()), one)
            if other is one or not same(frame, sounds[other]):
                one.alike, one.alike_frames = None, 0
                continue
            one.alike_frames = one.alike_frames + 1 if one.alike is other else 1
            one.alike = other
            if one.alike_frames >= ALIKE_FRAMES:
                for follower in sounds:
                    if follower is one or follower.leader is one:
                        follower.leader = other
