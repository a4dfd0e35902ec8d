"""The server's TLS identity: what the settings name, or a self-signed certificate made at the first start."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from pathlib import Path


class CertificateError(Exception):
    """The server's certificate cannot be used or made; one line that says why and what to do."""


_CLIENT = {"off": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def server_context(cert: Path, key: Path, ca: Path | None = None, client: str = "off") -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain. Raises CertificateError when the files cannot be used.

    `client` is `off`, `optional` or `required`: whether peers' certificates are asked for and checked against `ca`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _identify(context, cert, key)
    if ca is not None:
        _trust(context, ca)
    context.verify_mode = _CLIENT[client]
    return context


def client_context(cert: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext:
    """For connections that we open: peers are checked against `ca`, or the system's authorities if it is None.

    We show our certificate if we are asked for it. Raises CertificateError.
    """
    context = ssl.create_default_context() if ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        _trust(context, ca)
    if cert is not None and key is not None:
        _identify(context, cert, key)
    return context


def _identify(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = "not PEM, or not a pair" if isinstance(error, ssl.SSLError) else _reason(error)
        raise CertificateError(
            f"TLS cannot use certificate {cert} with key {key}: {reason}; give a chain and its key, without password"
        ) from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError) as error:
        reason = "not PEM" if isinstance(error, ssl.SSLError) else _reason(error)
        raise CertificateError(f"TLS cannot use the authorities in {ca}: {reason}; give their certificates") from error


def _no_password() -> str:
    """Instead of OpenSSL asking at the terminal."""
    raise ValueError("the key has a password")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def self_signed(folder: Path, now: dt.datetime, hosts: tuple[str, ...]) -> tuple[Path, Path]:
    """`tls.crt` and `tls.key` in `folder`, made if they are not there yet. Raises CertificateError."""
    cert_path, key_path = folder / "tls.crt", folder / "tls.key"
    if cert_path.exists() and key_path.exists():
        return cert_path, key_path
    from switchlog.tls.self_signed import made  # its library is slow to load, and needed once

    certificate, private = made(now, hosts)
    try:
        _write(key_path, private, 0o600)
        _write(cert_path, certificate, 0o644)
    except OSError as error:
        raise CertificateError(f"the certificate {cert_path} cannot be made: {_reason(error)}") from error
    return cert_path, key_path


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all: a crash must not leave a file that stops every later start."""
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
