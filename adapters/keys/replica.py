"""The secrets of a cluster, as one of its nodes keeps them: what the notes in the journal said so far.

What may live here: the store and how far it is. The notes are the truth: a replica that is lost, or was another
cluster's, is filled again. So it is a file of its own: what a node kept while it was alone stays untouched beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from adapters.keys.courier import Courier, Device, HashedKey
from adapters.keys.store import Secrets, SecretStore, key_row

_SCHEMA = "CREATE TABLE IF NOT EXISTS followed (cluster TEXT NOT NULL, position INTEGER NOT NULL)"


class Replica(SecretStore):
    """Nothing is written into it but what notes say, in their order. Several processes of a node may fill one file."""

    FILE = "shared-secrets.db"

    def __init__(self, folder: Path, key_file: Path | None = None, make_key: bool = True) -> None:
        """See `SecretStore`. Raises KeyStoreError."""
        super().__init__(folder, key_file, make_key)
        self.courier = Courier(self._master)
        self.position = 0
        """up to which this process knows the notes"""

    def adopt(self, cluster: str) -> None:
        """Be of `cluster` from now on; what was known of another one is forgotten. Raises KeyStoreError."""

        def work() -> None:
            found = self._followed()
            if found is None or found[0] != cluster:
                self._forget("device", "apikey", "followed")
                self._db.execute("INSERT INTO followed VALUES (?, 0)", (cluster,))
            self.position = (self._followed() or (cluster, 0))[1]
            devices.update(self._devices())

        devices: dict[tuple[str, str], str] = {}
        self._durably(work)
        with self._opening:
            self._open.clear()
            self._sealed = devices

    def take(self, changes: Iterable[Device | HashedKey], position: int) -> None:
        """What the notes up to `position` say after those up to `self.position`; durable when this returns.

        Raises KeyStoreError, and then nothing has changed.
        """
        devices: dict[tuple[str, str], Secrets | None] = {}
        keys = []
        for one in changes:
            if isinstance(one, Device):
                devices[one.tenant, one.username] = one.secrets
            else:
                keys.append(key_row(one.hash, one.principal))
        sealed = self._seal_all(devices)

        def work() -> None:
            followed = self._followed()
            if followed is not None and followed[1] < position:  # or another process was quicker
                self._write(sealed)
                self._db.executemany("INSERT OR REPLACE INTO apikey VALUES (?, ?, ?, ?)", keys)
                self._db.execute("UPDATE followed SET position = ?", (position,))

        self._durably(work)
        self._remember(sealed)
        self.position = position

    def _prepare(self) -> None:
        self._db.execute(_SCHEMA)
        try:
            super()._prepare()
        except ValueError:  # it was filled with another master key
            self._forget("device", "apikey", "followed", "master")
            super()._prepare()

    def _forget(self, *tables: str) -> None:
        for table in tables:
            self._db.execute(f"DELETE FROM {table}")

    def _followed(self) -> tuple[str, int] | None:
        """Whose notes this file knows, and up to where."""
        row: tuple[str, int] | None = self._db.execute("SELECT cluster, position FROM followed").fetchone()
        return row
