"""The certificates that media handshakes show: the same wherever and whenever they are made again."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from adapters.media.certificate import Certificates, UnknownCertificateError
from adapters.media.self_signed import self_signed

SECRET = b"s" * 32
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_it_is_of_p_256_signed_by_itself_and_good_for_the_year_and_the_next() -> None:
    made = self_signed(SECRET, 2026)
    certificate = x509.load_pem_x509_certificate(made.certificate)
    key = load_pem_private_key(made.key, None)
    assert isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1)
    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    assert certificate.public_key().public_bytes(*spki) == key.public_key().public_bytes(*spki)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.not_valid_before_utc == dt.datetime(2025, 12, 31, tzinfo=dt.UTC)
    assert certificate.not_valid_after_utc == dt.datetime(2028, 1, 1, tzinfo=dt.UTC)


def test_its_fingerprint_is_the_hash_of_what_goes_over_the_wire() -> None:
    made = self_signed(SECRET, 2026)
    name, value = made.fingerprint.split(" ")
    assert name == "sha-256"
    der = ssl.PEM_cert_to_DER_cert(made.certificate.decode())
    assert value == hashlib.sha256(der).digest().hex(":").upper()


def test_it_follows_from_the_secret_and_the_year_alone() -> None:
    assert Certificates(SECRET).current(NOW) == Certificates(SECRET).current(NOW.replace(month=12))
    others = [self_signed(SECRET, 2026), self_signed(SECRET, 2027), self_signed(b"t" * 32, 2026)]
    for field in ("certificate", "key", "fingerprint"):
        assert len({getattr(each, field) for each in others}) == 3
    names = [x509.load_pem_x509_certificate(each.certificate).subject for each in others]
    (name,) = names[0].get_attributes_for_oid(NameOID.COMMON_NAME)
    assert set(str(name.value)) <= set("0123456789abcdef") and len(set(names)) == 3


def test_that_of_a_call_is_found_after_new_year_and_one_that_is_over_is_not() -> None:
    certificates = Certificates(SECRET)
    eve = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)
    before = certificates.current(eve)
    after = eve + dt.timedelta(minutes=2)
    assert certificates.current(after) != before
    assert certificates.shown(before.fingerprint, after) == before
    assert certificates.shown(certificates.current(after).fingerprint, after) == certificates.current(after)
    assert certificates.shown(certificates.current(after).fingerprint, eve) == certificates.current(after)
    with pytest.raises(UnknownCertificateError):
        certificates.shown(before.fingerprint, after.replace(year=2028))
    with pytest.raises(UnknownCertificateError):
        certificates.shown("sha-256 AA", NOW)
