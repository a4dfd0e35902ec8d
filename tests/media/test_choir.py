"""Legs that hear the very same: encoded once, and nobody hears when they begin to and when they cease."""

from __future__ import annotations

import numpy as np
import pytest

from media import codec as codecs
from media.choir import ALIKE_FRAMES, Choir
from media.pcm import Samples
from media.tone import tone
from media.voice import Packed, Speaking
from media.wire import Codec

OPUS, G722 = Codec("opus", 96, 48000, 2), Codec("G722", 9)
RATE_HZ, FRAME = 48000, 960
LONG_ENOUGH = ALIKE_FRAMES + 5
SOUND = tone(440, 4.0, RATE_HZ, -20).reshape(-1, FRAME)
OTHER = tone(700, 4.0, RATE_HZ, -20).reshape(-1, FRAME)


class Counted(Speaking):
    """Knows how often it has encoded."""

    encoded = 0

    def packets(self, frame: Samples) -> list[Packed]:
        self.encoded += 1
        return super().packets(frame)


def legs(count: int, codec: Codec = OPUS, ptime_ms: int = 20) -> list[Counted]:
    return [Counted(codec, RATE_HZ if codec is OPUS else 16000, ptime_ms) for _ in range(count)]


class Stage:
    """What each leg got."""

    def __init__(self, count: int) -> None:
        self.legs, self.choir = legs(count), Choir()
        self.heard: list[list[Samples]] = [[] for _ in self.legs]
        self.decoders = [codecs.decoder(OPUS) for _ in self.legs]
        self.at = 0

    def run(self, frames: int, sounds: list[Samples]) -> list[int]:
        """Let each hear its sound; how often each was encoded for."""
        before = [leg.encoded for leg in self.legs]
        for _ in range(frames):
            made = self.choir.packets(self.legs, [sound[self.at % len(sound)] for sound in sounds])
            for heard, decoder, packets in zip(self.heard, self.decoders, made, strict=True):
                heard += [decoder.decode(one.payload) for one in packets]
            self.at += 1
        return [leg.encoded - count for leg, count in zip(self.legs, before, strict=True)]


def test_who_hears_the_same_for_a_second_is_encoded_for_once() -> None:
    made = Stage(4)
    assert made.run(ALIKE_FRAMES - 1, [SOUND, SOUND, OTHER, SOUND]) == [ALIKE_FRAMES - 1] * 4
    made.run(5, [SOUND, SOUND, OTHER, SOUND])
    assert made.run(20, [SOUND, SOUND, OTHER, SOUND]) == [20, 0, 20, 0]


@pytest.mark.parametrize("who", [0, 1, 2])
def test_when_one_hears_something_else_the_others_stay_together(who: int) -> None:
    made, sounds = Stage(4), [SOUND] * 4
    made.run(LONG_ENOUGH, sounds)
    sounds[who] = OTHER
    counts = made.run(20, sounds)
    assert counts[who] == 20
    assert sorted(counts) == [0, 0, 20, 20]


def test_when_the_one_that_is_encoded_for_is_gone_another_takes_its_place() -> None:
    made = Stage(3)
    made.run(LONG_ENOUGH, [SOUND] * 3)
    del made.legs[0], made.heard[0], made.decoders[0]
    assert sorted(made.run(20, [SOUND] * 2)) == [0, 20]


def test_two_groups_that_hear_the_same_become_one() -> None:
    made = Stage(4)
    made.run(LONG_ENOUGH, [SOUND, SOUND, OTHER, OTHER])
    assert made.run(5, [SOUND, SOUND, OTHER, OTHER]) == [5, 0, 5, 0]
    made.run(LONG_ENOUGH, [SOUND] * 4)
    assert made.run(5, [SOUND] * 4) == [5, 0, 0, 0]


def test_nobody_hears_who_is_encoded_for() -> None:
    """One leg follows for a while, parts, and follows again: as smooth as what it is made of."""
    made, alone = Stage(2), Stage(1)
    for frames, sounds in ((LONG_ENOUGH + 20, [SOUND, SOUND]), (30, [OTHER, SOUND]), (LONG_ENOUGH + 20, [SOUND] * 2)):
        made.run(frames, sounds)
        alone.run(frames, [SOUND])
    assert made.legs[1].leader is made.legs[0]
    got, expected = (np.concatenate(one).astype(int) for one in (made.heard[1], alone.heard[0]))
    assert np.abs(np.diff(got[FRAME:])).max() <= 1.1 * np.abs(np.diff(expected[FRAME:])).max()
    assert np.corrcoef(got[FRAME:], expected[FRAME:])[0, 1] > 0.999


def test_a_leg_that_loses_packets_is_encoded_for_alone() -> None:
    made = Stage(2)
    made.run(LONG_ENOUGH, [SOUND] * 2)
    made.legs[1].expect_loss(10)
    assert made.run(LONG_ENOUGH, [SOUND] * 2) == [LONG_ENOUGH] * 2


@pytest.mark.parametrize(("codec", "ptime_ms"), [(G722, 20), (OPUS, 40)])
def test_other_codecs_and_packet_times_are_encoded_one_by_one(codec: Codec, ptime_ms: int) -> None:
    choir, some = Choir(), legs(2, codec, ptime_ms)
    for _ in range(LONG_ENOUGH):
        frame = SOUND[0] if codec is OPUS else SOUND[0][:320]
        choir.packets(some, [frame, frame])
    assert [leg.encoded for leg in some] == [LONG_ENOUGH] * 2
