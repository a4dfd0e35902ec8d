"""Digest authentication (RFC 7616, RFC 8760's order, RFC 3261 section 22), sans-IO.

What may live here: challenges, and the check of what answers them. An unknown user costs the same work and gets the
same answer as a wrong password. Nonces and their counts are `nonce`'s.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple

from adapters.sip.digest.nonce import Nonces, Use
from adapters.sip.message.header import parse_credentials, quote
from adapters.sip.message.text import to_wire
from adapters.sip.message.uri import names_a_server, same_resource

_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
ALGORITHMS = tuple(_HASHES)
_REQUIRED = ("username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce")
_COUNT_HEX = 8
_HEX = frozenset("0123456789abcdefABCDEF")
NONCES = 50_000
"""Used nonces that are remembered for sure, some 10 MB; above it the oldest ones become stale."""


class Asked(NamedTuple):
    """The request that credentials came with; `source` is the address, without port, that it came from."""

    method: str
    uri: str
    source: str


class Verified(NamedTuple):
    """The credentials are right; `use` can be given back if the request is not served after all."""

    username: str
    realm: str
    use: Use


class Stale(NamedTuple):
    """Right, but for a nonce that has aged or was used already: challenge again with stale=true."""


class Refused(NamedTuple):
    """Wrong or unusable; `reason` is for the log, not for the peer."""

    reason: str


Verdict = Verified | Stale | Refused


class Challenger:
    """Offers `algorithms` in this order. All times are Unix seconds.

    `run` names this run of the process and must never have been used before with `secret`: a request that was
    overheard before a restart is worth nothing after it.
    """

    def __init__(
        self,
        secret: bytes,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        nonce_lifetime_s: float = 300,
        run: str = "0",
        nonces: int = NONCES,
    ) -> None:
        unknown = [name for name in algorithms if name not in _HASHES]
        if unknown or not algorithms:
            raise ValueError(f"digest algorithms are {', '.join(ALGORITHMS)}, not {unknown or 'none'}")
        self._algorithms = algorithms
        key = hmac.new(secret, f"nonces of run {run}".encode(), "sha256").digest()
        self._nonces = Nonces(key, nonce_lifetime_s, nonces)
        self._nobody = hmac.new(key, b"nobody", "sha256").hexdigest()

    @property
    def remembered(self) -> int:
        """How many nonces are counted at the moment."""
        return self._nonces.remembered

    def challenges(self, realm: str, source: str, now: float, stale: bool = False) -> list[str]:
        """WWW-Authenticate values for a peer at the address `source`, the preferred one first."""
        nonce = self._nonces.mint(realm, source, now)
        again = ", stale=true" if stale else ""
        return [
            f'Digest realm={quote(realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{again}'
            for algorithm in self._algorithms
        ]

    def check(self, credentials: str, asked: Asked, ha1: Callable[[str, str, str], str | None], now: float) -> Verdict:
        """Whether an Authorization value proves its user; `ha1(username, realm, algorithm)` gives the secret."""
        try:
            given = parse_credentials(credentials)
        except ValueError as error:
            return Refused(str(error))
        problem = self._problem(given, asked)
        if problem:
            return Refused(problem)
        algorithm = given.get("algorithm", "MD5").upper()
        secret = ha1(given["username"], given["realm"], algorithm)
        expected = _response(algorithm, secret or self._nobody, asked.method, given)
        right = hmac.compare_digest(expected.encode(), to_wire(given["response"].lower()))
        if secret is None or not right:
            return Refused("wrong password" if secret else "no such user")
        number = self._nonces.number(given["nonce"], given["realm"], asked.source, now)
        if number is None:
            return Stale()
        use = Use(number, int(given["nc"], 16))
        return Verified(given["username"], given["realm"], use) if self._nonces.use(use, now) else Stale()

    def give_back(self, use: Use) -> None:
        """The request was not served, and the peer will repeat it as it was."""
        self._nonces.give_back(use)

    def _problem(self, given: dict[str, str], asked: Asked) -> str:
        missing = [name for name in _REQUIRED if name not in given]
        if missing:
            return f"without {missing[0]}"
        if given["qop"] != "auth":
            return "only qop=auth is served"
        if given.get("userhash", "false").lower() != "false":
            return "hashed user names are not served"
        if given.get("algorithm", "MD5").upper() not in self._algorithms:
            return "an algorithm that was not offered"
        if len(given["nc"]) != _COUNT_HEX or not set(given["nc"]) <= _HEX:
            return "a malformed nonce count"
        uri = given["uri"]
        # SIPp always names the server that it talks to. That weakens nobody else: each count is good only once.
        if uri != asked.uri and not same_resource(uri, asked.uri) and not names_a_server(uri):
            return "made for another Request-URI"
        return ""


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
