"""DTLS-SRTP of one leg (RFC 5763, 5764): datagrams in, datagrams and timers out, at last the keys.

What may live here: whose handshake it is, and whether the peer is who the SDP said. The handshake itself is OpenSSL's.
No sockets and no clock: time is an argument, monotonic and in seconds. But OpenSSL looks at a clock of its own when a
flight is to be repeated; `now` should go as fast as that.

A step takes up to half a millisecond of CPU, which is some two hundred packets: a worker does it between its ticks, one
datagram at a time while there is time left (docs/decisions/0060-encrypted-media.md).
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from OpenSSL.crypto import X509

from media import dtls_record
from media.libsrtp import SUITES
from media.wire import Dtls, Sdes

Address = tuple[str, int]

DEADLINE_S = 30.0
"""from its beginning until a leg without keys has failed"""
STALLED_S = 5.0
"""after which a stranger's handshake that did not end is forgotten; where the peer is expected, twice that"""
STRANGERS_LIMIT = 4
"""handshakes at a time that come from elsewhere than the party said; packets of a NAT's inside do"""
MTU = 1200
"""bytes of a datagram of ours, below what every path carries"""

_OUTBOX_LIMIT = 64
_DTLS_1_2 = 0xFEFD
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
_EXPORTER = b"EXTRACTOR-dtls_srtp"  # RFC 5764 section 4.2
_PROFILES = {
    b"SRTP_AEAD_AES_128_GCM": "AEAD_AES_128_GCM",
    b"SRTP_AEAD_AES_256_GCM": "AEAD_AES_256_GCM",
    b"SRTP_AES128_CM_SHA1_80": "AES_CM_128_HMAC_SHA1_80",
    b"SRTP_AES128_CM_SHA1_32": "AES_CM_128_HMAC_SHA1_32",
}
"""as OpenSSL names them, the first preferred: AES-GCM is the cheaper one"""
_HASHES = {"sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
_HEX = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})*", re.IGNORECASE)


class DtlsError(ValueError):
    """What a leg was given makes no handshake: whoever put the context is at fault, the text says in what."""


class DtlsSrtp:
    """The handshakes of one leg, of which one wins: the first whose certificate is the one that the SDP named.

    Who begins is settled there too (RFC 4145, 8842). If we do, it is with `remote`, and nobody else is heard. If the
    peer does, `remote` is where it is expected, but a NAT may show another place: some strangers may try as well, and
    none of them keeps the peer from coming through. Of one thread.
    """

    def __init__(self, wanted: Dtls, remote: Address | None, now: float) -> None:
        """Raises DtlsError."""
        self.keys: Sdes | None = None
        """once the handshake is over"""
        self.source: Address | None = None
        """where the peer is, once that is proved"""
        self.failure = ""
        """why there will be no keys"""
        self.refused = ""
        """why the last handshake that failed did: not yet the leg's failure, since anybody can begin one"""
        self.ignored = 0
        """datagrams that are no DTLS, or of nobody who may speak"""
        self._active, self._remote = wanted.active, remote
        self._fingerprint = wanted.fingerprint
        _Fingerprint(wanted.fingerprint)
        self._context = _context(wanted.certificate, wanted.key)
        self._deadline = now + DEADLINE_S
        self._outbox: deque[tuple[bytes, Address]] = deque(maxlen=_OUTBOX_LIMIT)
        self._associations: dict[Address, _Association] = {}
        if self._active:
            if remote is None:
                raise DtlsError("we are to begin the handshake, but the party said no address")
            self._step(remote, self._begin(remote, now), b"", now)

    def receive(self, datagram: bytes, source: Address, now: float) -> None:
        """Take a datagram that `demux` calls DTLS."""
        if self.failure or not dtls_record.is_sound(datagram):
            self.ignored += 1
            return
        association = self._associations.get(source)
        if association is None:
            if not self._may_begin(source) or not dtls_record.is_client_hello(datagram):
                self.ignored += 1
                return
            association = self._begin(source, now)
        self._step(source, association, datagram, now)

    def to_send(self) -> list[tuple[bytes, Address]]:
        """The datagrams that are due, each with its destination; asked for after every other call."""
        waiting = list(self._outbox)
        self._outbox.clear()
        return waiting

    def timer(self) -> float | None:
        """When `on_timer` is to be called next."""
        if self.failure or not (self._associations or self.keys is None):
            return None
        times = [self._deadline, *(each.due for each in self._associations.values() if each.due is not None)]
        if not (self.keys or self._active):
            times += [each.began + self._patience_s(source) for source, each in self._associations.items()]
        return min(times)

    def on_timer(self, now: float) -> None:
        """Repeat what was not answered, forget who stalled, give up in the end.

        What won is kept until the deadline too: the peer may have lost our last flight, and ask for it again.
        """
        if now >= self._deadline:
            self._associations.clear()
            if self.keys is None:
                self.failure = self.failure or self.refused or "no handshake came to an end"
        for source, association in list(self._associations.items()):
            if not (self.keys or self._active) and now >= association.began + self._patience_s(source):
                self.refused = f"{source[0]}:{source[1]}: the handshake came to no end"
                del self._associations[source]
            elif association.due is not None and now >= association.due:
                self._step(source, association, None, now)

    def _patience_s(self, source: Address) -> float:
        """Also where the peer is expected somebody else may have begun, under its address."""
        return 2 * STALLED_S if source == self._remote else STALLED_S

    def _may_begin(self, source: Address) -> bool:
        if self._active or self.keys:
            return False
        return source == self._remote or len(self._associations.keys() - {self._remote}) < STRANGERS_LIMIT

    def _begin(self, source: Address, now: float) -> _Association:
        association = _Association(self._context, self._active, self._fingerprint, now)
        self._associations[source] = association
        return association

    def _step(self, source: Address, association: _Association, datagram: bytes | None, now: float) -> None:
        """Feed one datagram, or none to begin, or None for its timer; and see what has come of it."""
        try:
            association.step(datagram, now)
        except _HandshakeError as error:
            self.refused = f"{source[0]}:{source[1]}: {error}"
            self._associations.pop(source, None)
            if self._active:
                self.failure = self.refused
        self._outbox.extend((each, source) for each in association.output())
        if association.keys and self.keys is None:
            self.keys, self.source = association.keys, source
            self._associations = {source: association}
            self._deadline = now + DEADLINE_S


