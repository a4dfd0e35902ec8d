"""Opus (RFC 6716) in RTP (RFC 7587), by libopus: what a leg's `a=fmtp` asks of us, packets, and lost ones.

libopus works at the rate of the room, so nothing is resampled. It is called through the functions that `opuslib_next`
publishes, not through its objects: these copy each sample as a Python number, which takes longer than decoding.

What a room sounds like is more than one voice, and from 16 kHz on it is encoded as such, by a transform (CELT). The
model of one voice (SILK) takes three times as long; it is left to narrow band, to a peer that wants no packets in
silence, and to one that loses packets, for only it carries a copy of what was before.
"""

from __future__ import annotations

import ctypes

import numpy as np
import opuslib_next  # type: ignore[import-untyped]
from opuslib_next.api import libopus  # type: ignore[import-untyped]
from opuslib_next.api.decoder import libopus_decode  # type: ignore[import-untyped]
from opuslib_next.api.encoder import libopus_encode  # type: ignore[import-untyped]

from media.pcm import NOTHING, Samples, clipped, longest_packet
from media.rate import OPUS_CLOCK_RATE_HZ

COMPLEXITY, LEAST_COMPLEXITY = 5, 1
"""Of 10, of few legs and of many; the library's own 9 takes a third more CPU to encode, and 1 half of 5."""
FEW_LEGS = 40
FADES_AFTER_MS, SILENT_AFTER_MS = 100, 300
"""libopus would go on with what it takes for background noise for as long as it is asked: a dead leg must not hiss."""
LEAST_LOSS_PERCENT, MOST_LOSS_PERCENT = 6, 30
"""With less than that libopus makes no copies of what it takes for more than a voice; it shares out the bits by it."""

BITRATES = {8000: 12_000, 12000: 16_000, 16000: 28_000, 24000: 32_000, 48000: 40_000}
"""Bits a second for mono speech that RFC 7587 section 3.1.1 finds good, by the samples' rate; a transform wants more
than it says of wide band."""
_LEAST_MIXED_HZ = 16000

_LEAST_BITRATE, _MOST_BITRATE = 6_000, 510_000
# The widest band of audio at so many samples a second (maxplaybackrate, RFC 7587 section 6.1).
_BANDWIDTHS: tuple[tuple[int, int], ...] = (
    (8000, opuslib_next.BANDWIDTH_NARROWBAND),
    (12000, opuslib_next.BANDWIDTH_MEDIUMBAND),
    (16000, opuslib_next.BANDWIDTH_WIDEBAND),
    (24000, opuslib_next.BANDWIDTH_SUPERWIDEBAND),
    (48000, opuslib_next.BANDWIDTH_FULLBAND),
)
_LONGEST_PACKET_BYTES = 1500
_SHORTEST_FRAMES_A_SECOND = 400
_FRAMES_MS = (2.5, 5, 10, 20, 40, 60, 80, 100, 120)
_DURATIONS = (
    (11, (480, 960, 1920, 2880)),  # SILK
    (15, (480, 960)),  # hybrid
    (31, (120, 240, 480, 960)),  # CELT
)
"""Ticks of a frame: the last configuration of each mode, and the lengths that take turns in it (RFC 6716 table 2)."""
_COUNTED = 3
"""The code of packets that say how many frames they hold."""
_LONGEST_TICKS = 5760
_LONGEST_NUMBER = 10
_Pointer = ctypes.POINTER(ctypes.c_int16)


