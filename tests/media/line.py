"""A party's packets on their way to a jitter buffer, where the four bytes of every sample are its position.

`hear` plays arrivals into a buffer by ticks of 20 ms, as a worker does, and says what came out at each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from media.jitter import Absent, JitterBuffer
from media.rtp import Packet

TICKS_PER_MS = 8
SAMPLE_BYTES = 4
FRAME = 20 * TICKS_PER_MS
SSRC = 0x5EED

Arrival = tuple[float, Packet]


class Heard(NamedTuple):
    now_ms: int
    what: Absent | list[int]
    """The positions of the samples of a frame, as sent, or why there is none."""


def buffer() -> JitterBuffer:
    return JitterBuffer(8000, FRAME * SAMPLE_BYTES)


def sound(position: int, ticks: int) -> bytes:
    return np.arange(position, position + ticks, dtype=">u4").tobytes()


def packets(
    count: int, ptime_ms: int = 20, start: int = 0, ssrc: int = SSRC, sequence: int = 0, payload_type: int = 0
) -> list[Packet]:
    """So many packets in a row; `start` is the first position, which wraps as timestamps do."""
    ticks = ptime_ms * TICKS_PER_MS
    return [
        Packet(payload_type, n == 0, (sequence + n) % 65536, (start + n * ticks) % 2**32, ssrc, sound(n * ticks, ticks))
        for n in range(count)
    ]


def sent(stream: Sequence[Packet], ptime_ms: int = 20, first_ms: float = 0.0) -> list[Arrival]:
    """Each packet arrives at the time that it was sent."""
    return [(first_ms + n * ptime_ms, packet) for n, packet in enumerate(stream)]


def hear(into: JitterBuffer, arrivals: Iterable[Arrival], until_ms: int, quiet: bool = False) -> list[Heard]:
    """What comes out up to a time. Packets that arrive between two ticks are there at the later one."""
    waiting = sorted(arrivals, key=lambda arrival: arrival[0])[::-1]
    heard = []
    for now_ms in range(0, until_ms, 20):
        while waiting and waiting[-1][0] <= now_ms:
            into.put(waiting.pop()[1], now_ms)
        frame = into.take(now_ms, quiet)
        what = frame if isinstance(frame, Absent) else [int(one) for one in np.frombuffer(frame, ">u4")]
        heard.append(Heard(now_ms, what))
    return heard


def positions(heard: Iterable[Heard]) -> list[int]:
    """All samples that were heard, one after the other."""
    return [position for one in heard if not isinstance(one.what, Absent) for position in one.what]


def frames(heard: Iterable[Heard]) -> list[Heard]:
    """The ticks in which there was sound."""
    return [one for one in heard if not isinstance(one.what, Absent)]


def absences(heard: Sequence[Heard]) -> list[Absent]:
    """What was answered in place of frames, between the first frame and the last."""
    sound = [n for n, one in enumerate(heard) if not isinstance(one.what, Absent)]
    between = heard[sound[0] : sound[-1]] if sound else []
    return [one.what for one in between if isinstance(one.what, Absent)]


def delays_ms(heard: Iterable[Heard]) -> list[float]:
    """How long after it was sent each frame's first sample was heard."""
    return [one.now_ms - one.what[0] / TICKS_PER_MS for one in heard if not isinstance(one.what, Absent)]
