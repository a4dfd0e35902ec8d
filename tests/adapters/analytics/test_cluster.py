"""The tables on a cluster of ClickHouse servers: what is said to it. Our engine reads the words only."""

from __future__ import annotations

import re

import pytest

from adapters.analytics import tables
from adapters.analytics.client import Warehouse
from switchlog.store.warehouse import schema


def statements(cluster: str) -> list[str]:
    found = schema(cluster)
    made = [text for one in found.tables for text in (one.create(3), *one.views(3), one.drop(3))]
    return [*found.books, *made]


def test_every_statement_is_for_all_hosts_and_every_table_is_replicated() -> None:
    for text in statements("calls"):
        assert text.count(" ON CLUSTER 'calls'") == 1, text
        assert ("ENGINE = ReplicatedReplacingMergeTree(`" in text) == text.startswith("CREATE TABLE"), text


def test_where_a_statement_names_the_cluster() -> None:
    table = tables.create_table(tables.CDR, "cdr_g3", cluster="{cluster}")
    assert table.startswith("CREATE TABLE IF NOT EXISTS cdr_g3 ON CLUSTER '{cluster}' (\n")
    assert "\nENGINE = ReplicatedReplacingMergeTree(`version`)\nPARTITION BY toYYYYMM(started_at)\nORDER BY (" in table
    view = tables.create_view(tables.VIEWS[0], 3, cluster="c")
    assert view.startswith("CREATE OR REPLACE VIEW cdr ON CLUSTER 'c' (`tenant` LowCardinality(String) COMMENT ")
    assert tables.drop_table(tables.CDR, 3, cluster="c") == "DROP TABLE IF EXISTS cdr_g3 ON CLUSTER 'c' SYNC"


def test_without_a_cluster_nothing_is_said_of_one() -> None:
    assert not [text for text in statements("") if "CLUSTER" in text or "Replicated" in text]
    assert tables.drop_table(tables.CDR, 3) == "DROP TABLE IF EXISTS cdr_g3 SYNC"


@pytest.mark.parametrize("cluster", ["", "calls", "{cluster}"])
def test_clickhouse_can_read_every_statement(warehouse: Warehouse, cluster: str) -> None:
    for text in statements(cluster):
        ((read,),) = warehouse.execute("SELECT formatQuerySingleLine(%(text)s)", {"text": text})
        assert bool(re.search(r"ON CLUSTER [`'\"]?[\w{]", read)) == bool(cluster), read
