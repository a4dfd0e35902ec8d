"""The secrets, outside the journal: digest credentials sealed under the master key, and hashes of API keys.

One SQLite file, readable by its owner only. One row holds all HA1 values of a device, so that a changed password
replaces them in one step. The order of a change: the secret is durable here before the event that makes it usable is
appended; a crash between leaves a secret that the next `apply` of the same file finds equal, and only appends.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from adapters.keys.master import KeyStoreError, derive, load_master_key
from adapters.keys.sealer import AesSealer
from domain.apikey import Principal, Role

Secrets = Mapping[str, Mapping[str, str]]
"""Realm -> digest algorithm -> H(username:realm:password) in hexadecimal digits."""

_CHECK = "this master key"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS device (tenant TEXT, username TEXT, sealed TEXT NOT NULL, PRIMARY KEY (tenant, username));
CREATE TABLE IF NOT EXISTS apikey (
    hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, role TEXT NOT NULL, tenant TEXT);
CREATE TABLE IF NOT EXISTS master (sealed TEXT NOT NULL);
"""
_DECOY = msgspec.json.encode({"": {"MD5": "0" * 32, "SHA-256": "0" * 64}}).decode()
"""What a device's row looks like, for those that do not exist."""
_OPEN_LIMIT = 8192
"""Devices whose credentials stay open in memory, some 8 MB: beside the key that opens the others."""
_OPEN_NAME = 128
"""Strangers' names that are longer are not kept."""
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(dict[str, dict[str, str]]).decode