class Decoder:
    """The stream from one leg."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._decoder = opuslib_next.Decoder(sample_rate_hz, 1)
        self._heard = np.zeros(longest_packet(sample_rate_hz), dtype=np.int16)
        self._pointer = self._heard.ctypes.data_as(_Pointer)
        self._concealed = 0

    def decode(self, payload: bytes) -> Samples:
        """The samples of a packet; of what is no Opus packet, nothing."""
        if not payload:  # for libopus that is a lost packet
            return NOTHING
        self._concealed = 0
        return self._decode(payload, len(self._heard), correction=0)

    def conceal(self, samples: int, following: bytes = b"") -> Samples:
        """So many samples in a lost packet's place: from the copy that the one behind it may carry, or as a guess.

        At most `LONGEST_PACKET_MS`. Of guesses that follow one another the later ones are fainter, then silent.
        """
        before_ms = self._concealed * 1000 / self.sample_rate_hz
        self._concealed += samples
        if before_ms >= SILENT_AFTER_MS:
            return np.zeros(samples, dtype=np.int16)
        made = self._conceal(samples, following)
        after_ms = self._concealed * 1000 / self.sample_rate_hz
        if after_ms <= FADES_AFTER_MS:
            return made
        times_ms = np.linspace(before_ms, after_ms, samples, endpoint=False)
        return clipped(made * np.interp(times_ms, (FADES_AFTER_MS, SILENT_AFTER_MS), (1, 0)))

    def _conceal(self, samples: int, following: bytes) -> Samples:
        step = self.sample_rate_hz // _SHORTEST_FRAMES_A_SECOND
        wanted = min(-(-samples // step) * step, len(self._heard))
        made = self._decode(following or None, wanted, correction=1 if following else 0)
        if len(made) < samples and following:  # it was no Opus packet
            made = self._decode(None, wanted, correction=0)
        return made[:samples]

    def _decode(self, packet: bytes | None, room: int, correction: int) -> Samples:
        length = len(packet) if packet else 0
        made = libopus_decode(self._decoder.decoder_state, packet, length, self._pointer, room, correction)
        return self._heard[:made].copy() if made > 0 else NOTHING


class Encoder:
    """The stream to one leg; `parameters` are those by which it told how it wants to be sent to."""

    def __init__(self, sample_rate_hz: int, parameters: str = "") -> None:
        self.sample_rate_hz = sample_rate_hz
        wishes = _wishes(parameters)
        kind = application(sample_rate_hz, gaps=wishes.get("usedtx") == 1)
        self._encoder = encoder = opuslib_next.Encoder(sample_rate_hz, 1, kind)
        self.share(1)
        most = wishes.get("maxaveragebitrate", _MOST_BITRATE)
        encoder.bitrate = max(_LEAST_BITRATE, min(BITRATES[sample_rate_hz], most))
        encoder.vbr = 0 if wishes.get("cbr") == 1 else 1
        encoder.dtx = 1 if wishes.get("usedtx") == 1 else 0
        encoder.max_bandwidth = _bandwidth(wishes.get("maxplaybackrate", OPUS_CLOCK_RATE_HZ))
        encoder.inband_fec = 1 if wishes.get("useinbandfec") == 1 else 0
        self._lengths = frozenset(int(sample_rate_hz * ms / 1000) for ms in _FRAMES_MS)
        self._frame = np.zeros(max(self._lengths), dtype=np.int16)
        self._pointer = self._frame.ctypes.data_as(_Pointer)
        self._packet = (ctypes.c_char * _LONGEST_PACKET_BYTES)()

    def become(self, other: Encoder) -> None:
        """Go on from what another one of the same rate and parameters made, as it would."""
        # "The encoder state is always continuous in memory and only a shallow copy is enough to copy it" (opus.h).
        ctypes.memmove(self._encoder.encoder_state, other._encoder.encoder_state, libopus.opus_encoder_get_size(1))

    def share(self, legs: int) -> None:
        """So many legs are to be encoded for on this core from now on."""
        self._encoder.complexity = COMPLEXITY if legs <= FEW_LEGS else LEAST_COMPLEXITY

    def expect_loss(self, percent: int) -> None:
        """The peer loses so many packets: with those that follow come copies, if it can use them."""
        heeded = percent and max(LEAST_LOSS_PERCENT, min(percent, MOST_LOSS_PERCENT))
        self._encoder.packet_loss_perc = heeded

    def encode(self, frame: Samples) -> bytes:
        """One packet of 2.5, 5, 10, 20, 40, 60, 80, 100 or 120 ms; other lengths raise ValueError."""
        length = len(frame)
        if length not in self._lengths:
            raise ValueError(f"Opus has no packets of {length} samples at {self.sample_rate_hz} Hz")
        self._frame[:length] = frame
        made = libopus_encode(self._encoder.encoder_state, self._pointer, length, self._packet, _LONGEST_PACKET_BYTES)
        if made < 0:
            raise ValueError(f"libopus could not encode {length} samples: error {made}")
        return ctypes.string_at(self._packet, made)


def application(sample_rate_hz: int, gaps: bool = False) -> int:
    """What libopus is to take the sound of a room for; with `gaps` nothing is sent in silence."""
    is_voice = sample_rate_hz < _LEAST_MIXED_HZ or gaps
    return int(opuslib_next.APPLICATION_VOIP if is_voice else opuslib_next.APPLICATION_AUDIO)


def ticks(payload: bytes) -> int:
    """How long a packet lasts, in ticks of 48000 Hz, by its first bytes (RFC 6716 section 3.1); 0 of what is none."""
    if not payload:
        return 0
    configuration, code = payload[0] >> 3, payload[0] & 3
    durations = next(found for most, found in _DURATIONS if configuration <= most)
    frames = (1, 2, 2)[code] if code < _COUNTED else payload[1] & 0x3F if len(payload) > 1 else 0
    length = frames * durations[configuration % len(durations)]
    return length if length <= _LONGEST_TICKS else 0


def _wishes(parameters: str) -> dict[str, int]:
    """`name=number; ...` of an fmtp line; what is not a number is left out, for a peer's mistake ends no call."""
    pairs = (one.partition("=") for one in parameters.split(";"))
    return {
        name.strip().lower(): int(value)
        for name, _, value in pairs
        if value.strip().isdecimal() and len(value) < _LONGEST_NUMBER
    }


def _bandwidth(rate_hz: int) -> int:
    """The widest band that a peer can play which plays so many samples a second."""
    bands = [band for rate, band in _BANDWIDTHS if rate <= rate_hz]
    return bands[-1] if bands else _BANDWIDTHS[0][1]
