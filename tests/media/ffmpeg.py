"""Another implementation of our codecs: ffmpeg's, through PyAV, which only tests use."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext

from media.pcm import Samples, clipped


def decode(codec: str, payload: bytes, sample_rate_hz: int, channels: int = 1) -> Samples:
    """The samples of one packet, channels interleaved."""
    context = _context(codec, "r", sample_rate_hz, channels)
    frames = [*context.decode(av.Packet(payload)), *context.decode(None)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.int16)


def encode(codec: str, samples: Samples, sample_rate_hz: int) -> bytes:
    """The payloads of mono samples, one after the other."""
    context = _context(codec, "w", sample_rate_hz, 1)
    frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = sample_rate_hz
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def decode_opus(payloads: list[bytes]) -> Samples:
    """The samples at 48000 Hz of Opus packets, by ffmpeg's own decoder: it shares nothing with libopus."""
    context = _context("opus", "r", 48000, 1)
    frames = [frame for payload in payloads for frame in context.decode(av.Packet(payload))]
    samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return clipped(samples * 32768)


def encode_opus(samples: Samples, stereo: bool) -> list[bytes]:
    """Packets of 20 ms, of mono samples at 48000 Hz, by libopus as ffmpeg uses it for music."""
    context = _context("libopus", "w", 48000, 2 if stereo else 1)
    frame = AudioFrame.from_ndarray(
        samples.repeat(2 if stereo else 1).reshape(1, -1), format="s16", layout="stereo" if stereo else "mono"
    )
    frame.sample_rate = 48000
    frame.pts = 0
    fifo = av.AudioFifo()
    fifo.write(frame)
    pieces = [fifo.read(960) for _ in range(len(samples) // 960)]
    return [bytes(packet) for piece in [*pieces, None] for packet in context.encode(piece)]


def _context(codec: str, mode: Any, sample_rate_hz: int, channels: int) -> Any:
    context: Any = CodecContext.create(codec, mode)
    context.sample_rate = sample_rate_hz
    context.format = "fltp" if codec == "opus" else "s16"
    context.layout = "stereo" if channels == 2 else "mono"
    context.open()
    return context
