"""Sealing small secrets with AES-256-GCM; implements `domain.ports.Sealer`."""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_PREFIX = "s1."
"""Names the format, so that a later one can be told apart."""


class AesSealer:
    """`context` binds a ciphertext to what it is about: it opens with the same context only."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: str, context: str = "") -> str:
        """Base64url of nonce and ciphertext, without white space or padding."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._aead.encrypt(nonce, plain.encode(), context.encode())
        return _PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def unseal(self, sealed: str, context: str = "") -> str:
        """The plain text. Raises ValueError if it was not sealed with this key and context."""
        if not sealed.startswith(_PREFIX):
            raise ValueError("not sealed by this installation: unknown format")
        body = sealed.removeprefix(_PREFIX)
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            plain = self._aead.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
        except (binascii.Error, InvalidTag, ValueError):
            raise ValueError("not sealed by this installation, or altered since") from None
        return plain.decode()
