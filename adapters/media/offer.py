"""Session descriptions of our own media: answers to offers (RFC 3264), offers, and the stream that both come to.

What may live here: pure functions of texts. SRTP keys (RFC 4568) and names are made of chance that is an argument.
Descriptions are those of events, in which keys are sealed; only `leg_of` must have them bare.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from msgspec.structs import replace

from adapters.media.crypto import Chance
from adapters.media.description import Description, Events, NoCommonMedia, body, events_for, refused, taken
from adapters.media.secure import Means, Shown, agreed, attributes, keys_offered, lacks, nothing_shown, renewed
from domain.sdp import DIRECTIONS, NOWHERE, Sections, media_line, sections
from media.wire import Codec, Leg

_OURS = (
    Codec("opus", 96, 48000, 2),
    Codec("G722", 9),
    Codec("PCMA", 8),
    Codec("PCMU", 0),
    Codec("L16", 97, 16000),
)
"""What we offer, the best first; L16 is the best of all, and four times the bits."""
CODECS = frozenset(codec.name for codec in _OURS)
"""All that we have names for."""
_EVENTS = {48000: 101, 8000: 102, 16000: 103}
"""Payload types of telephone-event in our offers, by their clock rate."""
_BODY = ("a=rtpmap:", "a=fmtp:", "a=ptime:")
_REVERSED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class Place(NamedTuple):
    """Where our end of a stream is: an address, and the port for RTP."""

    host: str
    port: int


def answer(offered: str, place: Place, means: Means, before: str = "") -> str:
    """The answer to `offered` that takes its first audio stream that we can have, in its first codec that we know.

    `before` is what we said last in this session. Raises NoCommonMedia, and ValueError for what is no description.
    """
    described = sections(offered)
    chosen, stream = _choose(described)
    codec = stream.codecs[0]
    lines = [*_head(place), *(refused(one) for one in described.streams[:chosen])]
    lines += body(stream.profile, place.port, (codec,), events_for(codec, stream.events))
    lines.append(f"a={_REVERSED[stream.direction]}")
    lines += ["a=rtcp-mux"] if stream.muxes else []
    lines += attributes(stream, taken(sections(before))[1] if before else None, means)
    lines += [refused(one) for one in described.streams[chosen + 1 :]]
    return _written(lines, place, before, means.chance)


def offer(place: Place, means: Means, secure: bool) -> str:
    """All that we have, for a party that is to answer.

    `secure` offers the same stream twice, encrypted and not: whoever does not know the one refuses it, and takes the
    other.
    """
    events = tuple((payload, rate) for rate, payload in _EVENTS.items())
    streams = [("RTP/SAVP", keys_offered(means))] if secure else []
    lines = _head(place)
    for profile, more in [*streams, ("RTP/AVP", [])]:
        lines += [*body(profile, place.port, _OURS, events), "a=sendrecv", "a=rtcp-mux", *more]
    return _written(lines, place, "", means.chance)


def offer_again(before: str) -> str:
    """What we said last, both ways, and all codecs: for a party that asks for an offer in a session (RFC 3261 14.2)."""
    described = sections(before)
    head, origin, *said = described.session
    for lines in described.streams:
        stream = Description.read(lines, described.session)
        said += _widened(lines, stream) if stream.port else lines
    said = [line for line in said if line]
    return "\r\n".join([head, _origin_line(origin, said != before.rstrip("\r\n").split("\r\n")[2:]), *said, ""])


def _widened(lines: list[str], stream: Description) -> list[str]:
    """A stream of ours with what we have beside its codec, under numbers that are free in it."""
    codecs, events = widened(stream)
    wide = body(stream.profile, stream.port, codecs, events)
    kept = [line for line in lines[1:] if line.removeprefix("a=") not in DIRECTIONS and not line.startswith(_BODY)]
    return [*wide, "a=sendrecv", *kept]


def widened(stream: Description) -> tuple[tuple[Codec, ...], Events]:
    """The codecs and telephone-events of a stream, and after them what we have beside those, under free numbers."""
    known = {(codec.name, codec.clock_rate_hz) for codec in stream.codecs}
    used = {codec.payload_type for codec in stream.codecs} | {payload for payload, _ in stream.events}
    free = (payload for payload in range(96, 128) if payload not in used)
    codecs = [
        codec if codec.payload_type < 96 else replace(codec, payload_type=next(free))
        for codec in _OURS
        if (codec.name, codec.clock_rate_hz) not in known
    ]
    rates = {rate for _, rate in stream.events}
    events = [(next(free), rate) for rate in _EVENTS if rate not in rates] if stream.events else []
    return (*stream.codecs, *codecs), (*stream.events, *events)


def elsewhere(before: str, place: Place) -> str:
    """What we said last, with our end of the stream at another place. Raises ValueError for what is none of ours."""
    _, stream = taken(sections(before))
    here, there = f"m=audio {stream.port} ", f"m=audio {place.port} "
    head, origin, *lines = before.rstrip("\r\n").split("\r\n")
    said = [f"c={_address(place)}" if line.startswith("c=") else line.replace(here, there) for line in lines]
    said = [renewed(line) for line in said] if said != lines else said
    return "\r\n".join([head, _origin_line(origin, said != lines), *said, ""])


def place_of(ours: str) -> Place:
    """Where our end is by a description of ours. Raises ValueError for what is none of ours."""
    _, stream = taken(sections(ours))
    return Place(stream.host, stream.port)


def leg_alone(leg: str, ours: str) -> Leg:
    """Our end of a stream of which the party has said nothing yet: its port is open, and silent."""
    _, mine = taken(sections(ours))
    return Leg(leg, mine.port, None, mine.codecs, sends=False, receives=False, rtcp_mux=mine.muxes)


def leg_of(leg: str, theirs: str, ours: str, shown: Shown = nothing_shown) -> Leg:
    """The stream that an offer and its answer came to, whoever made which; keys are bare.

    A party that only sends holds us: what it plays meanwhile is for nobody. Raises ValueError if they do not fit.
    """
    mine, stream = _common(sections(ours), sections(theirs))
    known = {(codec.name, codec.clock_rate_hz) for codec in mine.codecs}
    codecs = tuple(codec for codec in stream.codecs if (codec.name, codec.clock_rate_hz) in known)
    if not codecs:
        raise NoCommonMedia("the answer takes nothing that was offered")
    events = events_for(codecs[0], stream.events) if mine.events else ()
    return Leg(
        id=leg,
        port=mine.port,
        remote=_remote(stream),
        codecs=codecs,
        dtmf=events[0][0] if events else -1,
        sends=stream.direction in ("sendrecv", "recvonly") and mine.direction in ("sendrecv", "sendonly"),
        receives=stream.direction in ("sendrecv", "sendonly") and mine.direction in ("sendrecv", "recvonly"),
        rtcp_mux=stream.muxes and mine.muxes,
        secure=agreed(mine, stream, shown),
        muted=stream.direction == "sendonly",
    )


# --- parts


def _choose(described: Sections) -> tuple[int, Description]:
    """The first audio stream that we can have. Raises NoCommonMedia, which says of the first one what it lacks."""
    missing = "no audio is offered"
    for at, lines in enumerate(described.streams):
        if not lines[0].startswith("m=audio"):
            continue
        stream = Description.read(lines, described.session)
        why = _missing(stream)
        if not why:
            return at, stream
        missing = why if missing == "no audio is offered" else missing
    raise NoCommonMedia(missing)


def _missing(stream: Description) -> str:
    if not stream.port:
        return "the audio that is offered has no port"
    return lacks(stream) or ("" if stream.codecs else "no codec that is offered is known here")


def _common(ours: Sections, theirs: Sections) -> tuple[Description, Description]:
    """The first stream that neither side has refused, as each described it. Raises ValueError."""
    for mine, other in zip(ours.streams, theirs.streams, strict=False):
        if media_line(mine[0]).port and media_line(other[0]).port:
            return Description.read(mine, ours.session), Description.read(other, theirs.session)
    raise NoCommonMedia("the answer takes nothing that was offered")


def _remote(stream: Description) -> tuple[str, int] | None:
    """Where the party hears; None if it says no address: then it is where its packets come from."""
    if not stream.host or stream.host == NOWHERE:
        return None
    try:
        return str(ip_address(stream.host)), stream.port
    except ValueError:
        return None


def _head(place: Place) -> list[str]:
    return ["s=-", f"c={_address(place)}", "t=0 0"]


def _address(place: Place) -> str:
    return f"IN IP6 {place.host}" if ":" in place.host else f"IN IP4 {place.host}"


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
