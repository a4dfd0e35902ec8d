"""An analyst reads what is for analysts and has no way to write, to reach out, or to look at others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client  # type: ignore[import-untyped]
from clickhouse_driver import errors as driver_errors

from adapters.analytics.client import Endpoint, Warehouse
from tests.fixtures.clickhouse import ClickHouse

ATTACKS = r"""
INSERT INTO guarded VALUES (2)
INSERT INTO guarded SELECT 2
insert into guarded (a) settings readonly=0 select 2
INSERT INTO FUNCTION file('{out}', 'TSV', 'a Int8') SELECT 1
INSERT INTO TABLE FUNCTION null('a Int8') SELECT 1
CREATE TABLE x (a Int8) ENGINE = Memory
CREATE TEMPORARY TABLE x (a Int8)
CREATE DATABASE x
CREATE FUNCTION f AS (x) -> x
CREATE USER x
CREATE OR REPLACE VIEW guarded_view AS SELECT 1
GRANT ALL ON *.* TO analyst
DROP TABLE guarded
TRUNCATE TABLE guarded
ALTER TABLE guarded DELETE WHERE 1
DELETE FROM guarded WHERE 1
UPDATE guarded SET a = 2 WHERE 1
OPTIMIZE TABLE guarded FINAL
RENAME TABLE guarded TO gone
EXCHANGE TABLES guarded AND guarded
DETACH TABLE guarded
ATTACH TABLE guarded
UNDROP TABLE guarded
SYSTEM FLUSH LOGS
SYSTEM SHUTDOWN
KILL QUERY WHERE 1
KILL MUTATION WHERE 1
BACKUP TABLE guarded TO File('{out}')
SET readonly = 0
SET max_execution_time = 0
USE system
SELECT 1 SETTINGS readonly = 0
SELECT 1 SETTINGS max_execution_time = 0
SELECT 1; DROP TABLE guarded
SELECT 1 INTO OUTFILE '{out}'
SELECT 1 /* */ INTO -- x\n OUTFILE '{out}' TRUNCATE
SELECT 1 # \n into outfile '{out}'
SELECT 1 INTO OUTFILE '{out}' APPEND AND STDOUT FORMAT CSV
SELECT * FROM (SELECT 1) INTO OUTFILE '{out}' FORMAT Native
SELECT file('{secret}')
SELECT FILE('{secret}')
SELECT "file"('{secret}')
SELECT `\x66ile`('{secret}')
SELECT * APPLY(file) FROM (SELECT '{secret}')
SELECT * REPLACE (file(x) AS x) FROM (SELECT '{secret}' AS x)
SELECT arrayMap(p -> file(p), ['{secret}'])
SELECT * FROM file('{secret}', 'LineAsString')
SELECT * FROM `{secret}`
SELECT * FROM '{secret}'
SELECT * FROM default.`{secret}`
SELECT * FROM fileCluster('c', '{secret}')
SELECT * FROM filesystem('{secret}')
DESCRIBE TABLE file('{secret}')
DESCRIBE url('http://127.0.0.1:1/x.csv')
SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')
SELECT * FROM remote('127.0.0.1:1', 'system.one')
SELECT * FROM remoteSecure('127.0.0.1:1', system, one)
SELECT * FROM s3('http://127.0.0.1:1/b/x', 'TSV', 'a String')
SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')
SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')
SELECT * FROM sqlite('{out}', 't')
SELECT * FROM executable('id', 'TSV', 'a String')
SELECT * FROM Python(sys)
SELECT * FROM python(`sys`)
SELECT * FROM merge('system', '.*')
SELECT * FROM view(SELECT file('{secret}'))
SELECT * FROM eval('SELECT file(''{secret}'')')
SELECT * FROM cluster('x', system.one)
SELECT * FROM dictionary('x')
SELECT * FROM loop(guarded) LIMIT 1
SELECT dictGet('x', 'y', 1)
SELECT aiGenerate('x', 'y')
SELECT * FROM system.processes
SELECT * FROM `system`.`processes`
SELECT * FROM system . /* x */ stack_trace
SELECT * FROM (SELECT * FROM system.server_settings)
SELECT (SELECT count() FROM system.user_directories)
SHOW PROCESSLIST
SHOW GRANTS
EXPLAIN PIPELINE SELECT file('{secret}')
WITH file('{secret}') AS f SELECT f
WITH (SELECT file('{secret}')) AS f SELECT f
EXECUTE AS switchlog SELECT 1
BEGIN TRANSACTION
""".strip().split("\n")


@pytest.fixture(scope="module")
def reader(clickhouse: ClickHouse) -> Iterator[Warehouse]:
    admin = Warehouse(clickhouse.writer)
    admin.execute("CREATE OR REPLACE TABLE guarded (a Int8) ENGINE = MergeTree ORDER BY a")
    admin.insert("guarded", ("a",), [(1,)])
    admin.execute("CREATE OR REPLACE VIEW guarded_view AS SELECT * FROM guarded")
    admin.close()
    warehouse = Warehouse(clickhouse.analyst)
    yield warehouse
    warehouse.close()


def raw(clickhouse: ClickHouse, text: str, **settings: object) -> object:
    client = Client(clickhouse.host, port=clickhouse.port, user="analyst", settings=settings)
    try:
        return client.execute(text)
    finally:
        client.disconnect()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_leaves_nothing(
    clickhouse: ClickHouse, reader: Warehouse, tmp_path: Path, attack: str
) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text("top secret\n")
    text = attack.replace("\\n", "\n").replace("{secret}", str(secret)).replace("{out}", str(out))
    with pytest.raises(driver_errors.ServerException) as refusal:
        raw(clickhouse, text)
    assert "top secret" not in str(refusal.value)
    assert not out.exists()
    assert reader.execute("SELECT a FROM guarded") == [(1,)]
    assert reader.execute("SELECT a FROM guarded_view") == [(1,)]
    assert reader.execute("SELECT currentDatabase(), getSetting('readonly')") == [("switchlog", 1)]


def test_settings_of_the_client_lift_nothing(clickhouse: ClickHouse, reader: Warehouse) -> None:
    with pytest.raises(driver_errors.ServerException):
        raw(clickhouse, "INSERT INTO guarded SELECT 2", readonly=0, allow_ddl=1)
    assert reader.execute("SELECT count() FROM guarded") == [(1,)]


def test_a_columnar_insert_is_refused_before_its_data(clickhouse: ClickHouse, reader: Warehouse) -> None:
    client = Client(clickhouse.host, port=clickhouse.port, user="analyst")
    with pytest.raises(driver_errors.ServerException, match="readonly"):
        client.execute("INSERT INTO guarded (a) VALUES", [(2,)])
    client.disconnect()
    assert reader.execute("SELECT count() FROM guarded") == [(1,)]


def test_a_writer_may_ask_to_only_read(clickhouse: ClickHouse, reader: Warehouse) -> None:
    at = clickhouse.writer
    client = Client(at.host, port=at.port, user=at.user, password=at.password, settings={"readonly": 1})
    with pytest.raises(driver_errors.ServerException):
        client.execute("DROP TABLE guarded")
    client.disconnect()
    assert reader.execute("SELECT count() FROM guarded") == [(1,)]


@pytest.mark.parametrize(
    "text",
    [
        "SHOW TABLES",
        "SHOW DATABASES",
        "SHOW CREATE TABLE guarded",
        "DESCRIBE guarded",
        "EXISTS TABLE guarded",
        "EXPLAIN SELECT a FROM guarded",
        "SELECT name, type, comment FROM system.columns WHERE table = 'guarded'",
        "SELECT count() FROM information_schema.tables",
        "WITH t AS (SELECT a FROM guarded) SELECT a, 'it''s; /* not */ into outfile' FROM t -- done",
        "SELECT a FROM switchlog.guarded FORMAT JSONEachRow",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT * FROM numbers(3)",
    ],
)
def test_what_analysts_and_their_clients_ask_is_answered(reader: Warehouse, text: str) -> None:
    assert reader.execute(text)


def test_the_system_database_cannot_be_chosen(clickhouse: ClickHouse) -> None:
    at = clickhouse.analyst
    endpoint = Endpoint(at.host, at.port, at.user, at.password, "system")
    client = Client(endpoint.host, port=endpoint.port, user=endpoint.user, database=endpoint.database)
    with pytest.raises(driver_errors.ServerException, match="does not exist"):
        client.execute("SELECT 1")
    client.disconnect()
