"""Session descriptions of our own media: answers to offers (RFC 3264), offers, and the stream that both come to.

What may live here: pure functions of texts. SRTP keys (RFC 4568) and names are made of chance that is an argument.
Descriptions are those of events, in which keys are sealed; only `leg_of` must have them bare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from adapters.media.crypto import Chance, CryptoError, agree, choose, new_key, readable
from domain.sdp import NOWHERE, Sections, connection, direction, media_line, rtpmaps, sections
from media.wire import Codec, Leg, Sdes

PTIME_MS = 20
_DTMF = "telephone-event"
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""Payload types that need no `a=rtpmap` (RFC 3551 section 6)."""
_OURS = (Codec("opus", 96, 48000, 2), Codec("G722", 9), Codec("PCMA", 8), Codec("PCMU", 0))
"""What we offer, the best first."""
_EVENTS = {"opus": 101, "": 102}
"""Payload types of telephone-event in our offers: at the clock rate of Opus, and at that of the others."""
_KNOWN = {("pcmu", 8000, 1), ("pcma", 8000, 1), ("g722", 8000, 1), ("opus", 48000, 2)} | {
    ("l16", rate, 1)
    for rate in (8000, 16000, 24000)  # what fits one packet in 20 ms
}
_CRYPTO = "a=crypto:"
_PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
_SECURE = frozenset({"RTP/SAVP", "RTP/SAVPF"})
_REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class NoCommonMedia(ValueError):
    """Nothing that was offered is what we have; the text says what was missing."""


class Place(NamedTuple):
    """Where our end of a stream is: an address, and the port for RTP."""

    host: str
    port: int


class _Stream(NamedTuple):
    """An audio stream as described: `host` is empty where it is the session's, `codecs` are those that we know."""

    host: str
    port: int
    profile: str
    direction: str
    codecs: tuple[Codec, ...]
    events: tuple[tuple[int, int], ...]
    """payload type and clock rate of each telephone-event"""
    muxes: bool
    crypto: tuple[str, ...]
    """what stands in each `a=crypto`"""


class _Origin(NamedTuple):
    """Of `o=`: what stays for the whole session, and the number that a change raises (RFC 8866 section 5.2)."""

    session: str
    version: int


def answer(offered: str, place: Place, seal: Callable[[str], str], chance: Chance, before: str = "") -> str:
    """The answer to `offered` that takes its first audio stream that we can have, in its first codec that we know.

    `before` is what we said last in this session. Raises NoCommonMedia, and ValueError for what is no description.
    """
    described = sections(offered)
    chosen, stream = _choose(described)
    codec = stream.codecs[0]
    lines = [*_head(place), *(_refused(one) for one in described.streams[:chosen])]
    lines += _body(stream.profile, place.port, (codec,), _events_for(codec, stream.events))
    lines.append(f"a={_REVERSED[stream.direction]}")
    lines += ["a=rtcp-mux"] if stream.muxes else []
    lines += _keys(stream, before, seal, chance)
    lines += [_refused(one) for one in described.streams[chosen + 1 :]]
    return _written(lines, place, before, chance)


def offer(place: Place, chance: Chance, before: str = "") -> str:
    """All that we have, unencrypted, for a party that is to answer."""
    events = tuple((payload, 48000 if codec else 8000) for codec, payload in _EVENTS.items())
    lines = [*_head(place), *_body("RTP/AVP", place.port, _OURS, events), "a=sendrecv"]
    return _written(lines, place, before, chance)


def port_of(ours: str) -> int:
    """Our port for RTP in a description of ours. Raises ValueError for what is none of ours."""
    return _taken(sections(ours))[1].port


def leg_of(leg: str, theirs: str, ours: str) -> Leg:
    """The stream that an offer and its answer came to, whoever made which; keys are bare.

    A party that only sends holds us: what it plays meanwhile is for nobody. Raises ValueError if they do not fit.
    """
    at, mine = _taken(sections(ours))
    described = sections(theirs)
    if at >= len(described.streams):
        raise NoCommonMedia("the answer has fewer streams than the offer")
    stream = _stream(described.streams[at], described.session)
    known = {(codec.name, codec.clock_rate_hz) for codec in mine.codecs}
    codecs = tuple(codec for codec in stream.codecs if (codec.name, codec.clock_rate_hz) in known)
    if not codecs or not stream.port:
        raise NoCommonMedia("the answer takes nothing that was offered")
    events = _events_for(codecs[0], stream.events) if mine.events else ()
    return Leg(
        id=leg,
        port=mine.port,
        remote=_remote(stream),
        codecs=codecs,
        dtmf=events[0][0] if events else -1,
        sends=stream.direction in ("sendrecv", "recvonly") and mine.direction in ("sendrecv", "sendonly"),
        receives=stream.direction in ("sendrecv", "sendonly") and mine.direction in ("sendrecv", "recvonly"),
        rtcp_mux=stream.muxes and mine.muxes,
        secure=_secure(stream, mine),
        muted=stream.direction == "sendonly",
    )


# --- reading