class SecretStore:
    """A file of secrets in a folder, and the master key. For several threads; implements Credentials and Sealer.

    Several processes may open it: one writes credentials, others look up API keys.
    """

    FILE = "secrets.db"

    def __init__(self, folder: Path, key_file: Path | None = None, make_key: bool = True) -> None:
        """Open, or make at the first start; the key is in `key_file`, else in the folder. Raises KeyStoreError."""
        self.key_file = key_file or folder / "master.key"
        self._master = load_master_key(self.key_file, make_key)
        self._own = AesSealer(derive(self._master, "secrets"))
        self._values = AesSealer(derive(self._master, "values"))
        self._fingerprint_key = derive(self._master, "fingerprint")
        self._decoy = self._own.seal(_DECOY)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._open: dict[tuple[str, str], Secrets] = {}
        path = folder / self.FILE
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._transact(self._prepare)
            self._sealed = self._devices()
        except (OSError, sqlite3.Error) as error:
            raise KeyStoreError(f"cannot use the secrets in {path}: {error}") from error
        except ValueError as error:
            self._db.close()
            raise KeyStoreError(f"{path} belongs to another master.key: restore the pair of them") from error

    def _devices(self) -> dict[tuple[str, str], str]:
        rows = self._db.execute("SELECT tenant, username, sealed FROM device")
        return {(tenant, name): text for tenant, name, text in rows}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # --- keys and sealing

    def wire_secret(self, purpose: str) -> bytes:
        """A key of 32 bytes, the same for ever, for values on the wire such as nonces and identifiers."""
        return derive(self._master, f"wire {purpose}")

    def seal(self, plain: str) -> str:
        return self._values.seal(plain)

    def unseal(self, sealed: str) -> str:
        return self._values.unseal(sealed)

    # --- digest credentials

    def ha1(self, tenant: str, username: str, realm: str, algorithm: str) -> str | None:
        """From memory, where the values stay sealed until they are asked for; those asked for last stay open.

        A name that nobody has takes the same work, the first time and later: a decoy is unsealed and kept like others.
        """
        secrets = self._open.get((tenant, username)) or self._opened(tenant, username)
        return secrets.get(realm, {}).get(algorithm)

    def _opened(self, tenant: str, username: str) -> Secrets:
        with self._opening:
            sealed = self._sealed.get((tenant, username))
            text = self._own.unseal(sealed, f"{tenant}/{username}") if sealed else self._own.unseal(self._decoy)
            secrets = _decode(text)
            if len(username) <= _OPEN_NAME:
                if len(self._open) >= _OPEN_LIMIT:
                    self._open.clear()
                self._open[(tenant, username)] = secrets
            return secrets

    def device(self, tenant: str, username: str) -> Secrets | None:
        """All HA1 values of a device."""
        sealed = self._sealed.get((tenant, username))
        return None if sealed is None else _decode(self._own.unseal(sealed, f"{tenant}/{username}"))

    def replace(self, changes: Mapping[tuple[str, str], Secrets | None]) -> None:
        """Durable when this returns: the credentials of each (tenant, username), None = forget the device.

        Raises KeyStoreError, and then nothing has changed.
        """
        sealed = self._seal_all(changes)
        self._durably(lambda: self._write(sealed))
        self._remember(sealed)

    def fingerprint(self, secrets: Secrets) -> str:
        """Tells two credentials apart without telling anything else: may stand in events."""
        text = msgspec.json.encode(secrets, order="deterministic")
        return hmac.new(self._fingerprint_key, text, hashlib.sha256).hexdigest()[:16]

    # --- API keys

    def add_key(self, key: str, principal: Principal) -> None:
        """Durable when this returns; only a hash of the key is kept. Raises KeyStoreError."""
        row = key_row(key_hash(key), principal)
        self._durably(lambda: self._db.execute("INSERT INTO apikey VALUES (?, ?, ?, ?)", row))

    def principal(self, key: str) -> Principal | None:
        """Whose key this is. Raises KeyStoreError."""
        try:
            with self._lock:
                row = self._db.execute(
                    "SELECT id, role, tenant FROM apikey WHERE hash = ?", (key_hash(key),)
                ).fetchone()
        except sqlite3.Error as error:
            raise KeyStoreError(f"cannot read the API keys: {error}") from error
        return None if row is None else Principal(row[0], Role(row[1]), row[2])

    # --- inside

    def _prepare(self) -> None:
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        row = self._db.execute("SELECT sealed FROM master").fetchone()
        if row is None:
            self._db.execute("INSERT INTO master VALUES (?)", (self._own.seal(_CHECK),))
        else:
            self._own.unseal(row[0])

    def _seal_all(self, changes: Mapping[tuple[str, str], Secrets | None]) -> dict[tuple[str, str], str | None]:
        return {
            (tenant, name): None if one is None else self._own.seal(_encode(one).decode(), f"{tenant}/{name}")
            for (tenant, name), one in changes.items()
        }

    def _write(self, sealed: Mapping[tuple[str, str], str | None]) -> None:
        gone = [key for key, text in sealed.items() if text is None]
        self._db.executemany("DELETE FROM device WHERE tenant = ? AND username = ?", gone)
        rows = [(*key, text) for key, text in sealed.items() if text is not None]
        self._db.executemany("INSERT OR REPLACE INTO device VALUES (?, ?, ?)", rows)

    def _remember(self, sealed: Mapping[tuple[str, str], str | None]) -> None:
        with self._opening:  # or what is being opened might be kept though it is the old one
            for key, text in sealed.items():
                self._open.pop(key, None)
                if text is None:
                    self._sealed.pop(key, None)
                else:
                    self._sealed[key] = text

    def _durably(self, write: Callable[[], object]) -> None:
        try:
            self._transact(write)
        except sqlite3.Error as error:
            raise KeyStoreError(f"cannot write the secrets: {error}") from error

    def _transact(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                work()
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def key_hash(key: str) -> bytes:
    """A key has 256 random bits (or was chosen by the operator), so that one SHA-256 is enough."""
    return hashlib.sha256(key.encode()).digest()


def key_row(hashed: bytes, principal: Principal) -> tuple[bytes, str, str, str | None]:
    """As it is stored."""
    return hashed, principal.id, str(principal.role), principal.tenant


class KeyRing:
    """Answers whose key it is: those of the store, and some that are only known to this process."""

    def __init__(self, store: SecretStore, known: Iterable[tuple[str, Principal]] = ()) -> None:
        """`known`: keys taken as they are, such as the bootstrap operator key."""
        self._store = store
        self._known = {key_hash(key): principal for key, principal in known}

    def principal(self, key: str) -> Principal | None:
        """Whose key this is, or None. Raises KeyStoreError."""
        return self._known.get(key_hash(key)) or self._store.principal(key)
