"""Where the analytics database is, and as whom we speak to it."""

from __future__ import annotations

from adapters.analytics.client import Endpoint
from adapters.keys.master import derive, load_master_key
from switchlog.settings import Settings, address


def writer_password(settings: Settings) -> str:
    """The embedded engine's password of `switchlog`: as set, else one that follows from the master key."""
    if settings.clickhouse_password:
        return settings.clickhouse_password
    return derive(load_master_key(settings.data / "master.key"), "clickhouse").hex()[:32]


def endpoint(settings: Settings) -> Endpoint:
    """The database that the projector writes. Raises KeyStoreError."""
    if settings.clickhouse != "embedded":
        return Endpoint.parse(settings.clickhouse)
    host, port = address(settings.clickhouse_listen)
    return Endpoint(host, port, "switchlog", writer_password(settings))
