"""The installation's master key: one file of 32 random bytes, from which every other key is derived.

Whoever has the file and the data folder, or the journal of a cluster, has every secret. All nodes of a cluster have the
same key: so what is derived from it is the same on all of them, and on each before and after a restart.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class KeyStoreError(Exception):
    """The keys cannot be used; one line that says why and what to do."""


def load_master_key(path: Path, make: bool = True) -> bytes:
    """The key in the file; with `make` it is made if there is none, the same for processes that start at once.

    A file of our own is for us alone. One of somebody else's, such as one that Kubernetes mounts, may be for our group.
    Raises KeyStoreError.
    """
    try:
        if make and not path.exists():
            _create(path)
        key = path.read_bytes()
        found = path.stat()
    except FileNotFoundError as error:
        raise KeyStoreError(
            f"there is no key file {path}: put a copy of the other nodes' there; for a first node make one with "
            f"`(umask 077; head -c {KEY_BYTES} /dev/urandom > {path})`"
        ) from error
    except OSError as error:
        raise KeyStoreError(f"cannot use the key file {path}: {error.strerror}") from error
    if found.st_mode & (0o077 if found.st_uid == os.geteuid() else 0o007):
        raise KeyStoreError(f"others may read the key file {path}: chmod 600 it, and think about new keys")
    if len(key) != KEY_BYTES:
        raise KeyStoreError(f"the key file {path} is damaged ({len(key)} bytes, not {KEY_BYTES}): restore it")
    return key


def _create(path: Path) -> None:
    """Write beside and link: the name appears with the whole content or not at all, and never replaces another."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_bytes(KEY_BYTES))
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def key_id(master: bytes) -> str:
    """Tells master keys apart, and nothing else: may be told to anybody. 8 hexadecimal digits."""
    return derive(master, "key id").hex()[:8]


def derive(master: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"switchlog {purpose}".encode()).derive(master)
