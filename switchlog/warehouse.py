"""Where the analytics database is, as whom we speak to it, and the tables that the projections fill there."""

from __future__ import annotations

from adapters.analytics import tables
from adapters.analytics.endpoint import Endpoint
from adapters.keys.master import derive, load_master_key
from projections.ports import Schema, TableSpec
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


def schema() -> Schema:
    """The analysts' tables, as the projections need to know them."""
    return Schema(
        tables=tuple(_spec(table) for table in tables.TABLES),
        books=tuple(tables.create_table(table, table.name, partitioned=False) for table in tables.BOOKS),
    )


def _spec(table: tables.Table) -> TableSpec:
    views = tuple(view for view in tables.VIEWS if view.table is table)
    return TableSpec(
        name=table.name,
        columns=table.names(),
        create=lambda generation: tables.create_table(table, table.at(generation)),
        views=lambda generation: tuple(tables.create_view(view, generation) for view in views),
        hashes=lambda generation: tables.hash_rows(table, generation),
    )
