"""Offices over a journal in memory, and documents to give them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import yaml

from adapters.journal.memory import MemoryJournal
from adapters.journal.recorder import JournalApplication, Term
from adapters.keys.replica import Replica
from adapters.keys.store import SecretStore
from domain.declaration import Document
from domain.ids import CONFIG_SHARD
from switchlog.node.sharing import Sharing
from switchlog.office.keeper import Keeper, LoneKeeper, SharingKeeper
from switchlog.office.office import Applied, Office, Writer

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Desk:
    """An office with everything under it; `again()` opens a second one over the same journal and secrets."""

    def __init__(self, folder: Path, journal: MemoryJournal | None = None) -> None:
        self.folder = folder
        self.journal = journal or MemoryJournal()
        self.store = self.open_store()
        term = Term(self.journal, "a")
        self.application = JournalApplication(self.journal, term, lost=term.lost)
        history = self.journal.live(CONFIG_SHARD, 0)
        self.office = Office(self.application, self.store, Writer("a", term), lambda: AT, history, self.keeper())

    def open_store(self) -> SecretStore:
        return SecretStore(self.folder)

    def keeper(self) -> Keeper:
        return LoneKeeper(self.store)

    def again(self) -> Self:
        return type(self)(self.folder, self.journal)

    def apply(self, *texts: str, only_tenant: str | None = None) -> Applied:
        documents = [Document(f"file{at}.yaml", text) for at, text in enumerate(texts)]
        return self.office.apply(documents, "api:test", "command-1", only_tenant)

    def declare(self, *tenants: dict[str, Any]) -> Applied:
        return self.apply(yaml.safe_dump({"tenants": list(tenants)}, sort_keys=False))

    def outcomes(self, *tenants: dict[str, Any]) -> dict[str, str]:
        return {f"{row.tenant}/{row.name}": row.outcome for row in self.declare(*tenants).rows}

    def journal_text(self) -> str:
        return "\n".join(stored.record.data.decode() for stored in self.journal.follow({}).records)

    def events(self) -> list[str]:
        return [stored.record.type for stored in self.journal.follow({}).records]


class ClusterDesk(Desk):
    """Of a node of a cluster: those with the same journal share their secrets, if they have the same key."""

    def open_store(self) -> Replica:
        key = self.folder.parent / "cluster.key"
        return Replica(self.folder, key if key.exists() else None)

    @property
    def replica(self) -> Replica:
        assert isinstance(self.store, Replica)
        return self.store

    def keeper(self) -> SharingKeeper:
        self.sharing = Sharing(self.replica, self.journal, lambda: AT)
        self.sharing.begin(partial(self.journal.post, node="a"))
        return SharingKeeper(self.sharing)


def acme(**changes: Any) -> dict[str, Any]:
    return {
        "slug": "acme",
        "name": "Acme Ltd",
        "domains": ["acme.example"],
        "country": "GB",
        "timezone": "Europe/London",
        "extensions": [alice(), {"number": "1002", "name": "Bob", "password": "bob-secret"}],
    } | changes


def alice(**changes: Any) -> dict[str, Any]:
    return {
        "number": "1001",
        "name": "Alice",
        "password": "alice-secret",
        "devices": [{"username": "alice-desk", "password": "desk-secret"}],
    } | changes
