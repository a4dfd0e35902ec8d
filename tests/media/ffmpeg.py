"""Another implementation of our codecs: ffmpeg's, through PyAV, which only tests use."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext

from media.pcm import Samples


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


def _context(codec: str, mode: Any, sample_rate_hz: int, channels: int) -> Any:
    context: Any = CodecContext.create(codec, mode)
    context.sample_rate = sample_rate_hz
    context.format = "s16"
    context.layout = "stereo" if channels == 2 else "mono"
    context.open()
    return context
