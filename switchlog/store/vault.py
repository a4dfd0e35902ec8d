"""Where a node keeps its secrets, by the settings: in a store of its own, or in a replica of what a cluster shares."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from adapters.keys.master import load_master_key
from adapters.keys.replica import Replica
from adapters.keys.store import SecretStore
from domain.ports import Notebook
from switchlog.node.sharing import Sharing
from switchlog.store.journal import is_shared

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


def open_store(settings: Settings) -> SecretStore:
    """The node's secrets. Raises KeyStoreError."""
    kind = Replica if is_shared(settings) else SecretStore
    return kind(settings.data, settings.key_file, settings.makes_key)


def master_key(settings: Settings) -> bytes:
    """The node's master key, for those who need no store. Raises KeyStoreError."""
    return load_master_key(settings.key_file, settings.makes_key)


def sharing_of(store: SecretStore, notebook: object, clock: Callable[[], datetime]) -> Sharing | None:
    """How `store` learns from the journal; None for that of a node alone, or if `notebook` is of one."""
    if isinstance(store, Replica) and isinstance(notebook, Notebook):
        return Sharing(store, notebook, clock)
    return None
