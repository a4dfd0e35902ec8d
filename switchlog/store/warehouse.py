"""Where the analytics database is, as whom we speak to it, and the tables that the projections fill there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from adapters.analytics import tables
from adapters.analytics.endpoint import Endpoint
from adapters.keys.master import derive
from projections.ports import Schema, TableSpec
from switchlog.setting.address import address
from switchlog.store.vault import master_key

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


def writer_password(settings: Settings) -> str:
    """The embedded engine's password of `switchlog`: as set, else one that follows from the master key."""
    if settings.clickhouse_password:
        return settings.clickhouse_password
    return derive(master_key(settings), "clickhouse").hex()[:32]


def endpoint(settings: Settings) -> Endpoint:
    """The database that the projector writes. A server's password may be in its address or in its own setting.

    Raises KeyStoreError.
    """
    if settings.clickhouse != "embedded":
        named = Endpoint.parse(settings.clickhouse)
        return named if named.password else replace(named, password=settings.clickhouse_password)
    host, port = address(settings.clickhouse_listen)
    return Endpoint(host, port, "switchlog", writer_password(settings))


def schema(cluster: str = "") -> Schema:
    """The analysts' tables, as the projections need to know them; on all hosts of `cluster`, if one is named."""
    books = (tables.create_table(table, table.name, partitioned=False, cluster=cluster) for table in tables.BOOKS)
    return Schema(tables=tuple(_spec(table, cluster) for table in tables.TABLES), books=tuple(books))


def _spec(table: tables.Table, cluster: str) -> TableSpec:
    views = tuple(view for view in tables.VIEWS if view.table is table)
    return TableSpec(
        name=table.name,
        columns=table.names(),
        create=lambda generation: tables.create_table(table, table.at(generation), cluster=cluster),
        grow=lambda generation, known: tables.add_columns(table, generation, known, cluster=cluster),
        drop=lambda generation: tables.drop_table(table, generation, cluster=cluster),
        views=lambda generation: tuple(tables.create_view(view, generation, cluster=cluster) for view in views),
        hashes=lambda generation: tables.hash_rows(table, generation),
    )
