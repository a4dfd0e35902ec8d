"""Where the analytics database is, as the settings say it."""

from __future__ import annotations

from pathlib import Path

from adapters.analytics.endpoint import Endpoint
from switchlog.setting.settings import load
from switchlog.store.warehouse import endpoint

SERVER = "clickhouse://pbx@db.example:9001/calls"


def test_the_password_of_a_server_may_be_a_setting_of_its_own() -> None:
    settings = load(environment={"SWITCHLOG_CLICKHOUSE": SERVER, "SWITCHLOG_CLICKHOUSE_PASSWORD": "p@ss"})
    assert endpoint(settings) == Endpoint("db.example", 9001, "pbx", "p@ss", "calls")


def test_the_password_in_the_address_comes_first() -> None:
    server = SERVER.replace("pbx@", "pbx:its%20own@")
    settings = load(environment={"SWITCHLOG_CLICKHOUSE": server, "SWITCHLOG_CLICKHOUSE_PASSWORD": "other"})
    assert endpoint(settings).password == "its own"


def test_the_engine_inside_has_a_password_that_lasts(tmp_path: Path) -> None:
    settings = load(environment={}, data=tmp_path)
    assert endpoint(settings) == endpoint(settings)
    assert (endpoint(settings).user, endpoint(settings).port) == ("switchlog", 9000)
    assert len(endpoint(settings).password) == 32
