"""Offices over a journal in memory, and documents to give them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from adapters.journal.memory import MemoryJournal
from adapters.journal.recorder import JournalApplication, Term
from adapters.keys.store import SecretStore
from domain.declaration import Document
from domain.ids import CONFIG_SHARD
from switchlog.office import Applied, Office, Writer

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


class Desk:
    """An office with everything under it; `again()` opens a second one over the same journal and secrets."""

    def __init__(self, folder: Path, journal: MemoryJournal | None = None) -> None:
        self.folder = folder
        self.journal = journal or MemoryJournal()
        self.store = SecretStore(folder)
        term = Term(self.journal, "a")
        self.application = JournalApplication(self.journal, term, lost=term.lost)
        self.office = Office(
            self.application, self.store, Writer("a", term), lambda: AT, self.journal.live(CONFIG_SHARD, 0)
        )

    def again(self) -> Desk:
        return Desk(self.folder, self.journal)

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
