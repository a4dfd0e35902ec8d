"""At which rates the samples of codecs are had, and those of a mix.

What may live here: numbers. Loads no arrays: the sessions, which share out the legs of a mix, are to be up soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from media.wire import Codec, Leg

MIX_RATES_HZ = (8000, 16000, 48000)
_L16_RATES_HZ = (8000, 16000, 24000, 32000, 44100, 48000)
G722_RATES_HZ = (8000, 16000)
OPUS_RATES_HZ = (8000, 12000, 16000, 24000, 48000)
OPUS_CLOCK_RATE_HZ = 48000


class UnsupportedCodecError(ValueError):
    """Whoever wrote the context named a codec, rate or number of channels that is not spoken here."""


def rates_hz(codec: Codec) -> tuple[int, ...]:
    """Those that are possible for a payload format, at least one. Raises UnsupportedCodecError."""
    known = _RATES_HZ.get(codec.name.upper())
    if known is None:
        raise UnsupportedCodecError(f"codec {codec.name} is not one of {', '.join(_RATES_HZ)}")
    if not (rates := known(codec)):
        form = f"{codec.name}/{codec.clock_rate_hz}/{codec.channels}"
        raise UnsupportedCodecError(f"codec {form}: no such clock rate or number of channels is spoken here")
    return rates


def sample_rate_hz(codec: Codec, wanted_hz: int = 0) -> int:
    """The rate at which this codec's samples are had when `wanted_hz` is best; most have one rate only.

    Of several it is the lowest that keeps all of what is wanted, or else the highest; 0 wants all that there is.
    Raises UnsupportedCodecError.
    """
    rates = rates_hz(codec)
    enough = [rate for rate in rates if rate >= wanted_hz > 0]
    return min(enough) if enough else max(rates)


def mix_rate_hz(legs: Iterable[Leg]) -> int:
    """The lowest rate of a mix that keeps what two of the legs can hear: alone with its codec, nobody gains by it."""
    heard_hz = sorted((sample_rate_hz(leg.codecs[0]) for leg in legs), reverse=True)
    wanted_hz = heard_hz[min(1, len(heard_hz) - 1)] if heard_hz else MIX_RATES_HZ[0]
    return next((rate for rate in MIX_RATES_HZ if rate >= wanted_hz), MIX_RATES_HZ[-1])


def _of_g711(codec: Codec) -> tuple[int, ...]:
    return (8000,) if (codec.clock_rate_hz, codec.channels) == (8000, 1) else ()


def _of_l16(codec: Codec) -> tuple[int, ...]:
    spoken = codec.clock_rate_hz in _L16_RATES_HZ and codec.channels in (1, 2)
    return (codec.clock_rate_hz,) if spoken else ()


def _of_g722(codec: Codec) -> tuple[int, ...]:
    """Its clock rate is 8000 Hz though it is sampled at 16000 (RFC 3551)."""
    return G722_RATES_HZ if (codec.clock_rate_hz, codec.channels) == (8000, 1) else ()


def _of_opus(codec: Codec) -> tuple[int, ...]:
    """In SDP it always has two channels, whatever is sent (RFC 7587 section 7)."""
    return OPUS_RATES_HZ if codec.clock_rate_hz == OPUS_CLOCK_RATE_HZ and codec.channels in (1, 2) else ()


_RATES_HZ: Mapping[str, Callable[[Codec], tuple[int, ...]]] = {
    "PCMU": _of_g711,
    "PCMA": _of_g711,
    "L16": _of_l16,
    "G722": _of_g722,
    "OPUS": _of_opus,
}
