"""How the office makes secrets durable beside the events that they belong to: at a node alone, and in a cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from adapters.keys.courier import Device, HashedKey
from adapters.keys.master import KeyStoreError
from adapters.keys.store import Secrets, SecretStore, key_hash
from domain.apikey import Principal
from domain.base import Event
from domain.ports import JournalError, Note
from switchlog.node.sharing import Sharing

_log = structlog.get_logger(__name__)


class Change(NamedTuple):
    """Events, and the secrets that they make usable: credentials of (tenant, username), and an API key in clear text.

    `gone` are the devices whose credentials nothing names any more.
    """

    events: Sequence[Event]
    secrets: Mapping[tuple[str, str], Secrets] = {}
    gone: Collection[tuple[str, str]] = ()
    key: tuple[str, Principal] | None = None


class Append(Protocol):
    """Appends events and notes together, durably. Raises Refusal."""

    def __call__(self, events: Sequence[Event], notes: Sequence[Note] = ()) -> None: ...


class Keeper(Protocol):
    """What the office asks for. Methods block."""

    def current(self) -> None:
        """The store knows what was acknowledged before. Raises JournalError, KeyStoreError."""

    def keep(self, change: Change, append: Append) -> None:
        """All of `change` is durable and in the store. Raises KeyStoreError, and what `append` raises."""


class LoneKeeper:
    """The store is the truth: credentials first, then events in one append, then what is gone is forgotten.

    A crash between two of them is mended by applying the same file again: credentials that are there already are left
    alone, events that are missing are appended. Until then a device that exists already may have its new password.
    """

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    def current(self) -> None:
        """It always is."""

    def keep(self, change: Change, append: Append) -> None:
        if change.secrets:
            self._store.replace(change.secrets)
        if change.key is not None:
            self._store.add_key(*change.key)
        if change.events:
            append(change.events)
        if change.gone:
            self._store.replace(dict.fromkeys(change.gone))


class SharingKeeper:
    """The journal is the truth: secrets travel beside the events, in one transaction, and every store follows.

    So after a crash there are both or neither.
    """

    def __init__(self, sharing: Sharing) -> None:
        self._sharing = sharing

    def current(self) -> None:
        self._sharing.catch_up()

    def keep(self, change: Change, append: Append) -> None:
        changes: list[Device | HashedKey] = [Device(*name, secrets) for name, secrets in change.secrets.items()]
        changes += [Device(*name, None) for name in change.gone]
        if change.key is not None:
            key, principal = change.key
            changes.append(HashedKey(key_hash(key), principal))
        notes = self._sharing.letters(changes)
        if not change.events and not notes:
            return
        append(change.events, notes)
        try:
            self._sharing.catch_up()
        except (JournalError, KeyStoreError) as error:  # it is done, and will be learnt by following
            _log.warning("what was declared is not known at this node yet", reason=str(error))
