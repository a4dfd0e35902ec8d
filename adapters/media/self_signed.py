"""Making the certificates that media handshakes show.

What may live here: that, and nothing that others of our media load: the library takes its time.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

from adapters.media.certificate import Certificate

# The order of P-256 (FIPS 186-4 D.1.2.3). Of 384 bits modulo it every key is as likely as any other.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_WIDE_BYTES = 48
_YEARS = 2


def self_signed(secret: bytes, year: int) -> Certificate:
    """The certificate of a year: of P-256, which every WebRTC stack must know (RFC 8827 section 6.5), good for two.

    Its name says nothing, not even whose it is: it goes over the wire in the clear.
    """
    wide = _derived(secret, b"media certificate key", year, _WIDE_BYTES)
    key = ec.derive_private_key(1 + int.from_bytes(wide, "big") % (_ORDER - 1), ec.SECP256R1())
    serial = int.from_bytes(_derived(secret, b"media certificate serial", year, 16), "big") | 1
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{serial:032x}"[:16])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(dt.datetime(year, 1, 1, tzinfo=dt.UTC) - dt.timedelta(days=1))
        .not_valid_after(dt.datetime(year + _YEARS, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fingerprint = f"sha-256 {certificate.fingerprint(hashes.SHA256()).hex(':').upper()}"
    return Certificate(certificate.public_bytes(serialization.Encoding.PEM), private, fingerprint)


def _derived(secret: bytes, purpose: bytes, year: int, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, None, purpose + b" %d" % year).derive(secret)
