"""The projector's client: errors that say whether to try again, and a fresh start after each."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.analytics.client import Endpoint, Warehouse, WarehouseError
from tests.fixtures.clickhouse import ClickHouse, start, stop


def test_an_address_is_read() -> None:
    full = Endpoint("db.example", 9440, "u", "p@/w", "calls")
    assert Endpoint.parse("clickhouse://u:p%40%2Fw@db.example:9440/calls") == full
    assert Endpoint.parse("clickhouse://db.example") == Endpoint("db.example", 9000, "switchlog", "", "switchlog")


@pytest.mark.parametrize("bad", ["http://x", "clickhouse://", "db.example:9000", "clickhouse://x:port"])
def test_a_wrong_address_is_named(bad: str) -> None:
    with pytest.raises(ValueError, match=r"clickhouse://|[Pp]ort"):
        Endpoint.parse(bad)


def test_parameters_are_values_never_sql(warehouse: Warehouse) -> None:
    text = "it's \\ '; DROP TABLE x"
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    rows = warehouse.execute("SELECT %(text)s, toDateTime64(%(when)s, 6, 'UTC')", {"text": text, "when": when})
    assert rows == [(text, when)]


def test_a_wrong_statement_is_not_to_be_retried_and_the_next_one_works(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="47") as error:
        warehouse.execute("SELECT nothing")
    assert not error.value.retryable
    assert warehouse.execute("SELECT 1") == [(1,)]


def test_a_wrong_value_is_not_to_be_retried_and_writes_nothing(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE small (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
    for rows in ([(1, "x"), ("no", "y")], [(1, "x"), (2,)]):
        with pytest.raises(WarehouseError) as error:
            warehouse.insert("small", ("a", "b"), rows)
        assert not error.value.retryable
    assert warehouse.execute("SELECT count() FROM small") == [(0,)]


def test_no_rows_are_no_statement() -> None:
    assert Warehouse(Endpoint("127.0.0.1", 1, "nobody", "")).insert("t", ("a",), []) == 0


def test_nobody_there_is_to_be_retried() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        warehouse = Warehouse(Endpoint("127.0.0.1", unheard.getsockname()[1], "switchlog", "x"))
        with pytest.raises(WarehouseError, match="cannot be reached") as error:
            warehouse.execute("SELECT 1")
        assert error.value.retryable
        assert not warehouse.ping()


def test_rows_outlive_the_engine(tmp_path: Path) -> None:
    process, running = start(tmp_path)
    writer = Warehouse(running.writer)
    writer.execute("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    writer.insert("kept", ("a",), [(1,), (2,)])
    process.kill()
    process.wait()
    stop(process)
    with pytest.raises(WarehouseError) as error:
        writer.execute("SELECT 1")
    assert error.value.retryable
    process, running = start(tmp_path)
    try:
        again = Warehouse(running.writer)
        assert again.execute("SELECT a FROM kept ORDER BY a") == [(1,), (2,)]
        again.close()
    finally:
        assert stop(process) == 0


def test_a_result_tells_the_names_and_types_of_its_columns(clickhouse: ClickHouse) -> None:
    with Warehouse(clickhouse.analyst) as warehouse:
        rows, columns = warehouse.select("SELECT number AS n, toString(number) AS t FROM numbers(2)")
        assert (rows, columns) == ([(0, "0"), (1, "1")], ("n", "t"))
        assert warehouse.select("SELECT 1 AS one WHERE 0") == ([], ("one",))
