"""The sound of one leg in a codec of its own: what it says as frames of the mix, what it hears as payloads.

What may live here: a codec, its jitter buffer and its way to the rate of the mix. G.711 in packets of 20 ms does not
come here, it is dealt with for all legs at once; so do all other codecs and packet times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from media import codec as codecs
from media import opus
from media.conceal import ComfortNoise
from media.jitter import FRAME_MS, Absent, JitterBuffer
from media.mend import Mender
from media.pcm import NOTHING, Samples
from media.resample import Resampler
from media.rtp import Packet
from media.wire import Codec

PTIMES_MS = (10, 20, 40, 60)
_QUIET = 300
"""A frame whose loudest sample is below this (-41 dBFS) may be left out or put in twice."""
_ONLY = np.zeros(1, dtype=np.int64)
_MOST_TAKEN = 8
"""Payloads for one frame: of Opus they may be as short as 2.5 ms."""


class Hearing:
    """What comes from one leg in one codec, at `rate_hz`."""

    def __init__(self, codec: Codec, rate_hz: int) -> None:
        """Raises UnsupportedCodecError."""
        self.codec = codec
        self._decoder = codecs.decoder(codec, rate_hz)
        self._resampler = Resampler(self._decoder.sample_rate_hz, rate_hz)
        self._buffer = _buffer(codec)
        self._frame = rate_hz * FRAME_MS // 1000
        self._lost = self._decoder.sample_rate_hz * FRAME_MS // 1000
        self._mender = Mender(1, self._decoder.sample_rate_hz)
        self._noise: tuple[bytes, ComfortNoise] | None = None
        self._rest: Samples = NOTHING
        self._quiet = True

    @property
    def late(self) -> int:
        """Packets that came too late to be played."""
        return self._buffer.late

    @property
    def waiting_ms(self) -> float:
        """How much sound is here and was not played yet."""
        return self._buffer.waiting_ms

    def put(self, packet: Packet, now_ms: float, noise: bool = False) -> None:
        """A packet of the leg; `noise` if it describes how its silence sounds."""
        self._buffer.put(packet, now_ms, noise)

    def frame(self, now_ms: float) -> Samples | None:
        """The next 20 ms; None if nothing is to be heard."""
        pieces, length = [self._rest], len(self._rest)
        for _ in range(_MOST_TAKEN):
            if length >= self._frame:
                break
            piece = self._next(now_ms)
            if piece is None:
                break
            pieces.append(piece)
            length += len(piece)
        if not length:
            return None
        found = np.concatenate([*pieces, np.zeros(max(0, self._frame - length), np.int16)])
        self._rest = found[self._frame :]
        frame = found[: self._frame]
        self._quiet = int(np.abs(frame.astype(np.int32)).max()) < _QUIET
        return frame

    def _next(self, now_ms: float) -> Samples | None:
        taken = self._buffer.take(now_ms, self._quiet)
        if isinstance(taken, bytes):
            made = self._mended(self._decoder.decode(taken), present=True)
        elif taken is Absent.LOST:
            own = self._decoder.conceal(self._lost, self._buffer.redundancy() or b"")
            made = own if own is not None else self._mended(np.zeros(self._lost, np.int16), present=False)
        elif taken is Absent.NOISE:
            made = self._silence(self._buffer.noise).frame(self._lost)
        else:
            return None
        return self._resampler.resample(made)

    def _mended(self, samples: Samples, present: bool) -> Samples:
        """A frame as it is heard: joined to the gap before it, or the gap itself. Other lengths stay as they are."""
        if len(samples) != self._lost:
            return samples
        frame = samples.copy()
        self._mender.mend(frame[None], _ONLY, np.array([[present]]), np.array([not present]))
        return frame

    def _silence(self, described: bytes) -> ComfortNoise:
        """The noise that the party describes, going on as long as it does."""
        if self._noise is None or self._noise[0] != described:
            self._noise = described, ComfortNoise(described, self._decoder.sample_rate_hz)
        return self._noise[1]


class Packed(NamedTuple):
    """A payload, and how far its timestamps go on with it."""

    payload: bytes
    ticks: int


class Speaking:
    """What goes to one leg in one codec, from frames of 20 ms at `rate_hz` to packets of `ptime_ms`."""

    def __init__(self, codec: Codec, rate_hz: int, ptime_ms: int) -> None:
        """Raises UnsupportedCodecError. A packet time that we do not make becomes 20 ms."""
        ptime_ms = ptime_ms if ptime_ms in PTIMES_MS else FRAME_MS
        self._encoder = codecs.encoder(codec, rate_hz)
        self._resampler = Resampler(rate_hz, self._encoder.sample_rate_hz)
        self._packet = self._encoder.sample_rate_hz * ptime_ms // 1000
        self._ticks = codec.clock_rate_hz * ptime_ms // 1000
        self._rest: Samples = NOTHING

    def packets(self, frame: Samples) -> list[Packed]:
        """The packets that are full with this frame: none, one or two."""
        samples = self._resampler.resample(frame)
        if len(self._rest) or len(samples) != self._packet:
            samples = np.concatenate([self._rest, samples])
        made = []
        while len(samples) >= self._packet:
            made.append(Packed(self._encoder.encode(samples[: self._packet]), self._ticks))
            samples = samples[self._packet :]
        self._rest = samples
        return made


def _buffer(codec: Codec) -> JitterBuffer:
    if codec.name.lower() == "opus":
        return JitterBuffer(codec.clock_rate_hz, measure=opus.ticks)
    bytes_a_tick = 2 * codec.channels if codec.name.upper() == "L16" else 1
    return JitterBuffer(codec.clock_rate_hz, codec.clock_rate_hz * FRAME_MS // 1000 * bytes_a_tick)
