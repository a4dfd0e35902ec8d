"""Recordings at rest under a key: chunks of PCM, each sealed by AES-256-GCM, in a file that only grows.

What may live here: the form of the file. No files, no chance: nonces come from outside.

A head names the sound's format and a salt, from which the file's own key is derived (HKDF-SHA256, RFC 5869). Chunks of
one length follow, about a second each: a nonce of 12 bytes, the ciphertext, a tag of 16. Head, number, and whether the
chunk is the last one are associated data, so chunks can be neither moved nor left out, and a file that was cut is known
to be. All chunks but the last are whole; the last is shorter than a whole one, often empty. What is served is a WAV
whose head is made from the length, so that any part of it is read from the chunks that hold it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from media.track import HEAD_BYTES, Track, head

KEY_BYTES = 32
SALT_BYTES = 32
NONCE_BYTES = 12
OVERHEAD_BYTES = NONCE_BYTES + 16
MAGIC = b"SWLREC1\n"
MOST_CHUNK_BYTES = 1 << 20

_HEAD = struct.Struct("<8s32sIII16s")
SEALED_HEAD_BYTES = _HEAD.size
_CHECK_BYTES = 16


class SealedError(ValueError):
    """The file cannot be opened; the text says whether the key or the file is at fault."""


class Form(NamedTuple):
    """What the head says: the sound, and how many bytes of it are in a chunk."""

    salt: bytes
    track: Track
    chunk_bytes: int

    @classmethod
    def of(cls, salt: bytes, track: Track) -> Self:
        """With chunks of a second."""
        return cls(salt, track, track.width_bytes * track.clock_rate_hz)

    @property
    def stored_bytes(self) -> int:
        """Of a whole chunk in the file."""
        return self.chunk_bytes + OVERHEAD_BYTES


class Sealing:
    """A file's head and the sealing of its chunks."""

    def __init__(self, key: bytes, form: Form) -> None:
        """Raises SealedError for a key of another length than 32 bytes."""
        if len(key) != KEY_BYTES:
            raise SealedError(f"a key of {len(key)} bytes is none of {KEY_BYTES}")
        self.form = form
        derived = HKDF(SHA256(), KEY_BYTES + _CHECK_BYTES, form.salt, b"switchlog recording").derive(key)
        self._aead = AESGCM(derived[:KEY_BYTES])
        check = derived[KEY_BYTES:]
        self.head = _HEAD.pack(MAGIC, form.salt, *form.track, form.chunk_bytes, check)

    @classmethod
    def opening(cls, key: bytes, start: bytes) -> Self:
        """Of a file that begins so. Raises SealedError."""
        if len(start) < SEALED_HEAD_BYTES or start[: len(MAGIC)] != MAGIC:
            raise SealedError("it does not begin as a sealed recording does")
        _, salt, rate, channels, chunk_bytes, _ = _HEAD.unpack_from(start)
        if not (1 <= channels <= 2 and rate > 0 and 0 < chunk_bytes <= MOST_CHUNK_BYTES and not chunk_bytes % 2):
            raise SealedError("its head makes no sense")
        found = cls(key, Form(salt, Track(rate, channels), chunk_bytes))
        if found.head != start[:SEALED_HEAD_BYTES]:
            raise SealedError("it was sealed with another key, or its head was altered")
        return found

    def seal(self, number: int, plain: bytes | memoryview, nonce: bytes, last: bool = False) -> bytes:
        """A chunk as it is stored. A nonce of random bytes, never used twice."""
        return nonce + self._aead.encrypt(nonce, plain, self._about(number, last))

    def unseal(self, number: int, stored: bytes, last: bool = False) -> bytes:
        """Raises SealedError."""
        nonce, body = stored[:NONCE_BYTES], stored[NONCE_BYTES:]
        try:
            return self._aead.decrypt(nonce, body, self._about(number, last))
        except (InvalidTag, ValueError):
            raise SealedError(f"chunk {number} is not what was written there") from None

    def _about(self, number: int, last: bool) -> bytes:
        return self.head + number.to_bytes(8, "big") + bytes([last])


class SealedWave:
    """The WAV that a sealed file holds, whole or in parts."""

    def __init__(self, key: bytes, stored_bytes: int, read: Callable[[int, int], bytes]) -> None:
        """`read` gives so many stored bytes from a place on; there are `stored_bytes`. Raises SealedError, also if the
        file was not finished or was cut."""
        self._sealing = Sealing.opening(key, read(0, SEALED_HEAD_BYTES))
        self._read = read
        form = self._sealing.form
        self.track = form.track
        self._wholes, rest = divmod(stored_bytes - SEALED_HEAD_BYTES, form.stored_bytes)
        if rest < OVERHEAD_BYTES:
            raise SealedError("it was not finished, or was cut")
        self._rest = rest
        self._last = self._chunk(self._wholes)
        self.data_bytes = self._wholes * form.chunk_bytes + len(self._last)
        self._head = head(form.track, self.data_bytes)

    def __len__(self) -> int:
        """Bytes of the WAV."""
        return HEAD_BYTES + self.data_bytes

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the WAV from `start` on, fewer at its end. Raises SealedError."""
        end = min(start + length, len(self))
        if start >= end:
            return b""
        made = bytearray(self._head[start:end])
        first, behind = max(start - HEAD_BYTES, 0), end - HEAD_BYTES
        size = self._sealing.form.chunk_bytes
        for number in range(first // size, -(-behind // size)):
            plain = self._last if number == self._wholes else self._chunk(number)
            made += plain[max(first - number * size, 0) : behind - number * size]
        return bytes(made)

    def _chunk(self, number: int) -> bytes:
        form, last = self._sealing.form, number == self._wholes
        at = SEALED_HEAD_BYTES + number * form.stored_bytes
        stored = self._read(at, self._rest if last else form.stored_bytes)
        return self._sealing.unseal(number, stored, last)
