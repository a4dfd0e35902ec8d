"""The server's TLS identity: made once, whole or not at all, and refused in one line."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from switchlog.tls.certificate import CertificateError, client_context, self_signed, server_context

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def made(folder: Path) -> tuple[Path, Path]:
    return self_signed(folder, NOW, ("localhost", "127.0.0.1", "::1"))


def test_it_names_its_hosts_and_is_kept(tmp_path: Path) -> None:
    cert, key = made(tmp_path)
    server_context(cert, key)
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert found.not_valid_before_utc < NOW < found.not_valid_after_utc
    assert key.stat().st_mode & 0o077 == 0
    before = cert.read_bytes(), key.read_bytes()
    made(tmp_path)
    assert (cert.read_bytes(), key.read_bytes()) == before


@pytest.mark.parametrize("lost", ["tls.crt", "tls.key"])
def test_half_a_pair_is_made_again(tmp_path: Path, lost: str) -> None:
    made(tmp_path)
    (tmp_path / lost).unlink()
    server_context(*made(tmp_path))


def test_a_draft_of_a_start_that_was_killed_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "tls.key.new").write_text("half")
    cert, key = made(tmp_path)
    server_context(cert, key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tls.crt", "tls.key"]


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"tls\.crt cannot be made: No such file"):
        made(tmp_path / "gone")


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    cert, key = made(tmp_path)
    with pytest.raises(CertificateError, match="No such file or directory; give a chain and its key"):
        server_context(tmp_path / "none.pem", key)
    with pytest.raises(CertificateError, match="not PEM, or not a pair"):
        server_context(key, cert)
    (tmp_path / "other").mkdir()
    with pytest.raises(CertificateError, match="not PEM, or not a pair"):
        server_context(cert, made(tmp_path / "other")[1])


def test_a_key_with_a_password_is_refused_without_asking(tmp_path: Path) -> None:
    cert, key = made(tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"open sesame"),
        )
    )
    with pytest.raises(CertificateError, match="password"):
        server_context(cert, locked)


@pytest.mark.parametrize("side", ["server", "client"])
def test_authorities_that_cannot_be_used(tmp_path: Path, side: str) -> None:
    cert, key = made(tmp_path)

    def context(ca: Path) -> ssl.SSLContext:
        return server_context(cert, key, ca, "required") if side == "server" else client_context(None, None, ca)

    context(cert)  # it is its own authority
    with pytest.raises(CertificateError, match="No such file or directory; give their certificates"):
        context(tmp_path / "none.pem")
    with pytest.raises(CertificateError, match="not PEM"):
        context(key)
