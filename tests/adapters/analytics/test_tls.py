"""A ClickHouse behind TLS, and what its address may say."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.analytics.client import Endpoint, Warehouse, WarehouseError
from tests.fixtures.authority import Authority
from tests.fixtures.clickhouse import PASSWORD, ClickHouse
from tests.fixtures.relay import Relay


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secured(clickhouse: ClickHouse, authority: Authority) -> Iterator[int]:
    """The port of the engine behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("clickhouse"))
    with Relay((clickhouse.host, clickhouse.port), tls=context) as relay:
        yield relay.port


def address(port: int, options: str) -> Endpoint:
    return Endpoint.parse(f"clickhouses://switchlog:{PASSWORD}@127.0.0.1:{port}/switchlog?{options}")


def test_rows_go_and_come_over_tls(secured: int, authority: Authority) -> None:
    with Warehouse(address(secured, f"ca_certs={authority.certificate}")) as warehouse:
        warehouse.execute("CREATE TABLE secured (a UInt8) ENGINE = Memory")
        warehouse.insert("secured", ("a",), [(7,)])
        assert warehouse.execute("SELECT a FROM secured") == [(7,)]
        warehouse.execute("DROP TABLE secured SYNC")


def test_a_certificate_of_an_unknown_authority_is_refused_and_waited_for(secured: int) -> None:
    with Warehouse(address(secured, "")) as warehouse, pytest.raises(WarehouseError, match="certificate") as refused:
        warehouse.execute("SELECT 1")
    assert refused.value.retryable, "whoever renews the certificate need not restart us"


def test_it_may_be_taken_unchecked(secured: int) -> None:
    with Warehouse(address(secured, "verify=false")) as warehouse:
        assert warehouse.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("clickhouses://h", Endpoint("h", 9440, "switchlog", "", secure=True)),
        ("clickhouse://h?secure=true", Endpoint("h", 9440, "switchlog", "", secure=True)),
        ("clickhouses://h:9000/d?verify=0", Endpoint("h", 9000, "switchlog", "", "d", secure=True, verify=False)),
        ("clickhouse://[2001:db8::1]:9/d", Endpoint("2001:db8::1", 9, "switchlog", "", "d")),
    ],
)
def test_what_an_address_says_of_tls(url: str, wanted: Endpoint) -> None:
    assert Endpoint.parse(url) == wanted


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("clickhouse://u:hidden@h?compression=1", "options of secure, verify and ca_certs only"),
        ("clickhouse://u:hidden@h?secure=perhaps", "true or false"),
        ("clickhouse://u:hidden@h?verify=false", "clickhouses://.*belong to TLS"),
        ("clickhouse://u:hidden@h:123456", "clickhouse://user:password@host:port/database"),
        ("clickhouse://u:hidden@:9000", "clickhouse://user:password@host:port/database"),
    ],
)
def test_a_wrong_address_says_what_would_be_right_and_no_password(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        Endpoint.parse(url)
    assert "hidden" not in str(refused.value)