def _stream(lines: list[str], session: list[str]) -> _Stream:
    line = media_line(lines[0])
    host = connection(lines) or connection(session)
    codecs, events = _formats(line.formats, lines)
    crypto = tuple(line.removeprefix(_CRYPTO) for line in lines if line.startswith(_CRYPTO))
    way = direction(lines, session, host)
    return _Stream(host, line.port, line.profile, way, codecs, events, "a=rtcp-mux" in lines, crypto)


def _formats(formats: Sequence[str], lines: list[str]) -> tuple[tuple[Codec, ...], tuple[tuple[int, int], ...]]:
    names = _STATIC | rtpmaps(lines)
    parameters = _parameters(lines)
    codecs, events = [], []
    for payload in formats:
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
    return tuple(codecs), tuple(events)


def _parameters(lines: list[str]) -> dict[str, str]:
    """Payload type as written -> its `a=fmtp`."""
    found = (line.removeprefix("a=fmtp:").partition(" ") for line in lines if line.startswith("a=fmtp:"))
    return {payload: text.strip() for payload, _, text in found}


def _choose(described: Sections) -> tuple[int, _Stream]:
    """The first audio stream that we can have. Raises NoCommonMedia, which says of the first one what it lacks."""
    missing = "no audio is offered"
    for at, lines in enumerate(described.streams):
        if not lines[0].startswith("m=audio"):
            continue
        stream = _stream(lines, described.session)
        lacks = _lacks(stream)
        if not lacks:
            return at, stream
        missing = lacks if missing == "no audio is offered" else missing
    raise NoCommonMedia(missing)


def _lacks(stream: _Stream) -> str:
    if not stream.port:
        return "the audio that is offered has no port"
    if stream.profile in _SECURE:
        try:
            choose(stream.crypto)
        except CryptoError as error:
            return str(error)
    elif stream.profile not in _PLAIN:
        return f"{stream.profile} is not known here"
    return "" if stream.codecs else "no codec that is offered is known here"


def _taken(ours: Sections) -> tuple[int, _Stream]:
    """The stream of a description of ours that is not refused."""
    for at, lines in enumerate(ours.streams):
        stream = _stream(lines, ours.session)
        if stream.port:
            return at, stream
    raise ValueError("this description has no stream of ours")


def _remote(stream: _Stream) -> tuple[str, int] | None:
    """Where the party hears; None if it says no address: then it is where its packets come from."""
    if not stream.host or stream.host == NOWHERE:
        return None
    try:
        return str(ip_address(stream.host)), stream.port
    except ValueError:
        return None


def _events_for(codec: Codec, events: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """The telephone-event at the codec's clock rate (RFC 4733 section 2.1), or else any other."""
    same = [one for one in events if one[1] == codec.clock_rate_hz]
    return tuple((same or list(events))[:1])


# --- keys


def _keys(stream: _Stream, before: str, seal: Callable[[str], str], chance: Chance) -> list[str]:
    """The same key as before for the same suite: what was sent with it may still be on the way."""
    if stream.profile not in _SECURE:
        return []
    chosen = choose(stream.crypto)
    former = _taken(sections(before))[1].crypto if before else ()
    key = next((one.key for one in readable(former) if one.suite == chosen.suite), "")
    return [f"{_CRYPTO}{chosen._replace(key=key or seal(new_key(chosen.suite, chance)))}"]


def _secure(theirs: _Stream, ours: _Stream) -> Sdes | None:
    if ours.profile not in _SECURE:
        return None
    try:
        return Sdes(*agree(ours.crypto, theirs.crypto))
    except CryptoError as error:
        raise NoCommonMedia(f"no keys for SRTP: {error}") from None


# --- writing


def _head(place: Place) -> list[str]:
    return ["s=-", f"c={_address(place)}", "t=0 0"]


def _address(place: Place) -> str:
    return f"IN IP6 {place.host}" if ":" in place.host else f"IN IP4 {place.host}"


def _body(profile: str, port: int, codecs: Sequence[Codec], events: Sequence[tuple[int, int]]) -> Iterator[str]:
    payloads = [*(codec.payload_type for codec in codecs), *(payload for payload, _ in events)]
    yield f"m=audio {port} {profile} {' '.join(map(str, payloads))}"
    for codec in codecs:
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        yield f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate_hz}{channels}"
    for payload, rate in events:
        yield f"a=rtpmap:{payload} {_DTMF}/{rate}"
        yield f"a=fmtp:{payload} 0-15"
    yield f"a=ptime:{PTIME_MS}"


def _refused(lines: list[str]) -> str:
    """RFC 3264 section 6: a stream that is not taken has the port 0, and at least one format."""
    line = media_line(lines[0])
    return f"m={line.kind} 0 {line.profile} {' '.join(line.formats)}"


def _written(lines: list[str], place: Place, before: str, chance: Chance) -> str:
    """The whole text; the version is raised only if anything is other than before (RFC 3264 section 8)."""
    old = before.split("\r\n")
    origin = _origin(old[1]) if len(old) > 1 else _Origin(str(int.from_bytes(chance(4), "big")), 0)
    same = [line for line in old[2:] if line] == lines
    version = origin.version if same else origin.version + 1
    return "\r\n".join(["v=0", f"o=- {origin.session} {version} {_address(place)}", *lines, ""])


def _origin(line: str) -> _Origin:
    words = line.split()
    return _Origin(words[1], int(words[2]))
