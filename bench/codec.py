"""What coding and resampling a frame of 20 ms costs, beside the bare calls below it."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import opuslib_next  # type: ignore[import-untyped]
from G722 import G722  # type: ignore[import-not-found]
from opuslib_next.api.decoder import libopus_decode  # type: ignore[import-untyped]
from opuslib_next.api.encoder import libopus_encode  # type: ignore[import-untyped]

from bench.table import Line, Row
from media import codec as codecs
from media import g711, opus
from media.pcm import Samples, clipped
from media.rate import sample_rate_hz
from media.resample import Resampler, design
from media.wire import Codec

LEGS = 100
ROUNDS, QUICK_ROUNDS = 40, 8
_SECONDS = 1
_FRAMES = 50 * _SECONDS
_LOSS_PERCENT = 10
_OPUS = Codec("opus", 111, 48000, 2)
_CODECS = (
    ("PCMA", Codec("PCMA", 8), 0),
    ("L16 at 16000 Hz", Codec("L16", 96, 16000), 0),
    ("G722", Codec("G722", 9), 0),
    ("G722 in a room of 8000 Hz", Codec("G722", 9), 8000),
    ("Opus", _OPUS, 0),
    ("Opus in a room of 16000 Hz", _OPUS, 16000),
    ("Opus in a room of 8000 Hz", _OPUS, 8000),
    ("Opus for a peer that loses packets", Codec("opus", 111, 48000, 2, "useinbandfec=1"), 0),
)
_RATES_HZ = ((8000, 16000), (16000, 8000), (8000, 48000), (48000, 8000), (16000, 48000), (48000, 16000), (44100, 48000))

Work = Callable[[], object]


class Timed(NamedTuple):
    """Microseconds of CPU a frame, at best: of decoding, of encoding, and of both by the bare calls."""

    decode: float
    encode: float
    bare: float


def rows(quick: bool) -> list[Line]:
    """All rows; takes some seconds."""
    return list(_rows(QUICK_ROUNDS if quick else ROUNDS))


def _rows(rounds: int) -> Iterator[Row]:
    timed = _best((_law_matrix_decode, _law_matrix_encode, _law_matrix_copy), rounds)
    yield _coding(f"PCMA, {LEGS} legs as a matrix", Timed(*(one / LEGS for one in timed)), "copies of the same arrays")
    for name, codec, wanted_hz in _CODECS:
        decode, encode, bare, yardstick = _calls(codec, wanted_hz)
        yield _coding(name, Timed(*_best((decode, encode, bare), rounds)), yardstick)
    for from_hz, to_hz in _RATES_HZ:
        yield _resampling(from_hz, to_hz, LEGS, rounds)
    yield _resampling(8000, 16000, 1, rounds)


def _best(works: Sequence[Work], rounds: int) -> list[float]:
    """Microseconds of CPU a frame of each, in turn, the best of all rounds: others on the machine only add."""
    best = [float("inf")] * len(works)
    for _ in range(rounds):
        for number, work in enumerate(works):
            begun_ns = time.process_time_ns()
            work()
            best[number] = min(best[number], (time.process_time_ns() - begun_ns) / 1000 / _FRAMES)
    return best


def _coding(name: str, timed: Timed, yardstick: str) -> Row:
    both = timed.decode + timed.encode
    facts = {"decode us": timed.decode, "encode us": timed.encode, "% of a core a leg": both / 20_000 * 100}
    return Row(f"{name}: decode and encode a frame", both, "us", yardstick, timed.bare, facts=facts)


def _resampling(from_hz: int, to_hz: int, legs: int, rounds: int) -> Row:
    frames = np.random.default_rng(1).integers(-9000, 9000, (legs, from_hz // 50)).astype(np.int16)
    stream = Resampler(from_hz, to_hz, streams=legs)
    weights, _, inputs, *_ = design(from_hz, to_hz)
    blocks = np.ones((legs, from_hz // 50 // inputs, len(weights)), np.float32)
    works = (_repeated(lambda: stream.resample(frames)), _repeated(lambda: blocks @ weights))
    figure, bare = (one / legs for one in _best(works, rounds))
    facts = {"delay ms": stream.delay / to_hz * 1000, "% of a core a leg": figure / 20_000 * 100}
    name = f"resample a frame from {from_hz} to {to_hz} Hz, {legs} leg{'s' if legs > 1 else ''} at a time"
    return Row(name, figure, "us", "bare products of matrices of the same sizes", bare, facts=facts)


def _repeated(work: Work) -> Work:
    def all_frames() -> None:
        for _ in range(_FRAMES):
            work()

    return all_frames


def _sound(rate_hz: int) -> Samples:
    """Harmonics of a moving pitch in syllables, for encoders do not take the same time for every sound."""
    times_s = np.arange(rate_hz * _SECONDS) / rate_hz
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(5 * times_s)) / rate_hz
    harmonics = np.sum([np.sin(k * phase) / k for k in range(1, 20)], axis=0)
    return clipped(4000 * harmonics * (0.55 + 0.45 * np.sin(19 * times_s)))


def _calls(codec: Codec, wanted_hz: int) -> tuple[Work, Work, Work, str]:
    """Decoding, encoding, the bare calls below both, and what these are."""
    rate_hz = sample_rate_hz(codec, wanted_hz)
    encoder, decoder = codecs.encoder(codec, wanted_hz), codecs.decoder(codec, wanted_hz)
    if isinstance(encoder, opus.Encoder) and codec.parameters:
        encoder.expect_loss(_LOSS_PERCENT)
    frames = list(_sound(rate_hz).reshape(_FRAMES, -1))
    payloads = [encoder.encode(frame) for frame in frames]
    bare, yardstick = _bare(codec, rate_hz, frames, payloads)

    def decode() -> None:
        for payload in payloads:
            decoder.decode(payload)

    def encode() -> None:
        for frame in frames:
            encoder.encode(frame)

    return decode, encode, bare, yardstick


def _bare(codec: Codec, rate_hz: int, frames: list[Samples], payloads: list[bytes]) -> tuple[Work, str]:
    if codec.name == "opus":
        return _bare_opus(codec, rate_hz, frames, payloads), "the same calls of libopus alone"
    if codec.name == "G722":
        coder, decoder = G722(rate_hz, 64000), G722(rate_hz, 64000)
        yardstick = "the same calls of libg722 alone"
        return lambda: ([coder.encode(one) for one in frames], [decoder.decode(one) for one in payloads]), yardstick
    arrays = [np.frombuffer(one, np.uint8) for one in payloads]
    return lambda: ([one.copy() for one in frames], [one.copy() for one in arrays]), "copies of the same arrays"


def _bare_opus(codec: Codec, rate_hz: int, frames: list[Samples], payloads: list[bytes]) -> Work:
    """One call of the library for each frame and packet, into memory that is there already."""
    encoder = opuslib_next.Encoder(rate_hz, 1, opus.application(rate_hz))
    encoder.complexity, encoder.bitrate = opus.COMPLEXITY, opus.BITRATES[rate_hz]
    encoder.inband_fec, encoder.packet_loss_perc = (1, _LOSS_PERCENT) if codec.parameters else (0, 0)
    decoder = opuslib_next.Decoder(rate_hz, 1)
    pointer = ctypes.POINTER(ctypes.c_int16)
    sources = [one.ctypes.data_as(pointer) for one in frames]
    samples, packet = np.zeros(rate_hz // 50 * 6, np.int16), (ctypes.c_char * 1500)()
    target, length = samples.ctypes.data_as(pointer), len(frames[0])

    def work() -> None:
        for source in sources:
            libopus_encode(encoder.encoder_state, source, length, packet, 1500)
        for payload in payloads:
            libopus_decode(decoder.decoder_state, payload, len(payload), target, len(samples), 0)

    return work


_matrix = np.random.default_rng(1).integers(-9000, 9000, (LEGS, 160)).astype(np.int16)
_codes, _samples = g711.A_LAW.encode(_matrix), np.empty_like(_matrix)
_law_matrix_decode = _repeated(lambda: g711.A_LAW.decode(_codes, _samples))
_law_matrix_encode = _repeated(lambda: g711.A_LAW.encode(_matrix))
_law_matrix_copy = _repeated(lambda: (_codes.copy(), _matrix.copy()))
