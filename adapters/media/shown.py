"""What a phone is told of the other party's media where they go through us: that they are at our place, under our keys.

What may live here: pure functions of texts. What is said of codecs stays the other party's word, as far as our workers
know them, since packets pass as they are; addresses, keys and what belongs to them are ours. So an answer to what is
shown is an answer to what was said, stream by stream.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from adapters.media.crypto import SUITES, Crypto, CryptoError, choose
from adapters.media.description import CRYPTO, STATIC, Description, events_for, refused
from adapters.media.description import body as body_of
from adapters.media.offer import widened
from domain.sdp import DIRECTIONS, NOWHERE, MediaLine, Sections, connection, direction, media_line, rtpmaps, sections

PLAIN, SECURE = "RTP/AVP", "RTP/SAVP"
_PROFILES = {"RTP/AVP": PLAIN, "RTP/AVPF": PLAIN, "RTP/SAVP": SECURE, "RTP/SAVPF": SECURE}
_EVENTS = "telephone-event"
_SESSION_KEPT = ("v=", "o=", "s=", "t=", "b=")
_KEPT = ("a=ptime:", "a=maxptime:", "b=")
_OF_FORMAT = ("a=rtpmap:", "a=fmtp:")


class End(NamedTuple):
    """Our end towards a party: where it is, and the name under which `secret` gives its keys."""

    host: str
    port: int
    secret: bytes
    name: str


class Wide(Enum):
    """Whose codecs a party is shown."""

    NOT = "the other party's"
    ENOUGH = "those of its own by which both can hear each other"
    ALL = "all of its own"


def shown(
    theirs: str, end: End, said: str, codecs: frozenset[str], encrypted: bool | None = None, wide: Wide = Wide.NOT
) -> str:
    """`theirs`, the other party's description, for the one that described itself as `said` last (empty: never yet).

    Whether SRTP is asked for follows from `said`, else from `encrypted`, else from `theirs`. Without a stream that can
    go through us none is left open. Where it is `wide`, who has said nothing yet is offered all that we can make of
    the other party's codecs. Raises ValueError for what is no description.
    """
    described = sections(theirs)
    chosen = _chosen(described, codecs)
    own = _audio(sections(said), codecs) if said else None
    lines = list(_session(described.session, end.host))
    for at, stream in enumerate(described.streams):
        if at != chosen:
            lines.append(refused(stream))
            continue
        formats = _as_described(stream, codecs) if wide is Wide.NOT else _bridged(stream, own, wide)
        body = _stream(stream, described.session, end, own, encrypted, formats) if formats.payloads else None
        lines += body or [refused(stream)]
    return "\r\n".join([*lines, ""])


def nothing(end: End) -> str:
    """For who waits to be told of a description that cannot be read: no stream is open."""
    lines = ["v=0", f"o=- 1 1 {_at(end.host)}", "s=-", f"c={_at(end.host)}", "t=0 0", f"m=audio 0 {PLAIN} 0"]
    return "\r\n".join([*lines, ""])


def can_pass(offered: str, codecs: frozenset[str]) -> bool:
    """Whether media that are offered so can go through us. Raises ValueError for what is no description."""
    return _chosen(sections(offered), codecs) is not None


def key_of(end: End, suite: str) -> str:
    """Our key and salt towards a party for a suite, as `a=crypto` has it: each end and suite has its own."""
    derived = HKDF(SHA256(), SUITES[suite], None, f"srtp {end.name} {suite}".encode()).derive(end.secret)
    return b64encode(derived).decode()


def _session(lines: list[str], host: str) -> Iterator[str]:
    head = [line for line in lines if line.startswith(_SESSION_KEPT)]
    before = [line for line in head if line[0] in "vos"]
    yield from (*before, f"c={_at(host)}", *(line for line in head if line[0] not in "vos"))


def _at(host: str) -> str:
    return f"IN IP6 {host}" if ":" in host else f"IN IP4 {host}"


def _chosen(described: Sections, codecs: frozenset[str]) -> int | None:
    """The first stream that can go through us. Raises ValueError if any of them is malformed."""
    lines = [media_line(stream[0]) for stream in described.streams]
    passing = (at for at, line in enumerate(lines) if _passes(line, described.streams[at], codecs))
    return next(passing, None)


def _passes(line: MediaLine, stream: list[str], codecs: frozenset[str]) -> bool:
    """Whether a stream can go through us: it is open, in a codec that we know, and under keys that we know if any."""
    profile = _PROFILES.get(line.profile)
    if line.kind != "audio" or not line.port or profile is None:
        return False
    if all(name.startswith(_EVENTS) for name in _known(line, stream, codecs).values()):
        return False
    return profile == PLAIN or _crypto(stream) is not None


def _known(line: MediaLine, stream: list[str], codecs: frozenset[str]) -> dict[str, str]:
    """Payload types of which our workers know what they are -> their names."""
    names = STATIC | rtpmaps(stream)
    wanted = {name.lower() for name in codecs} | {_EVENTS}
    known = {payload: names.get(payload, "") for payload in line.formats}
    return {payload: name for payload, name in known.items() if name.partition("/")[0].lower() in wanted}


def _audio(described: Sections, codecs: frozenset[str]) -> list[str] | None:
    """The stream by which a party takes part: the one that can go through us, or else its first audio that is open."""
    chosen = _chosen(described, codecs)
    if chosen is not None:
        return described.streams[chosen]
    lines = (stream for stream in described.streams if stream[0].startswith("m=audio"))
    return next((stream for stream in lines if media_line(stream[0]).port), None)


class _Formats(NamedTuple):
    """The payload types of a stream as written, and the lines that say what they are."""

    payloads: list[str]
    lines: list[str]


def _as_described(stream: list[str], codecs: frozenset[str]) -> _Formats:
    """What of it our workers know, in the words of who described it."""
    formats = _known(media_line(stream[0]), stream, codecs)
    return _Formats([*formats], [kept for kept in stream if kept.startswith(_KEPT) or _is_of(kept, formats)])


def _bridged(stream: list[str], own: list[str] | None, wide: Wide) -> _Formats:
    """What its party is to speak with us: its own codecs under its own numbers, first those that the other has, too."""
    theirs = Description.read(stream, [])
    if own is None:
        spoken, events = widened(theirs)
    else:
        mine = Description.read(own, [])
        known = {(codec.name, codec.clock_rate_hz) for codec in theirs.codecs}
        shared = [codec for codec in mine.codecs if (codec.name, codec.clock_rate_hz) in known]
        rest = [codec for codec in mine.codecs if codec not in shared]
        spoken = tuple(shared + rest if wide is Wide.ALL else shared or rest[:1])
        events = events_for(spoken[0], mine.events) if spoken else ()
    first, *lines = body_of(PLAIN, 0, spoken, events)
    return _Formats(first.split()[3:], lines)


def _stream(
    stream: list[str],
    session: list[str],
    end: End,
    own: list[str] | None,
    encrypted: bool | None,
    formats: _Formats,
) -> list[str] | None:
    """The stream as it is at our end; None if there are no keys for it."""
    line = media_line(stream[0])
    profile = _PROFILES.get(media_line(own[0]).profile, "") if own else _asked(line, encrypted)
    keys = _keys(end, own) if profile == SECURE else []
    if not profile or keys is None:
        return None
    where = connection(stream) or connection(session)
    return [
        f"m=audio {end.port} {profile} {' '.join(formats.payloads)}",
        *formats.lines,
        f"a={direction(stream, session, where)}" if where == NOWHERE else _way(stream, session),
        *keys,
    ]


def _asked(line: MediaLine, encrypted: bool | None) -> str:
    if encrypted is None:
        return _PROFILES[line.profile]
    return SECURE if encrypted else PLAIN


def _is_of(line: str, formats: dict[str, str]) -> bool:
    return line.startswith(_OF_FORMAT) and line.partition(":")[2].partition(" ")[0] in formats


def _way(stream: list[str], session: list[str]) -> str:
    ways = (line for line in (*stream, *session) if line.startswith("a=") and line[2:] in DIRECTIONS)
    return next(ways, "a=sendrecv")


def _keys(end: End, own: list[str] | None) -> list[str] | None:
    """Ours in the suite that the party has named, or in all that there are; None if it names none of them."""
    if own is None:
        suites = enumerate(SUITES, 1)
        return [f"{CRYPTO}{Crypto(tag, suite, suite, key_of(end, suite))}" for tag, suite in suites]
    crypto = _crypto(own)
    return [f"{CRYPTO}{crypto._replace(key=key_of(end, crypto.suite))}"] if crypto else None


def _crypto(stream: list[str]) -> Crypto | None:
    """The attribute of a party's stream by which it is heard and hears."""
    try:
        return choose([line.removeprefix(CRYPTO) for line in stream if line.startswith(CRYPTO)])
    except CryptoError:
        return None