class _HandshakeError(Exception):
    """The peer's handshake is none that we can accept."""


class _Fingerprint:
    """A certificate's hash, as `a=fingerprint` has it (RFC 8122 section 5), and what was found instead of it.

    It does not know its connection, which knows it: neither must wait for a garbage collector that may be off.
    """

    def __init__(self, text: str) -> None:
        """Raises DtlsError."""
        name, _, value = text.strip().partition(" ")
        self.name, self.value = name.lower(), value.strip().upper()
        self.mismatch = ""
        if self.name not in _HASHES:
            raise DtlsError(f"the fingerprint's hash {name[:20]!r} is none of {', '.join(_HASHES)}")
        if not _HEX.fullmatch(self.value):
            raise DtlsError("the fingerprint is not made of pairs of hexadecimal digits with colons between them")
        if (len(self.value) + 1) // 3 != hashlib.new(_HASHES[self.name]).digest_size:
            raise DtlsError(f"a fingerprint of {(len(self.value) + 1) // 3} bytes is none of {self.name}")

    def verified(self, _: SSL.Connection, certificate: X509, error: int, depth: int, trusted: int) -> bool:
        """The hash alone decides: such certificates sign themselves, and their dates mean nothing (RFC 8122 6.2)."""
        if depth > 0:
            return True
        found = certificate.digest(_HASHES[self.name]).decode()
        if found != self.value:
            self.mismatch = f"the certificate's {self.name} is {found}, not as in the SDP"
        return not self.mismatch


class _Association:
    """One handshake with one address."""

    def __init__(self, context: SSL.Context, active: bool, fingerprint: str, now: float) -> None:
        self.began = now
        self.due: float | None = None
        self.keys: Sdes | None = None
        self._active, self._expected = active, _Fingerprint(fingerprint)
        self._ssl = SSL.Connection(context, None)
        self._ssl.set_ciphertext_mtu(MTU)
        self._ssl.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._expected.verified)
        if active:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def step(self, datagram: bytes | None, now: float) -> None:
        """Raises _HandshakeError."""
        try:
            if datagram is None:
                self._ssl.DTLSv1_handle_timeout()
            elif datagram:
                self._ssl.bio_write(datagram)
            if self.keys is None:
                self._ssl.do_handshake()
                self.keys = self._exported()
            else:
                # The peer may ask again for a last flight that was lost; data has no meaning here.
                while self._ssl.recv(dtls_record.LONGEST_MESSAGE):
                    continue
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            if self.keys is None:
                raise _HandshakeError(self._expected.mismatch or _reason(error)) from None
        remaining_s = self._ssl.DTLSv1_get_timeout()
        self.due = None if remaining_s is None or self.keys else now + remaining_s

    def output(self) -> list[bytes]:
        try:
            stream = self._ssl.bio_read(1 << 16)
        except SSL.Error:
            return []
        return dtls_record.datagrams(stream, MTU)

    def _exported(self) -> Sdes:
        suite = SUITES.get(_PROFILES.get(self._ssl.get_selected_srtp_profile(), ""))
        if suite is None:
            raise _HandshakeError("the handshake agreed on no SRTP profile")
        key, salt = suite.key_bytes, suite.salt_bytes
        material = self._ssl.export_keying_material(_EXPORTER, 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        return Sdes(suite.name, client, server) if self._active else Sdes(suite.name, server, client)


@lru_cache(maxsize=4)
def _context(certificate: bytes, key: bytes) -> SSL.Context:
    """What all legs of one certificate share; making it takes longer than a step. Raises DtlsError."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_min_proto_version(_DTLS_1_2)
    context.set_cipher_list(_CIPHERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_tlsext_use_srtp(b":".join(_PROFILES))
    try:
        private = load_pem_private_key(key, None)
        if not isinstance(private, (EllipticCurvePrivateKey, RSAPrivateKey)):
            raise DtlsError("our key is neither of an elliptic curve nor RSA")
        context.use_certificate(load_pem_x509_certificate(certificate))
        context.use_privatekey(private)
        context.check_privatekey()
    except (ValueError, TypeError, SSL.Error) as error:
        raise DtlsError(f"our certificate and key cannot be used: {error}") from None
    return context


def _reason(error: SSL.Error) -> str:
    """The innermost words of OpenSSL."""
    found = error.args[0] if error.args else ()
    return str(found[-1][-1]) if isinstance(found, list) and found else str(error) or type(error).__name__
