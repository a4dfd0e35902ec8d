"""Codecs by their names in SDP: what turns RTP payloads into samples and back.

What may live here: which codecs there are, at which rates they work, and what all of them have in common. How each of
them does it is in the modules below this one.

Samples are mono, whatever the channels of the payload: of several, the mean is heard, and all get the same. A decoder
or encoder belongs to one direction of one leg, for some of them keep what came before in mind. `sample_rate_hz` is
that of the samples; the RTP clock is another thing (G.722's is 8000 Hz though it is sampled at 16000, RFC 3551).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from media import g711, g722, l16, opus, wire
from media.pcm import Samples
from media.rate import rates_hz, sample_rate_hz


class Decoder(Protocol):
    """Payloads of one stream, in their order, into samples."""

    @property
    def sample_rate_hz(self) -> int: ...

    def decode(self, payload: bytes) -> Samples:
        """At most `LONGEST_PACKET_MS` of samples, possibly read-only. Nothing of what is no payload of this codec.

        Never raises: the payload is a stranger's.
        """

    def conceal(self, samples: int, following: bytes = b"") -> Samples | None:
        """What may have been in a lost packet, as so many samples; `following` is the payload behind it if it is here.

        None if this codec has no means of its own: then what was heard before has to do (`media.conceal`).
        """


class Encoder(Protocol):
    """Samples of one stream, frame by frame, into payloads."""

    @property
    def sample_rate_hz(self) -> int: ...

    def encode(self, frame: Samples) -> bytes:
        """The payload of one frame. Raises ValueError for a length that the codec has no packets of."""


class _Kind(NamedTuple):
    decoder: Callable[[wire.Codec, int], Decoder]
    encoder: Callable[[wire.Codec, int], Encoder]


def decoder(codec: wire.Codec, wanted_hz: int = 0) -> Decoder:
    """A decoder for one stream at `sample_rate_hz(codec, wanted_hz)`. Raises UnsupportedCodecError."""
    return _kind(codec).decoder(codec, sample_rate_hz(codec, wanted_hz))


def encoder(codec: wire.Codec, wanted_hz: int = 0) -> Encoder:
    """An encoder for one stream at `sample_rate_hz(codec, wanted_hz)`. Raises UnsupportedCodecError."""
    return _kind(codec).encoder(codec, sample_rate_hz(codec, wanted_hz))


def law(codec: wire.Codec) -> g711.Law | None:
    """The law of a codec that is G.711: legs of one law can be decoded and encoded all at once."""
    return _LAWS.get(codec.name.upper())


def _kind(codec: wire.Codec) -> _Kind:
    rates_hz(codec)
    return _KINDS[codec.name.upper()]


_LAWS = {"PCMU": g711.MU_LAW, "PCMA": g711.A_LAW}

_KINDS = {
    name: _Kind(
        lambda codec, _: g711.Decoder(_LAWS[codec.name.upper()]),
        lambda codec, _: g711.Encoder(_LAWS[codec.name.upper()]),
    )
    for name in _LAWS
} | {
    "L16": _Kind(
        lambda codec, rate_hz: l16.Decoder(rate_hz, codec.channels),
        lambda codec, rate_hz: l16.Encoder(rate_hz, codec.channels),
    ),
    "G722": _Kind(
        lambda _, rate_hz: g722.Decoder(rate_hz),
        lambda _, rate_hz: g722.Encoder(rate_hz),
    ),
    "OPUS": _Kind(
        lambda _, rate_hz: opus.Decoder(rate_hz),
        lambda codec, rate_hz: opus.Encoder(rate_hz, codec.parameters),
    ),
}
