"""Session descriptions of our own media: answers to offers (RFC 3264), offers, and the stream that both come to.

What may live here: pure functions of texts. SRTP keys (RFC 4568) and names are made of chance that is an argument.
Descriptions are those of events, in which keys are sealed; only `leg_of` must have them bare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from adapters.media.crypto import Chance, CryptoError, agree, choose, new_key, readable
from domain.sdp import DIRECTIONS, NOWHERE, Sections, connection, direction, media_line, rtpmaps, sections
from media.wire import Codec, Leg, Sdes

PTIME_MS = 20
_DTMF = "telephone-event"
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}
"""Payload types that need no `a=rtpmap` (RFC 3551 section 6)."""
CODECS = frozenset({"opus", "G722", "L16", "PCMA", "PCMU"})
"""All that we have names for."""
_OURS = (Codec("opus", 96, 48000, 2), Codec("G722", 9), Codec("PCMA", 8), Codec("PCMU", 0))
"""What we offer, the best first."""
_EVENTS = {48000: 101, 8000: 102}
"""Payload types of telephone-event in our offers, by their clock rate."""
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


class Means(NamedTuple):
    """What our side has: how keys are sealed, chance, the codecs that its workers speak, and whether they do SRTP."""

    seal: Callable[[str], str]
    chance: Chance
    codecs: frozenset[str] = CODECS
    secure: bool = True


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


def answer(offered: str, place: Place, means: Means, before: str = "") -> str:
    """The answer to `offered` that takes its first audio stream that we can have, in its first codec that we know.

    `before` is what we said last in this session. Raises NoCommonMedia, and ValueError for what is no description.
    """
    described = sections(offered)
    chosen, stream = _choose(described, means)
    if before and _taken(sections(before))[1].muxes != stream.muxes:
        raise NoCommonMedia("whether RTCP shares the port of RTP cannot be changed")
    codec = next(codec for codec in stream.codecs if codec.name in means.codecs)
    lines = [*_head(place), *(_refused(one) for one in described.streams[:chosen])]
    lines += _body(stream.profile, place.port, (codec,), _events_for(codec, stream.events))
    lines.append(f"a={_REVERSED[stream.direction]}")
    lines += ["a=rtcp-mux"] if stream.muxes else []
    lines += _keys(stream, before, means)
    lines += [_refused(one) for one in described.streams[chosen + 1 :]]
    return _written(lines, place, before, means.chance)


def offer(place: Place, means: Means) -> str:
    """All that we have, unencrypted, for a party that is to answer."""
    codecs = [codec for codec in _OURS if codec.name in means.codecs]
    rates = {codec.clock_rate_hz for codec in codecs}
    events = [(payload, rate) for rate, payload in _EVENTS.items() if rate in rates]
    lines = [*_head(place), *_body("RTP/AVP", place.port, codecs, events), "a=sendrecv"]
    return _written(lines, place, "", means.chance)


def offer_again(before: str) -> str:
    """What we said last, both ways: for a party that asks for an offer within a session (RFC 3261 14.2)."""
    head, *lines = before.rstrip("\r\n").split("\r\n")
    said = ["a=sendrecv" if line.removeprefix("a=") in DIRECTIONS else line for line in lines[1:]]
    return "\r\n".join([head, _origin_line(lines[0], said != lines[1:]), *said, ""])


def elsewhere(before: str, place: Place) -> str:
    """What we said last, with our end of the stream at another place. Raises ValueError for what is none of ours."""
    _, stream = _taken(sections(before))
    here, there = f"m=audio {stream.port} ", f"m=audio {place.port} "
    head, origin, *lines = before.rstrip("\r\n").split("\r\n")
    said = [f"c={_address(place)}" if line.startswith("c=") else line.replace(here, there) for line in lines]
    return "\r\n".join([head, _origin_line(origin, said != lines), *said, ""])


def place_of(ours: str) -> Place:
    """Where our end is by a description of ours. Raises ValueError for what is none of ours."""
    _, stream = _taken(sections(ours))
    return Place(stream.host, stream.port)


def leg_alone(leg: str, ours: str) -> Leg:
    """Our end of a stream of which the party has said nothing yet: its port is open, and silent."""
    _, mine = _taken(sections(ours))
    return Leg(leg, mine.port, None, mine.codecs, sends=False, receives=False, rtcp_mux=mine.muxes)


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


def _choose(described: Sections, means: Means) -> tuple[int, _Stream]:
    """The first audio stream that we can have. Raises NoCommonMedia, which says of the first one what it lacks."""
    missing = "no audio is offered"
    for at, lines in enumerate(described.streams):
        if not lines[0].startswith("m=audio"):
            continue
        stream = _stream(lines, described.session)
        lacks = _lacks(stream, means)
        if not lacks:
            return at, stream
        missing = lacks if missing == "no audio is offered" else missing
    raise NoCommonMedia(missing)


def _lacks(stream: _Stream, means: Means) -> str:
    if not stream.port:
        return "the audio that is offered has no port"
    if stream.profile in _SECURE and means.secure:
        try:
            choose(stream.crypto)
        except CryptoError as error:
            return str(error)
    elif stream.profile not in _PLAIN:
        return f"{stream.profile} is not known here"
    known = any(codec.name in means.codecs for codec in stream.codecs)
    return "" if known else "no codec that is offered is known here"


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


def _keys(stream: _Stream, before: str, means: Means) -> list[str]:
    """The same key as before for the same suite: what was sent with it may still be on the way."""
    if stream.profile not in _SECURE:
        return []
    chosen = choose(stream.crypto)
    former = _taken(sections(before))[1].crypto if before else ()
    key = next((one.key for one in readable(former) if one.suite == chosen.suite), "")
    return [f"{_CRYPTO}{chosen._replace(key=key or means.seal(new_key(chosen.suite, means.chance)))}"]


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
    """The version is raised only if anything is other than before (RFC 3264 section 8)."""
    old = before.rstrip("\r\n").split("\r\n")
    if before:
        origin = _origin_line(old[1], old[2:] != lines)
    else:
        origin = f"o=- {int.from_bytes(chance(4), 'big')} 1 {_address(place)}"
    return "\r\n".join(["v=0", origin, *lines, ""])


def _origin_line(before: str, changed: bool) -> str:
    name, session, version, *address = before.split()
    return " ".join([name, session, str(int(version) + changed), *address])
