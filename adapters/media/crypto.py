"""The `a=crypto` attribute: SRTP keys in session descriptions (RFC 4568), read, chosen from, written.

What may live here: pure functions of texts; chance is an argument. A key is text until `keys` wants its bytes: in the
descriptions of events it is sealed, and any text without white space, `;` and `|` then stands in its place.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

SUITES = {
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_256_CM_HMAC_SHA1_32": 46,
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""suite (RFC 4568, 6188, 7714) -> bytes of its key and salt; in the order in which we offer"""
ATTRIBUTES_LIMIT = 32
"""attributes of a stream that are read; what an honest party offers is a tenth of them"""
LENGTH_LIMIT = 1024
"""characters of one attribute"""

Chance = Callable[[int], bytes]
"""So many random bytes."""

# Some products wrote so before RFC 6188 gave the name; an answer repeats the offer's.
_ALIASES = {"AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_32": "AES_256_CM_HMAC_SHA1_32"}
_SHAPE = re.compile(r"(\d{1,9})[ \t]+(\w+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*", re.ASCII)
_LIFETIME = re.compile(r"2\^\d{1,2}|\d{1,15}", re.ASCII)
_LONGEST_LIFETIME = 1 << 48
_WINDOW = re.compile(r"WSH=\d{2,5}", re.ASCII | re.IGNORECASE)


class CryptoError(ValueError):
    """The peer's attributes cannot be used; the text says which, and why."""


class Crypto(NamedTuple):
    """One attribute: `suite` as IANA spells it, `written` as the attribute does, `key` what stands after `inline:`."""

    tag: int
    suite: str
    written: str
    key: str

    def __str__(self) -> str:
        return f"{self.tag} {self.written} inline:{self.key}"


class Keys(NamedTuple):
    """What an offer and its answer came to: the suite, and each side's key with its salt behind it."""

    suite: str
    local: bytes
    remote: bytes


def parse(value: str) -> Crypto:
    """What stands after `a=crypto:`. Raises CryptoError for what is malformed, and for what we do not do.

    That is: several keys and key identifiers (MKI), derivation rates, and everything that switches encryption or
    authentication off. Whatever we do not know must not be ignored unless it is marked so (RFC 4568 section 6.3.7).
    """
    if len(value) > LENGTH_LIMIT:
        raise CryptoError(f"it has more than {LENGTH_LIMIT} characters")
    found = _SHAPE.fullmatch(value)
    if found is None:
        raise CryptoError("it is not a tag, a suite and a key")
    suite = found[2].upper()
    suite = _ALIASES.get(suite, suite)
    if suite not in SUITES:
        raise CryptoError(f"suite {found[2][:40]} is not known")
    key = _key(found[3])
    for parameter in found[4].split():
        if not (parameter.startswith("-") or _WINDOW.fullmatch(parameter)):
            raise CryptoError(f"session parameter {parameter[:40]} is not supported")
    return Crypto(int(found[1]), suite, found[2], key)


def readable(values: Sequence[str]) -> Iterator[Crypto]:
    """Those of a stream's attributes that can be used."""
    for value in values[:ATTRIBUTES_LIMIT]:
        with suppress(CryptoError):
            yield parse(value)


def choose(offered: Sequence[str], suites: Collection[str] = SUITES.keys()) -> Crypto:
    """The attribute that an answer takes: the offerer's first that can be used and is of `suites` (RFC 4568 5.1.2).

    Raises CryptoError with the reason of each of the first ones, if there is none.
    """
    reasons = []
    tags = set()
    for value in offered[:ATTRIBUTES_LIMIT]:
        try:
            crypto = parse(value)
            if crypto.tag in tags:
                raise CryptoError(f"tag {crypto.tag} is there twice")
            tags.add(crypto.tag)
            if crypto.suite not in suites:
                raise CryptoError(f"suite {crypto.suite} is not allowed")
        except CryptoError as error:
            reasons.append(f"{value.split(maxsplit=1)[0][:9] if value.strip() else 'an empty one'}: {error}")
        else:
            return crypto
    raise CryptoError("no a=crypto can be used: " + ("; ".join(reasons[:4]) or "there is none"))


def agree(ours: Sequence[str], theirs: Sequence[str]) -> Keys:
    """What both sides' attributes come to, whoever made the offer; the answer has exactly one (RFC 4568 5.1.3).

    Keys must be bare here. Raises CryptoError.
    """
    if 1 not in (len(ours), len(theirs)):
        raise CryptoError(f"an answer has one a=crypto; here are {len(ours)} of ours and {len(theirs)} of the peer's")
    by_tag = {crypto.tag: crypto for crypto in readable(ours)}
    for other in readable(theirs):
        mine = by_tag.get(other.tag)
        if mine is not None:
            if mine.suite != other.suite:
                raise CryptoError(f"tag {mine.tag} is {mine.suite} here and {other.suite} there")
            return keys(mine, other)
    raise CryptoError("no a=crypto that can be used has the same tag on both sides")


def offer(chance: Chance, suites: Sequence[str] = tuple(SUITES)) -> tuple[Crypto, ...]:
    """Attributes of these suites, the preferred one first, each with a key of its own."""
    return tuple(Crypto(tag, suite, suite, new_key(suite, chance)) for tag, suite in enumerate(suites, 1))


def new_key(suite: str, chance: Chance) -> str:
    """A key with its salt as an attribute has it."""
    return b64encode(chance(SUITES[suite])).decode()


def keys(ours: Crypto, theirs: Crypto) -> Keys:
    """The bytes of both keys. Raises CryptoError.

    The same key both ways is refused: packets of the same number and SSRC would give each other away (RFC 3711 9.1).
    """
    local, remote = _bytes(ours), _bytes(theirs)
    if local == remote:
        raise CryptoError("the answer repeats the key of the offer; each side needs its own")
    return Keys(ours.suite, local, remote)


def _key(parameters: str) -> str:
    """What is behind `inline:`, without its lifetime: that is how long the sender means to use it."""
    method, _, rest = parameters.partition(":")
    if method.lower() != "inline":
        raise CryptoError(f"key method {method[:20]} is not known")
    if ";" in rest:
        raise CryptoError("several keys, told apart by an MKI, are not supported")
    key, *more = rest.split("|")
    if not key:
        raise CryptoError("its key is empty")
    if any(":" in part for part in more):
        raise CryptoError("a key with an MKI is not supported")
    for part in more:
        if len(more) > 1 or not _LIFETIME.fullmatch(part) or not 0 < _packets(part) <= _LONGEST_LIFETIME:
            raise CryptoError(f"lifetime {part[:20]} is none")
    return key


def _packets(lifetime: str) -> int:
    return 1 << int(lifetime[2:]) if lifetime.startswith("2^") else int(lifetime)


def _bytes(crypto: Crypto) -> bytes:
    """Padding may be missing: 46 bytes were written both ways (RFC 4568 section 6.1)."""
    text = crypto.key.rstrip("=")
    try:
        found = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise CryptoError(f"the key of tag {crypto.tag} is not base64") from None
    if len(found) != SUITES[crypto.suite]:
        raise CryptoError(f"{crypto.suite} wants {SUITES[crypto.suite]} bytes of key and salt, not {len(found)}")
    return found
