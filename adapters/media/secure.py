"""How a stream is encrypted: with keys from its description (SDES, RFC 4568), of a handshake (RFC 5763), or not at all.

What may live here: which of them an offer asks for, our attributes for it, and what both sides' came to. Keys are made
of chance that is an argument, and sealed where they stand in a description of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from adapters.media import crypto, handshake
from adapters.media.certificate import Certificate, UnknownCertificateError
from adapters.media.crypto import Chance, CryptoError
from adapters.media.description import CRYPTO, FINGERPRINT, SETUP, TLS_ID, Description, NoCommonMedia
from adapters.media.handshake import HandshakeError
from media.wire import Dtls, Sdes

_PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
_KEYED = frozenset({"RTP/SAVP", "RTP/SAVPF"})
_SHAKEN = frozenset({"UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"})

Shown = Callable[[str], Certificate]
"""Our certificate that a description names by this fingerprint. Raises UnknownCertificateError."""


def nothing_shown(named: str) -> Certificate:
    """For those who make no handshake."""
    raise UnknownCertificateError(f"there is no certificate here, and none that is {named}")


class Means(NamedTuple):
    """What our side has: how keys are sealed, chance, and the certificate for what begins now."""

    seal: Callable[[str], str]
    chance: Chance
    certificate: Callable[[], Certificate]


def lacks(offered: Description) -> str:
    """Why we cannot encrypt as an offer demands; empty if we can, or need not."""
    if offered.profile in _PLAIN:
        return ""
    if offered.profile not in _KEYED | _SHAKEN:
        return f"{offered.profile} is not known here"
    try:
        if _shakes(offered):
            handshake.agree(handshake.setup_answer(offered.setup), offered.setup, offered.fingerprints)
        else:
            crypto.choose(offered.crypto)
    except (CryptoError, HandshakeError) as error:
        return str(error)
    return ""


def attributes(offered: Description, before: Description | None, means: Means) -> list[str]:
    """Our lines for an offer that `lacks` nothing; `before` is what we said last in this session.

    The same key as before for the same suite: what was sent with it may still be on the way. The same certificate as
    before, or a change of the year would be a change of the handshake (RFC 8842 section 3.1).
    """
    if _shakes(offered):
        named = (
            before.fingerprints[0] if before is not None and before.fingerprints else means.certificate().fingerprint
        )
        said = before.setup if before is not None and before.fingerprints else ""
        lines = [f"{SETUP}{handshake.setup_answer(offered.setup, said)}", f"{FINGERPRINT}{named}"]
        return [*lines, f"{TLS_ID}{_answered(offered.tls_id)}"] if offered.tls_id else lines
    chosen = _chosen(offered)
    if chosen is None:
        return []
    former = crypto.readable(before.crypto if before is not None else ())
    key = next((one.key for one in former if one.suite == chosen.suite), "")
    return [f"{CRYPTO}{chosen._replace(key=key or means.seal(crypto.new_key(chosen.suite, means.chance)))}"]


def keys_offered(means: Means) -> list[str]:
    """Our lines for a stream that we offer encrypted: a key of each suite."""
    return [f"{CRYPTO}{one._replace(key=means.seal(one.key))}" for one in crypto.offer(means.chance)]


def renewed(line: str) -> str:
    """A line of ours that a stream keeps where its end is another one: there the handshake is another one too."""
    return f"{TLS_ID}{_answered(line)}" if line.startswith(TLS_ID) else line


def agreed(ours: Description, theirs: Description, shown: Shown) -> Sdes | Dtls | None:
    """What both sides' lines came to, whoever offered; keys are bare. Raises NoCommonMedia."""
    try:
        if ours.fingerprints:
            active, fingerprint = handshake.agree(ours.setup, theirs.setup, theirs.fingerprints)
            own = shown(ours.fingerprints[0])
            return Dtls(active, fingerprint, own.certificate, own.key, association=theirs.tls_id)
        if ours.crypto:
            return Sdes(*crypto.agree(ours.crypto, theirs.crypto))
    except (CryptoError, HandshakeError, UnknownCertificateError) as error:
        raise NoCommonMedia(f"no keys for SRTP: {error}") from None
    return None


def _shakes(offered: Description) -> bool:
    """Keys that are there already are taken before a handshake for some (RFC 5763 section 6.10 leaves it to us)."""
    if offered.profile in _SHAKEN:
        return True
    return offered.profile in _KEYED and not offered.crypto and bool(offered.fingerprints)


def _chosen(offered: Description) -> crypto.Crypto | None:
    """The offer's key that is taken. In a stream that may be plain a key is a wish, and a bad one no fault."""
    try:
        return crypto.choose(offered.crypto)
    except CryptoError:
        return None


def _answered(tls_id: str) -> str:
    """Ours is another whenever the peer's is, which asks for a new handshake so (RFC 8842 section 5.3)."""
    return sha256(f"answer to {tls_id}".encode()).hexdigest()
