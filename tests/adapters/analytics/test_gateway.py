"""The gateway over the real engine, through `clickhouse-driver`, and through bytes that no client would send."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from clickhouse_driver import Client  # type: ignore[import-untyped]
from clickhouse_driver import errors as driver_errors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.analytics.client import Warehouse
from adapters.analytics.protocol import string, varint
from tests.adapters.analytics import wire
from tests.fixtures.clickhouse import ClickHouse

TYPES = {
    "a": ("UInt64", 2**64 - 1),
    "b": ("Int32", -5),
    "c": ("String", "é\x00'\\"),
    "d": ("UUID", UUID(int=2**100 + 7)),
    "e": ("DateTime64(6, 'UTC')", datetime(2026, 2, 3, 4, 5, 6, 789012, UTC)),
    "f": ("Nullable(DateTime64(6, 'UTC'))", None),
    "g": ("Array(String)", ["x", ""]),
    "h": ("LowCardinality(String)", "word"),
    "i": ("LowCardinality(Nullable(String))", None),
    "j": ("Bool", True),
    "k": ("Enum8('no' = 0, 'y,(es' = 1)", "y,(es"),
    "l": ("Float64", 0.1),
    "m": ("Nullable(UInt16)", 486),
    "n": ("Map(String, UInt8)", {"k": 1}),
    "o": ("Tuple(UInt8, String)", (1, "t")),
    "p": ("Array(Array(Nullable(Int8)))", [[1, None], []]),
    "q": ("FixedString(3)", "abc"),
    "r": ("Array(LowCardinality(String))", ["u", "v", "u"]),
}


def answers(clickhouse: ClickHouse) -> bool:
    with Warehouse(clickhouse.analyst) as analyst:
        return analyst.execute("SELECT 1") == [(1,)]


@pytest.fixture
def client(clickhouse: ClickHouse) -> Iterator[Client]:
    at = clickhouse.writer
    client = Client(at.host, port=at.port, user=at.user, password=at.password)
    yield client
    client.disconnect()


def test_every_type_comes_back_as_it_went(warehouse: Warehouse) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    warehouse.execute(f"CREATE TABLE kinds ({columns}, z Int8 MATERIALIZED 1) ENGINE = MergeTree ORDER BY a")
    row = tuple(value for _, value in TYPES.values())
    assert warehouse.insert("kinds", tuple(TYPES), [row, row]) == 2
    assert warehouse.execute(f"SELECT {', '.join(TYPES)} FROM kinds") == [row, row]


def test_an_insert_names_any_columns_in_any_order(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE pairs (a UInt8, b String DEFAULT 'none', c Int8) ENGINE = MergeTree ORDER BY a")
    warehouse.insert("pairs", ("c", "a"), [(-1, 1), (-2, 2)])
    assert warehouse.execute("SELECT * FROM pairs ORDER BY a") == [(1, "none", -1), (2, "none", -2)]


def test_values_within_the_statement(warehouse: Warehouse) -> None:
    warehouse.execute("CREATE TABLE few (a UInt8, b String) ENGINE = MergeTree ORDER BY a")
    warehouse.execute("INSERT INTO few VALUES (1, 'x'), (2, 'y')")
    warehouse.execute("INSERT INTO few SELECT a + 2, b FROM few")
    assert warehouse.execute("SELECT a FROM few ORDER BY a") == [(1,), (2,), (3,), (4,)]


def test_many_blocks_in_and_out(warehouse: Warehouse) -> None:
    rows = [(number, str(number) * (number % 7)) for number in range(150_000)]
    warehouse.execute("CREATE TABLE many (a UInt32, b String) ENGINE = MergeTree ORDER BY a")
    warehouse.insert("many", ("a", "b"), rows)
    assert warehouse.execute("SELECT a, b FROM many ORDER BY a") == rows
    assert warehouse.execute("SELECT a FROM many ORDER BY a LIMIT 1000 SETTINGS max_block_size = 7") == [
        (number,) for number in range(1000)
    ]
    assert len(warehouse.execute("SELECT a FROM many UNION ALL SELECT a FROM many")) == 300_000


def test_an_answer_without_rows_names_its_columns(client: Client) -> None:
    text = "SELECT 1 AS one, 'x' AS `a b` WHERE 0"
    assert client.execute(text, with_column_types=True) == ([], [("one", "UInt8"), ("a b", "String")])


def test_progress_and_rows_are_told(client: Client) -> None:
    client.execute("SELECT number FROM numbers(100)")
    assert client.last_query.profile_info.rows == 100
    assert client.last_query.progress.rows == 100


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT nothing", 47),
        ("SELEKT 1 FROM", 62),
        ("SELECT (", 62),
        ("SELECT * FROM missing", 60),
        ("SELECT throwIf(1)", 395),
    ],
)
def test_errors_carry_the_engines_code_and_the_connection_stays(client: Client, text: str, code: int) -> None:
    with pytest.raises(driver_errors.ServerException) as error:
        client.execute(text)
    assert error.value.code == code
    assert client.execute("SELECT 1") == [(1,)]


def test_an_error_in_the_middle_of_an_answer(client: Client) -> None:
    with pytest.raises(driver_errors.ServerException):
        client.execute("SELECT throwIf(number = 900000) FROM numbers(1000000)")
    assert client.execute("SELECT 1") == [(1,)]


def test_an_insert_of_a_wrong_column(client: Client) -> None:
    client.execute("CREATE OR REPLACE TABLE narrow (a UInt8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(driver_errors.ServerException, match="No such column b"):
        client.execute("INSERT INTO narrow (b) VALUES", [(1,)])
    with pytest.raises(driver_errors.ServerException):
        client.execute("INSERT INTO missing (b) VALUES", [(1,)])
    client.execute("INSERT INTO narrow (a) VALUES", [(1,)])
    assert client.execute("SELECT * FROM narrow") == [(1,)]


def test_only_known_names_with_their_passwords_come_in(clickhouse: ClickHouse) -> None:
    for user, password in (("switchlog", "wrong"), ("switchlog", ""), ("default", ""), ("analyst", "x"), ("", "")):
        client = Client(clickhouse.host, port=clickhouse.port, user=user, password=password)
        with pytest.raises(driver_errors.ServerException, match="Authentication failed"):
            client.execute("SELECT 1")
        client.disconnect()


def test_two_clients_at_once(clickhouse: ClickHouse) -> None:
    meet = threading.Barrier(2, timeout=30)
    found: list[object] = []

    def ask() -> None:
        warehouse = Warehouse(clickhouse.analyst)
        meet.wait()
        found.append(warehouse.execute("SELECT sum(number) FROM numbers(3000000)"))
        warehouse.close()

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[(4499998500000,)]] * 2


def test_a_cancelled_query_frees_its_place(clickhouse: ClickHouse) -> None:
    for _ in range(8):
        client = Client(clickhouse.host, port=clickhouse.port, user="analyst")
        rows = client.execute_iter("SELECT number FROM numbers(100000000)")
        assert next(rows) == (0,)
        client.cancel()
        client.disconnect()
    assert answers(clickhouse)


def test_a_client_that_leaves_in_the_middle_frees_its_place(clickhouse: ClickHouse) -> None:
    for _ in range(8):
        with wire.connect(clickhouse) as sock:
            text = "SELECT number FROM numbers(100000000)"
            sock.sendall(wire.hello("analyst", "") + wire.query(text) + wire.EMPTY_BLOCK)
            assert sock.recv(100)
    assert answers(clickhouse)


@pytest.mark.parametrize("leave", [varint(3), b""], ids=["cancel", "leave"])
def test_a_query_that_answers_nothing_yet_is_stopped(clickhouse: ClickHouse, leave: bytes) -> None:
    text = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
    for _ in range(4):
        with wire.connect(clickhouse) as sock:
            sock.sendall(wire.hello("analyst", "") + wire.query(text) + wire.EMPTY_BLOCK)
            running(clickhouse, text)
            if leave:
                sock.sendall(leave)
                sock.settimeout(wire.ANSWER_S)
                while not sock.recv(4096).endswith(b"\x05"):
                    pass
    assert answers(clickhouse)


def running(clickhouse: ClickHouse, text: str) -> None:
    """Wait until `text` is at work in the engine."""
    asked = "SELECT count() FROM system.processes WHERE endsWith(query, %(text)s)"
    with Warehouse(clickhouse.writer) as writer:
        while writer.execute(asked, {"text": text}) == [(0,)]:
            pass


def test_a_reader_is_stopped_at_its_memory(clickhouse: ClickHouse) -> None:
    warehouse = Warehouse(clickhouse.analyst)
    with pytest.raises(Exception, match=r"memory limit|MEMORY_LIMIT"):
        warehouse.execute("SELECT groupArray(number) FROM numbers(1000000000)")
    assert warehouse.execute("SELECT 1") == [(1,)]
    warehouse.close()


def test_compression_is_refused_in_words(clickhouse: ClickHouse) -> None:
    answer = wire.talk(clickhouse, wire.hello("analyst", ""), wire.query("SELECT 1", compressed=True))
    assert b"Compression is not supported" in answer


HELLO = wire.hello("analyst", "")
BAD_PACKETS = {
    "not the protocol": b"GET / HTTP/1.1\r\n\r\n",
    "unknown packet": HELLO + varint(77),
    "a second hello": HELLO + HELLO,
    "a long name": varint(0) + varint(1 << 40),
    "a number without end": varint(0) + b"\xff" * 30,
    "data without a query": HELLO
    + varint(2)
    + string("")
    + b"\x00"
    + varint(1)
    + varint(1)
    + string("a")
    + string("UInt8")
    + b"1",
    "too many columns": HELLO + varint(2) + string("") + b"\x00" + varint(1 << 30) + varint(1),
    "unknown block information": HELLO + varint(2) + string("") + b"\x09",
    "text that is not UTF-8": varint(0) + b"\x02\xff\xfe",
    "a ping in a query": HELLO + wire.query("SELECT 1") + varint(4),
    "http client information": HELLO + varint(1) + string("") + b"\x01" + string("") * 3 + b"\x02",
}


@pytest.mark.parametrize("name", BAD_PACKETS)
def test_a_malformed_packet_is_answered_with_an_exception(clickhouse: ClickHouse, name: str) -> None:
    answer = wire.talk(clickhouse, BAD_PACKETS[name])
    assert b"Malformed input" in answer
    assert answers(clickhouse)


def test_an_old_client_is_told(clickhouse: ClickHouse) -> None:
    assert b"or newer is needed" in wire.talk(clickhouse, wire.hello("analyst", "", revision=54400))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=1, max_size=120), greeted=st.booleans())
def test_no_bytes_harm_it(clickhouse: ClickHouse, noise: bytes, greeted: bool) -> None:
    wire.talk(clickhouse, HELLO + noise if greeted else noise)
    answer = wire.talk(clickhouse, HELLO, varint(4))
    assert answer.endswith(varint(4))
