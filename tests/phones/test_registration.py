"""Both makers answer SHA-256 when it is offered before MD5, over every transport, and ask no DNS."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.phones.factory import Phones
from tests.phones.registrar import Registrar

pytestmark = pytest.mark.asyncio

MAKERS = pytest.mark.parametrize("kind", ["pjsua", "baresip"])


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context for 127.0.0.1; its certificate, `cert.pem`, is its own CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    addresses: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.DNSName("127.0.0.1"),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@MAKERS
async def test_registers_by_sha_256_over_udp(phones: Phones, kind: str) -> None:
    registrar = Registrar("secret")
    async with registrar.over_datagrams() as proxy:
        phone = await phones(kind, "1001", "secret", "acme.example", proxy=proxy)
        await phone.registered()
        assert registrar.algorithms == ["SHA-256"]
        await phone.stop()


@MAKERS
@pytest.mark.parametrize("how", ["tcp", "tls", "tls-verified"])
async def test_registers_by_sha_256_over_a_stream(phones: Phones, kind: str, how: str, tmp_path: Path) -> None:
    registrar = Registrar("secret")
    transport = how.removesuffix("-verified")
    tls = self_signed(tmp_path) if transport == "tls" else None
    ca = str(tmp_path / "cert.pem") if how == "tls-verified" else None
    async with registrar.over_stream(tls) as proxy:
        phone = await phones(kind, "1001", "secret", "acme.example", proxy=proxy, transport=transport, tls_ca=ca)
        await phone.registered()
        assert registrar.algorithms == ["SHA-256"]
        await phone.stop()


@MAKERS
async def test_a_phone_that_verifies_refuses_a_stranger(phones: Phones, kind: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    self_signed(tmp_path / "other")
    registrar = Registrar("secret")
    async with registrar.over_stream(self_signed(tmp_path)) as proxy:
        ca = str(tmp_path / "other" / "cert.pem")
        phone = await phones(kind, "1001", "secret", "acme.example", proxy=proxy, transport="tls", tls_ca=ca)
        assert (await phone.registration()).status != 200
        assert registrar.algorithms == []
        await phone.stop()


@MAKERS
async def test_a_wrong_password_is_told(phones: Phones, kind: str) -> None:
    registrar = Registrar("secret")
    async with registrar.over_datagrams() as proxy:
        phone = await phones(kind, "1001", "wrong", "acme.example", proxy=proxy)
        assert (await phone.registration()).status == 403
        await phone.stop()
