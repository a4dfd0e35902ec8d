"""The certificate that media handshakes show (RFC 5763): made when a process starts, named by its hash in the SDP.

What may live here: making one. The key comes from the operating system's randomness; nothing is kept.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LIFETIME = dt.timedelta(days=30)
"""Nobody has to look at it: the hash in the SDP is what counts (RFC 8122 section 6.2). Some look all the same."""
_CLOCK_ERROR = dt.timedelta(days=1)


class Certificate(NamedTuple):
    """A certificate and its private key, both PEM, and what `a=fingerprint` says of it."""

    certificate: bytes
    key: bytes
    fingerprint: str


def self_signed(now: dt.datetime) -> Certificate:
    """A new key on P-256, which every WebRTC stack must know (RFC 8827 section 6.5), and its certificate from `now` on.

    Its name says nothing, not even whose it is: it goes over the wire in the clear.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{serial:x}"[:16])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _CLOCK_ERROR)
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fingerprint = f"sha-256 {certificate.fingerprint(hashes.SHA256()).hex(':').upper()}"
    return Certificate(certificate.public_bytes(serialization.Encoding.PEM), private, fingerprint)
