"""SRTP and SRTCP a second time, built on `cryptography` from the words of RFC 3711, 6188 and 7714.

The vectors of those RFCs are of session keys, which libsrtp hides: they check this, and this checks libsrtp.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

RTP, RTCP = 0, 3
"""the first of the three labels of each (RFC 3711 section 4.3)"""


class Session(NamedTuple):
    """Session keys of one direction, of RTP or of RTCP."""

    cipher: bytes
    auth: bytes
    salt: bytes


def keystream(key: bytes, block: int, length: int) -> bytes:
    """AES in counter mode from this block on (RFC 3711 section 4.1.1)."""
    return Cipher(AES(key), CTR(block.to_bytes(16, "big"))).encryptor().update(bytes(length))


def derived(master_key: bytes, master_salt: bytes, label: int, length: int) -> bytes:
    """A session key, without derivation rate (RFC 3711 section 4.3.1; a salt of 96 bits as RFC 7714 section 11)."""
    salt = int.from_bytes(master_salt.ljust(14, b"\0"), "big")
    return keystream(master_key, (salt ^ label << 48) << 16, length)


def session(keying: bytes, key_bytes: int, labels: int) -> Session:
    key, salt = keying[:key_bytes], keying[key_bytes:]
    cipher, auth, session_salt = ((key_bytes, 0), (20, 1), (len(salt), 2))
    return Session(*(derived(key, salt, labels + label, length) for length, label in (cipher, auth, session_salt)))


def counter_mode(keys: Session, ssrc: bytes, index: int, clear: bytes) -> bytes:
    """A payload, encrypted or decrypted."""
    block = (int.from_bytes(keys.salt, "big") << 16) ^ int.from_bytes(ssrc, "big") << 64 ^ index << 16
    stream = keystream(keys.cipher, block, len(clear))
    return bytes(a ^ b for a, b in zip(clear, stream, strict=True))


def tag(keys: Session, authenticated: bytes, length: int) -> bytes:
    return hmac.digest(keys.auth, authenticated, "sha1")[:length]


def srtp(keys: Session, packet: bytes, rollover: int, tag_bytes: int) -> bytes:
    """HMAC-SHA1 suites, a header of 12 bytes (RFC 3711 section 3.1)."""
    index = rollover << 16 | int.from_bytes(packet[2:4], "big")
    wire = packet[:12] + counter_mode(keys, packet[8:12], index, packet[12:])
    return wire + tag(keys, wire + rollover.to_bytes(4, "big"), tag_bytes)


def srtcp(keys: Session, packet: bytes, index: int) -> bytes:
    """HMAC-SHA1 suites (RFC 3711 section 3.4)."""
    wire = packet[:8] + counter_mode(keys, packet[4:8], index, packet[8:]) + (1 << 31 | index).to_bytes(4, "big")
    return wire + tag(keys, wire, 10)


def srtp_aead(keys: Session, packet: bytes, rollover: int) -> bytes:
    """AES-GCM, a header of 12 bytes (RFC 7714 section 8.1)."""
    vector = b"\0\0" + packet[8:12] + rollover.to_bytes(4, "big") + packet[2:4]
    return packet[:12] + AESGCM(keys.cipher).encrypt(_salted(vector, keys), packet[12:], packet[:12])


def srtcp_aead(keys: Session, packet: bytes, index: int) -> bytes:
    """AES-GCM (RFC 7714 section 9.1)."""
    word = (1 << 31 | index).to_bytes(4, "big")
    vector = b"\0\0" + packet[4:8] + b"\0\0" + index.to_bytes(4, "big")
    return packet[:8] + AESGCM(keys.cipher).encrypt(_salted(vector, keys), packet[8:], packet[:8] + word) + word


def _salted(vector: bytes, keys: Session) -> bytes:
    return bytes(a ^ b for a, b in zip(vector, keys.salt, strict=True))
