"""A stream as a session description has it: codecs, direction, and what is said of keys; read, and its lines written.

What may live here: pure functions of texts, of one stream each. What is made of two of them is `offer`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from domain.sdp import Sections, connection, direction, media_line, rtpmaps
from media.wire import Codec

PTIME_MS = 20
CRYPTO = "a=crypto:"
FINGERPRINT = "a=fingerprint:"
SETUP = "a=setup:"
TLS_ID = "a=tls-id:"
_DTMF = "telephone-event"
STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""Payload types that need no `a=rtpmap` (RFC 3551 section 6)."""
_KNOWN = {("pcmu", 8000, 1), ("pcma", 8000, 1), ("g722", 8000, 1), ("opus", 48000, 2)} | {
    ("l16", rate, 1)
    for rate in (8000, 16000, 24000)  # what fits one packet in 20 ms
}

_MOST_FORMATS = 16
"""Codecs of a stream that are read, and telephone-events: workers are told of them, and honest parties have fewer."""
_LONGEST_PARAMETERS = 256
"""Characters of an `a=fmtp`."""

Events = tuple[tuple[int, int], ...]
"""Payload type and clock rate of each telephone-event."""


class NoCommonMedia(ValueError):
    """Nothing that was offered is what we have; the text says what was missing."""


class Description(NamedTuple):
    """An audio stream as described: `host` is empty where it is nobody's, `codecs` are those that we know."""

    host: str
    port: int
    profile: str
    direction: str
    codecs: tuple[Codec, ...]
    events: Events
    muxes: bool
    crypto: tuple[str, ...]
    """what stands in each `a=crypto`"""
    fingerprints: tuple[str, ...] = ()
    """what stands in each `a=fingerprint`, the session's if the stream has none"""
    setup: str = ""
    tls_id: str = ""

    @classmethod
    def read(cls, lines: list[str], session: list[str]) -> Description:
        """Of the lines of a stream and of its session. Raises ValueError."""
        line = media_line(lines[0])
        host = connection(lines) or connection(session)
        codecs, events = _formats(line.formats, lines)
        return cls(
            host,
            line.port,
            line.profile,
            direction(lines, session, host),
            codecs,
            events,
            "a=rtcp-mux" in lines,
            _values(CRYPTO, lines),
            _values(FINGERPRINT, lines) or _values(FINGERPRINT, session),
            *((*_values(name, lines), *_values(name, session), "")[0].strip() for name in (SETUP, TLS_ID)),
        )


def taken(ours: Sections) -> tuple[int, Description]:
    """The stream of a description of ours that is not refused, and its place. Raises ValueError."""
    for at, lines in enumerate(ours.streams):
        found = Description.read(lines, ours.session)
        if found.port:
            return at, found
    raise ValueError("this description has no stream of ours")


def events_for(codec: Codec, events: Events) -> Events:
    """The telephone-event at the codec's clock rate (RFC 4733 section 2.1), or else any other."""
    same = [one for one in events if one[1] == codec.clock_rate_hz]
    return tuple((same or list(events))[:1])


def body(profile: str, port: int, codecs: Sequence[Codec], events: Sequence[tuple[int, int]]) -> Iterator[str]:
    """The lines of a stream: where it is, and what may be in it."""
    payloads = [*(codec.payload_type for codec in codecs), *(payload for payload, _ in events)]
    yield f"m=audio {port} {profile} {' '.join(map(str, payloads))}"
    for codec in codecs:
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate_hz}{channels}"
    for payload, rate in events:
        yield f"a=rtpmap:{payload} {_DTMF}/{rate}"
        yield f"a=fmtp:{payload} 0-15"
    yield f"a=ptime:{PTIME_MS}"


def refused(lines: list[str]) -> str:
    """RFC 3264 section 6: a stream that is not taken has the port 0, and at least one format."""
    line = media_line(lines[0])
    return f"m={line.kind} 0 {line.profile} {' '.join(line.formats)}"


def _values(name: str, lines: list[str]) -> tuple[str, ...]:
    return tuple(line.removeprefix(name) for line in lines if line.startswith(name))


def _formats(formats: Sequence[str], lines: list[str]) -> tuple[tuple[Codec, ...], Events]:
    names = STATIC | rtpmaps(lines)
    parameters = _parameters(lines)
    codecs, events = [], []
    for payload in dict.fromkeys(formats):
        name, _, rest = names.get(payload, "").partition("/")
        rate, _, channels = rest.partition("/")
        if not (payload.isdecimal() and int(payload) < 128 and rate.isdecimal() and len(rate) < 7):
            continue
        if name.lower() == _DTMF:
            events.append((int(payload), int(rate)))
        elif (name.lower(), int(rate), int(channels) if channels.isdecimal() else 1) in _KNOWN:
            written = "opus" if name.lower() == "opus" else name.upper()
            many = 2 if written == "opus" else 1
            codecs.append(Codec(written, int(payload), int(rate), many, parameters.get(payload, "")))
    return tuple(codecs[:_MOST_FORMATS]), tuple(events[:_MOST_FORMATS])


def _parameters(lines: list[str]) -> dict[str, str]:
    """Payload type as written -> its `a=fmtp`; what is too long is none that we know a meaning of."""
    found = (line.removeprefix("a=fmtp:").partition(" ") for line in lines if line.startswith("a=fmtp:"))
    return {payload: text.strip() for payload, _, text in found if len(text) <= _LONGEST_PARAMETERS}
