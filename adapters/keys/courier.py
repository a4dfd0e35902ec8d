"""Secrets on their way to other nodes: what a note in the journal holds of them, and how it is opened again.

What may live here: the words of those notes, sealed under a key that is derived from the master key that all nodes
share. The name of a secret is bound to its ciphertext (associated data of AES-GCM), so nobody who can write into the
journal makes one device's credential another's. Names stand bare: events say them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from adapters.keys.master import KeyStoreError, derive, key_id
from adapters.keys.sealer import AesSealer
from domain.apikey import Principal, Role
from domain.ids import CONFIG_SHARD
from domain.ports import Note

T = TypeVar("T")

SEALED, REMOVED = "shard.secret.sealed.1", "shard.secret.removed.1"
KEY = "shard.key.1"
"""Says which master key the cluster has: the first such note of a journal counts."""
_SUBJECT = f"shard-{CONFIG_SHARD}"
_DEVICE, _API_KEY, _CLUSTER = "device", "apikey", "cluster"


class Device(msgspec.Struct, frozen=True):
    """The credentials of a device (see `store.Secrets`); None = they are no more."""

    tenant: str
    username: str
    secrets: Mapping[str, Mapping[str, str]] | None


class HashedKey(msgspec.Struct, frozen=True):
    """An API key as it is kept: its hash, and whose it is."""

    hash: bytes
    principal: Principal


class _Envelope(msgspec.Struct, frozen=True):
    """What a note holds of the secret `name`. `key` is the id of the master key, `sealed` is bound to type and name."""

    name: str
    key: str
    sealed: str


class _ApiKey(msgspec.Struct, frozen=True):
    hash: str
    role: Role
    tenant: str | None


_envelopes = msgspec.json.Decoder(_Envelope)
_devices = msgspec.json.Decoder(dict[str, dict[str, str]])
_api_keys = msgspec.json.Decoder(_ApiKey)


class Courier:
    """Makes notes of secrets, and secrets of notes."""

    def __init__(self, master: bytes) -> None:
        self.key_id = key_id(master)
        self._sealer = AesSealer(derive(master, "secrets for other nodes"))

    def device(self, device: Device, at: datetime) -> Note:
        """A note that every node replaces the device's credentials by."""
        name = f"{_DEVICE}/{device.tenant}/{device.username}"
        if device.secrets is None:
            return self._note(REMOVED, name, b"", at)
        return self._note(SEALED, name, msgspec.json.encode(device.secrets), at)

    def api_key(self, key: HashedKey, at: datetime) -> Note:
        """A note that opens every node's API to the bearer of the key."""
        who = key.principal
        content = _ApiKey(key.hash.hex(), who.role, who.tenant)
        return self._note(SEALED, f"{_API_KEY}/{who.id}", msgspec.json.encode(content), at)

    def open(self, note: Note) -> Device | HashedKey | None:
        """The secret in it; None if it is about none. Raises ValueError if it cannot be opened with this master key."""
        if note.type not in (SEALED, REMOVED):
            return None
        envelope = _read(_envelopes, note.data)
        content = self._opened(envelope, note.type)
        kind, _, name = envelope.name.partition("/")
        if kind == _DEVICE:
            tenant, _, username = name.partition("/")
            return Device(tenant, username, None if note.type == REMOVED else _read(_devices, content))
        if kind == _API_KEY and note.type == SEALED:
            key = _read(_api_keys, content)
            return HashedKey(bytes.fromhex(key.hash), Principal(name, key.role, key.tenant))
        raise ValueError(f"nothing is known of {envelope.name!r} here: it comes from a newer Switchlog")

    def check(self, cluster: str, at: datetime) -> Note:
        """A note that binds the cluster, which it gives the name `cluster`, to this master key."""
        return self._note(KEY, f"{_CLUSTER}/{cluster}", b"", at)

    def cluster(self, note: Note) -> str:
        """The cluster's name. Raises KeyStoreError if it has another master key, ValueError if it is no such note."""
        envelope = _read(_envelopes, note.data)
        kind, _, name = envelope.name.partition("/")
        if note.type != KEY or kind != _CLUSTER or not name:
            raise ValueError(f"{note.type} {envelope.name!r} names no cluster")
        if envelope.key != self.key_id:
            raise KeyStoreError(f"has the id {self.key_id}, and this cluster's has {envelope.key}")
        self._opened(envelope, note.type)
        return name

    def _note(self, kind: str, name: str, content: bytes, at: datetime) -> Note:
        sealed = self._sealer.seal(content.decode(), f"{kind} {name}")
        return Note(kind, _SUBJECT, at, msgspec.json.encode(_Envelope(name, self.key_id, sealed)))

    def _opened(self, envelope: _Envelope, kind: str) -> str:
        if envelope.key != self.key_id:
            raise ValueError(f"{envelope.name!r} is sealed with another master key, {envelope.key}")
        return self._sealer.unseal(envelope.sealed, f"{kind} {envelope.name}")


def _read(decoder: msgspec.json.Decoder[T], data: bytes | str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"it cannot be read: {error}") from error
