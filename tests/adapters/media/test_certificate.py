"""The certificate that media handshakes show."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from adapters.media.certificate import LIFETIME, self_signed

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_it_is_of_p_256_signed_by_itself_and_good_for_its_time() -> None:
    made = self_signed(NOW)
    certificate = x509.load_pem_x509_certificate(made.certificate)
    key = load_pem_private_key(made.key, None)
    assert isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    assert certificate.public_key().public_bytes(*spki) == key.public_key().public_bytes(*spki)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc < NOW - dt.timedelta(hours=1)
    assert certificate.not_valid_after_utc == NOW + LIFETIME


def test_its_fingerprint_is_the_hash_of_what_goes_over_the_wire() -> None:
    made = self_signed(NOW)
    name, value = made.fingerprint.split(" ")
    assert name == "sha-256"
    assert (
        bytes.fromhex(value.replace(":", ""))
        == hashlib.sha256(ssl.PEM_cert_to_DER_cert(made.certificate.decode())).digest()
    )
    assert value == value.upper()


def test_no_two_are_alike_and_none_says_whose_it_is() -> None:
    first, second = self_signed(NOW), self_signed(NOW)
    assert first.fingerprint != second.fingerprint and first.key != second.key
    (name,) = x509.load_pem_x509_certificate(first.certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert set(str(name.value)) <= set("0123456789abcdef")
