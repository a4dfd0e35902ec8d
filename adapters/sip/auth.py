"""Digest authentication (RFC 7616, RFC 8760's order, RFC 3261 section 22), sans-IO and without state.

A nonce is a time and an HMAC over it, so that every worker can check every nonce. Counting nonces per use belongs to
a later hardening; a nonce ages after `nonce_lifetime_s` and is then answered `stale`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from adapters.sip.header import parse_credentials, quote
from adapters.sip.text import to_wire

_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
ALGORITHMS = tuple(_HASHES)
_REQUIRED = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")
_MAC_HEX = 32


class Verified(NamedTuple):
    """The credentials are right."""

    username: str
    realm: str


class Stale(NamedTuple):
    """Right, but for a nonce that has aged: challenge again with stale=true."""


class Refused(NamedTuple):
    """Wrong or unusable; `reason` is for the log, not for the peer."""

    reason: str


Verdict = Verified | Stale | Refused


class Challenger:
    """Offers `algorithms` in this order. All times are Unix seconds."""

    def __init__(
        self, secret: bytes, algorithms: tuple[str, ...] = ("SHA-256", "MD5"), nonce_lifetime_s: float = 300
    ) -> None:
        unknown = [name for name in algorithms if name not in _HASHES]
        if unknown or not algorithms:
            raise ValueError(f"digest algorithms are {', '.join(ALGORITHMS)}, not {unknown or 'none'}")
        self._secret = secret
        self._algorithms = algorithms
        self._nonce_lifetime_s = nonce_lifetime_s

    def challenges(self, realm: str, now: float, stale: bool = False) -> list[str]:
        """WWW-Authenticate values, the preferred one first."""
        nonce = self._nonce(realm, int(now))
        again = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{again}'
            for algorithm in self._algorithms
        ]

    def check(self, credentials: str, method: str, ha1: Callable[[str, str, str], str | None], now: float) -> Verdict:
        """Whether an Authorization value proves its user; `ha1(username, realm, algorithm)` gives the secret."""
        try:
            given = parse_credentials(credentials)
        except ValueError as error:
            return Refused(str(error))
        problem = self._problem(given)
        if problem:
            return Refused(problem)
        algorithm = given.get("algorithm", "MD5").upper()
        secret = ha1(given["username"], given["realm"], algorithm)
        if secret is None:
            return Refused("no such user")
        expected = _response(algorithm, secret, method, given)
        if not hmac.compare_digest(expected.encode(), to_wire(given["response"].lower())):
            return Refused("wrong password")
        age_s = self._age_s(given["realm"], given["nonce"], now)
        if age_s is None:
            return Stale()  # not a nonce of ours (another secret): the password is right, so ask once more
        if not -5 <= age_s <= self._nonce_lifetime_s:
            return Stale()
        return Verified(given["username"], given["realm"])

    def _problem(self, given: dict[str, str]) -> str:
        missing = [name for name in _REQUIRED if name not in given]
        if missing:
            return f"without {missing[0]}"
        if given["qop"] != "auth":
            return "only qop=auth is served"
        if given.get("algorithm", "MD5").upper() not in self._algorithms:
            return "an algorithm that was not offered"
        return ""

    def _nonce(self, realm: str, at: int) -> str:
        return f"{at:x}.{self._mac(realm, at)}"

    def _mac(self, realm: str, at: int) -> str:
        return hmac.new(self._secret, to_wire(f"nonce {realm} {at:x}"), "sha256").hexdigest()[:_MAC_HEX]

    def _age_s(self, realm: str, nonce: str, now: float) -> float | None:
        text, _, mac = nonce.partition(".")
        try:
            at = int(text[:16], 16)
        except ValueError:
            return None
        if text != f"{at:x}" or not hmac.compare_digest(to_wire(mac), self._mac(realm, at).encode()):
            return None
        return now - at


def ha1(username: str, realm: str, password: str, algorithm: str) -> str:
    """H(username:realm:password) in hex (RFC 7616 3.4.2)."""
    return _hash(algorithm, f"{username}:{realm}:{password}")


def answer(challenge: str, method: str, uri: str, username: str, password: str, cnonce: str, nc: int = 1) -> str:
    """The Authorization value for a challenge: the client's side. Raises ValueError for one that is unusable."""
    asked = parse_credentials(challenge)
    algorithm = asked.get("algorithm", "MD5").upper()
    if algorithm not in _HASHES or "auth" not in asked.get("qop", "").replace(" ", "").split(","):
        raise ValueError("the challenge has an unknown algorithm or no qop=auth")
    given = {"nonce": asked["nonce"], "uri": uri, "nc": f"{nc:08x}", "cnonce": cnonce, "qop": "auth"}
    secret = ha1(username, asked["realm"], password, algorithm)
    response = _response(algorithm, secret, method, given)
    opaque = f", opaque={quote(asked['opaque'])}" if "opaque" in asked else ""
    return (
        f"Digest username={quote(username)}, realm={quote(asked['realm'])}, nonce={quote(asked['nonce'])}, "
        f'uri="{uri}", '
        f'algorithm={algorithm}, qop=auth, nc={given["nc"]}, cnonce="{cnonce}", response="{response}"{opaque}'
    )


def _response(algorithm: str, secret: str, method: str, given: dict[str, str]) -> str:
    """RFC 7616 3.4.1 with qop=auth."""
    ha2 = _hash(algorithm, f"{method}:{given['uri']}")
    parts = (secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2)
    return _hash(algorithm, ":".join(parts))


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](to_wire(text)).hexdigest()
