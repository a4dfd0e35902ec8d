"""What to say when a question finds nothing: that nothing matches, and which words there are for one nobody knows."""

from __future__ import annotations

from collections.abc import Collection

from switchlog.cli.client import Client, CliError
from switchlog.cli.output import note


def nothing(client: Client, tenant: str | None, *others: object) -> None:
    """Say it on stderr; `others` are further filters. Without any filter an empty list speaks for itself."""
    if not unknown_tenant(client, tenant) and any(one is not None for one in (tenant, *others)):
        note("nothing matches")


def unknown_type(word: str | None) -> bool:
    """Say on stderr if no event has this type, with or without its version."""
    from domain.catalog import EVENTS

    types = {name.rpartition(".")[0] for name in EVENTS}
    return word is not None and word not in EVENTS and _unknown("type", word, types)


def unknown_tenant(client: Client, word: str | None) -> bool:
    """Say on stderr if there is no such tenant, as far as we may know."""
    slugs = _tenants(client) if word is not None else None
    return word is not None and slugs is not None and _unknown("tenant", word, slugs)


def _unknown(what: str, word: str, words: Collection[str]) -> bool:
    if word in words:
        return False
    there_are = f"there are {', '.join(sorted(words))}" if words else "there is none yet"
    note(f"nothing matches: no {what} is called {word!r}; {there_are}")
    return True


def _tenants(client: Client) -> Collection[str] | None:
    """None if we may not know."""
    try:
        return {str(one["slug"]) for one in client.get("/v1/export")["tenants"]}
    except CliError:
        return None
