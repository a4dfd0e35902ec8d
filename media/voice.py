"""The sound of one leg in a codec of its own: what it says as frames of the mix, what it hears as payloads.

What may live here: a codec, its jitter buffer and its way to the rate of the mix. G.711 in packets of 20 ms does not
come here, it is dealt with for all legs at once; so do all other codecs and packet times.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np

from media import codec as codecs
from media import opus
from media.conceal import ComfortNoise
from media.jitter import FRAME_MS, Absent, JitterBuffer
from media.mend import Seam
from media.pcm import NOTHING, Samples
from media.resample import Resampler
from media.rtp import Packet
from media.wire import Codec

PTIMES_MS = (10, 20, 40, 60)
_QUIET = 300
"""A frame whose loudest sample is below this (-41 dBFS) may be left out or put in twice."""
_MOST_TAKEN = 8
"""Payloads for one frame: of Opus they may be as short as 2.5 ms."""


class Hearing:
    """What comes from one leg in one codec, at `rate_hz`."""

    def __init__(self, codec: Codec, rate_hz: int) -> None:
        """Raises UnsupportedCodecError."""
        self.codec = codec
        self._decoder = codecs.decoder(codec, rate_hz)
        self._resample = _resampling(self._decoder.sample_rate_hz, rate_hz)
        self._buffer = _buffer(codec)
        self._frame = rate_hz * FRAME_MS // 1000
        self._lost = self._decoder.sample_rate_hz * FRAME_MS // 1000
        self._seam = Seam(self._decoder.sample_rate_hz)
        self._noise: tuple[bytes, ComfortNoise] | None = None
        self._rest: Samples = NOTHING
        self._played: Samples = NOTHING
        """what was heard last"""

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
        pieces, length = ([self._rest], len(self._rest)) if len(self._rest) else ([], 0)
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
        found = pieces[0]
        if len(pieces) > 1 or length != self._frame:
            found = np.concatenate([*pieces, np.zeros(max(0, self._frame - length), np.int16)])
        self._rest, self._played = found[self._frame :], found[: self._frame]
        return self._played

    def _next(self, now_ms: float) -> Samples | None:
        taken = self._buffer.usual(now_ms) or self._buffer.take(now_ms, self._is_quiet())
        if isinstance(taken, bytes):
            made = self._decoder.decode(taken)
            if len(made) == self._lost:
                made = self._seam.join(made)
        elif taken is Absent.LOST:
            own = self._decoder.conceal(self._lost, self._buffer.redundancy() or b"")
            made = own if own is not None else self._seam.conceal(self._lost)
        elif taken is Absent.NOISE:
            made = self._silence(self._buffer.noise).frame(self._lost)
        else:
            return None
        return made if self._resample is None else self._resample(made)

    def _is_quiet(self) -> bool:
        return not len(self._played) or int(np.abs(self._played.astype(np.int32)).max()) < _QUIET

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
        self._codec = codec
        self._encoder = codecs.encoder(codec, rate_hz)
        self._resample = _resampling(rate_hz, self._encoder.sample_rate_hz)
        self._loss_percent = 0
        self._whole = ptime_ms == FRAME_MS and self._resample is None
        self.leader: Speaking | None = None
        """whose packets are this leg's too (`media.choir`)"""
        self.alike: Speaking | None = None
        """who heard the same so far, and in how many frames on end"""
        self.alike_frames = 0
        self._packet = self._encoder.sample_rate_hz * ptime_ms // 1000
        self._ticks = codec.clock_rate_hz * ptime_ms // 1000
        self._rest: Samples = NOTHING

    @property
    def likeness(self) -> Hashable:
        """Two that have the same make the same packets of the same frames, once they have for a while; None has none.

        Of Opus, for an encoder can go on from another one, and is worth it.
        """
        return (self._codec, self._loss_percent) if self._whole and self.is_opus else None

    def go_on_from(self, other: Speaking) -> None:
        """Be by itself from now on, with an encoder that made what that one's made; both have the same likeness."""
        if isinstance(self._encoder, opus.Encoder) and isinstance(other._encoder, opus.Encoder):
            self._encoder.become(other._encoder)
        self.leader, self.alike, self.alike_frames = None, None, 0
        self.expect_loss(self._loss_percent)

    @property
    def is_opus(self) -> bool:
        """Whether it is the codec that takes most of a core."""
        return isinstance(self._encoder, opus.Encoder)

    def share(self, legs: int) -> None:
        """So many legs get Opus from this worker."""
        if isinstance(self._encoder, opus.Encoder):
            self._encoder.share(legs)

    def expect_loss(self, percent: int) -> None:
        """The leg says that it lost so many of the last packets; what it lost before that counts for a while."""
        self._loss_percent = max(percent, self._loss_percent // 2)
        if isinstance(self._encoder, opus.Encoder):
            self._encoder.expect_loss(self._loss_percent)

    def packets(self, frame: Samples) -> list[Packed]:
        """The packets that are full with this frame: none, one or two."""
        samples = frame if self._resample is None else self._resample(frame)
        if len(self._rest) or len(samples) != self._packet:
            samples = np.concatenate([self._rest, samples])
        made = []
        while len(samples) >= self._packet:
            made.append(Packed(self._encoder.encode(samples[: self._packet]), self._ticks))
            samples = samples[self._packet :]
        self._rest = samples
        return made


def _resampling(from_hz: int, to_hz: int) -> Callable[[Samples], Samples] | None:
    """None where nothing is to be done."""
    return None if from_hz == to_hz else Resampler(from_hz, to_hz).resample


def _buffer(codec: Codec) -> JitterBuffer:
    if codec.name.lower() == "opus":
        return JitterBuffer(codec.clock_rate_hz, measure=opus.ticks)
    bytes_a_tick = 2 * codec.channels if codec.name.upper() == "L16" else 1
    return JitterBuffer(codec.clock_rate_hz, codec.clock_rate_hz * FRAME_MS // 1000 * bytes_a_tick)
