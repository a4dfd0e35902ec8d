"""Every unusable setting is one line that names it; secrets are not shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from switchlog.setting.address import address, addresses, networks
from switchlog.setting.given import given
from switchlog.setting.settings import Settings, SettingsError, load

BAD = [
    ("SWITCHLOG_SIP_UPD", "127.0.0.1:5060", "unknown setting SWITCHLOG_SIP_UPD"),
    ("SWITCHLOG_http", "127.0.0.1:1", "unknown setting SWITCHLOG_http"),
    ("SWITCHLOG_SIP_UDP", "5060", "is not host:port"),
    ("SWITCHLOG_SIP_UDP", "::1:5060", "in brackets"),
    ("SWITCHLOG_SIP_TCP", "127.0.0.1:5060,", "is not host:port"),
    ("SWITCHLOG_SIP_TCP", "127.0.0.1:5060;[::1]:5060", "is not host:port"),
    ("SWITCHLOG_SIP_UDP", "0.0.0.0:5060", "set SWITCHLOG_SIP_ADVERTISE"),
    ("SWITCHLOG_SIP_ADVERTISE", "192.0.2.1,pbx.example:5060", "'pbx.example:5060' is not a host"),
    ("SWITCHLOG_SIP_ADVERTISE", "two words", "without a port"),
    ("SWITCHLOG_TLS_CLIENT", "maybe", "use off, optional or required"),
    ("SWITCHLOG_TLS_CLIENT", "required", "needs SWITCHLOG_TLS_CA"),
    ("SWITCHLOG_HTTP", "127.0.0.1:70000", "is not host:port"),
    ("SWITCHLOG_HTTP", "", "must not be empty"),
    ("SWITCHLOG_SIP_WSS", "127.0.0.1:5062", "does not have it yet"),
    ("SWITCHLOG_MEDIA_PORTS", "20000", "'20000' is no range of ports: write such as 20000-29999"),
    ("SWITCHLOG_MEDIA_PORTS", "29999-20000", "is no range of ports"),
    ("SWITCHLOG_MEDIA_PORTS", "80-90", "not below 1024"),
    ("SWITCHLOG_MEDIA_PORTS", "20000-70000", "is no range of ports"),
    ("SWITCHLOG_MEDIA_ADVERTISE", "pbx.example", "'pbx.example' is not an address"),
    ("SWITCHLOG_STORAGE", "http://minio:9000/recordings", "neither a folder nor s3://"),
    ("SWITCHLOG_STORAGE", "s3://K:secret@bucket", "SWITCHLOG_STORAGE: must name the key only"),
    ("SWITCHLOG_STORAGE", "s3://K@bucket", "a key and SWITCHLOG_STORAGE_SECRET go together"),
    ("SWITCHLOG_STORAGE_SECRET", "hush", "needs SWITCHLOG_STORAGE=s3://KEY@bucket"),
    ("SWITCHLOG_WEBHOOK_ALLOW", "127.0.0.0/8", "does not have it yet"),
    ("SWITCHLOG_JOURNAL", "postgres:", "is not a journal: use sqlite: or kafka://"),
    ("SWITCHLOG_JOURNAL", "kafka:", "SWITCHLOG_JOURNAL: "),
    (
        "SWITCHLOG_JOURNAL",
        "kafka://127.0.0.1:seven",
        "JOURNAL: '127.0.0.1:seven' is no broker: write host:port",
    ),
    ("SWITCHLOG_JOURNAL", "kafka://h/topic", "SWITCHLOG_JOURNAL: must be kafka://host:port"),
    ("SWITCHLOG_JOURNAL", "kafka://h?prefx=a", "SWITCHLOG_JOURNAL: prefx is not known: choose of"),
    ("SWITCHLOG_JOURNAL", "kafka://user@h", "SWITCHLOG_JOURNAL: SASL wants a user"),
    ("SWITCHLOG_JOURNAL", "kafka://user:secret@h", "put that into SWITCHLOG_KAFKA_PASSWORD"),
    ("SWITCHLOG_KAFKA_PASSWORD", "secret", "needs SWITCHLOG_JOURNAL=kafka://user@host:port"),
    ("SWITCHLOG_CLICKHOUSE", "http://127.0.0.1", "use embedded or clickhouse://"),
    ("SWITCHLOG_CLICKHOUSE", "clickhouse://u:p@h/d?verify=no", "use embedded or clickhouse://"),
    ("SWITCHLOG_CLICKHOUSE_CLUSTER", "a'b", "use the name that the servers' remote_servers have"),
    ("SWITCHLOG_CLICKHOUSE_CLUSTER", "calls", "needs a server in SWITCHLOG_CLICKHOUSE"),
    ("SWITCHLOG_WORKERS", "4", "SWITCHLOG_WORKERS=4 needs SWITCHLOG_JOURNAL=kafka://...: a journal in a file has one"),
    ("SWITCHLOG_WORKERS", "0", "SWITCHLOG_WORKERS: '0' cannot be used: write a whole number from 1 to 64 (on Kafka:"),
    ("SWITCHLOG_WORKERS", "many", "SWITCHLOG_WORKERS: 'many' cannot be used: write a whole number from 1 to 64"),
    ("SWITCHLOG_SIP_RATE", "fast", "'fast' cannot be used: write a number from 0 (requests outside"),
    ("SWITCHLOG_SIP_RATE", "nan", "write a number from 0"),
    ("SWITCHLOG_SIP_RATE", "inf", "write a number from 0"),
    ("SWITCHLOG_SESSION_EXPIRES", "5", "'5' cannot be used: write a whole number from 90 to 86400 (seconds after"),
    ("SWITCHLOG_SESSION_EXPIRES", "100000", "from 90 to 86400"),
    ("SWITCHLOG_PROBE_S", "1.5", "write a whole number from 0 (seconds after"),
    ("SWITCHLOG_TRACE_BYTES", "lots", "write a whole number from 0"),
    ("SWITCHLOG_HEP_ID", "4294967296", "write a whole number from 0, below 4294967296"),
    ("SWITCHLOG_HEP", "collector:9060", "'collector' is a name: use the collector's address"),
    ("SWITCHLOG_SIP_UDP", "[zz]:5060", "[zz] is not an IPv6 address: use such as"),
    ("SWITCHLOG_SIP_DENY", "acme", "'acme' is not a network: use networks such as"),
    ("SWITCHLOG_CLICKHOUSE", "clickhouse://u:secret@h:123456/d", "use embedded or clickhouse://user"),
    ("SWITCHLOG_CLICKHOUSE", "clickhouse://[::1/d", "use embedded or clickhouse://user"),
    ("SWITCHLOG_SIP_DIGEST", "SHA-1", "is not a list of"),
    ("SWITCHLOG_SIP_DIGEST", "MD5,MD5", "is not a list of"),
    ("SWITCHLOG_ADMIN_KEY", "short", "16 or more"),
    ("SWITCHLOG_TLS_CERT", "/c.pem", "need each other"),
    ("SWITCHLOG_CLICKHOUSE_LISTEN", "0.0.0.0:9000", "SWITCHLOG_CLICKHOUSE_ANALYST_PASSWORD"),
    ("SWITCHLOG_LOG", "loud", "use auto, json or console"),
]


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_an_unusable_setting_is_one_line(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environment={name: value})
    text = str(caught.value)
    assert name.removeprefix("SWITCHLOG_") in text
    assert words in text
    assert "\n" not in text
    assert "Input should" not in text
    assert "secret" not in text


def test_the_environment_wins_over_the_file_and_arguments_over_both(tmp_path: Path) -> None:
    config = tmp_path / "switchlog.toml"
    config.write_text(
        'SWITCHLOG_HTTP = "127.0.0.1:1"\nSWITCHLOG_NODE = "file"\nSWITCHLOG_WORKERS = 1\nSWITCHLOG_SIP_RATE = 0.5\n'
    )
    settings = load(config, {"SWITCHLOG_NODE": "environment", "SWITCHLOG_URL": "x", "PATH": "x"}, data=Path("there"))
    assert (settings.http, settings.node, settings.data) == ("127.0.0.1:1", "environment", Path("there"))
    assert settings.sip_rate == 0.5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SWITCHLOG_HTTPS = 'x'", "unknown setting SWITCHLOG_HTTPS"),
        ("http = 'x'", "names start with"),
        ("SWITCHLOG_HTTP = ['x']", "must be text"),
        ("SWITCHLOG_HTTP", "is not TOML"),
    ],
)
def test_an_unusable_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "switchlog.toml"
    config.write_text(text)
    with pytest.raises(SettingsError, match=words):
        load(config, {})


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load(tmp_path / "none.toml", {})


def test_a_child_process_gets_the_very_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        environment={
            "SWITCHLOG_ADMIN_KEY": "k" * 16,
            "SWITCHLOG_NODE": "a",
            "SWITCHLOG_SIP_ADVERTISE": "192.0.2.5, 2001:db8::5",
        }
    )
    monkeypatch.setenv("SWITCHLOG_NODE", "b")
    child = given(settings.model_dump_json().encode())
    assert {name: getattr(child, name) for name in Settings.model_fields} == dict(settings)
    assert child.digest_algorithms == settings.digest_algorithms == ("SHA-256", "MD5")
    assert child.advertised("::1") == settings.advertised("::1") == "2001:db8::5"


@pytest.mark.parametrize(
    ("journal", "named", "path", "made"),
    [
        ("sqlite:", "", "d/master.key", True),
        ("sqlite:", "/keys/one", "/keys/one", True),
        ("kafka://127.0.0.1:9092", "", "d/master.key", True),
        ("kafka://127.0.0.1:9092", "/keys/one", "/keys/one", False),
    ],
)
def test_the_master_key_is_where_it_is_said_to_be(journal: str, named: str, path: str, made: bool) -> None:
    """One that is missing is made, but for one that was named on Kafka: that is the cluster's."""
    settings = load(
        environment={
            "SWITCHLOG_DATA": "d",
            "SWITCHLOG_JOURNAL": journal,
            "SWITCHLOG_MASTER_KEY_FILE": named,
        }
    )
    child = given(settings.model_dump_json().encode())
    for one in (settings, child):
        assert (one.key_file, one.makes_key) == (Path(path), made)


def test_secrets_are_not_shown() -> None:
    environment = {
        "SWITCHLOG_ADMIN_KEY": "k" * 16,
        "SWITCHLOG_CLICKHOUSE_PASSWORD": "hidden-one",
        "SWITCHLOG_CLICKHOUSE": "clickhouse://switchlog:hidden-two@127.0.0.1:9000/switchlog",
        "SWITCHLOG_JOURNAL": "kafka://pbx@127.0.0.1:9092",
        "SWITCHLOG_KAFKA_PASSWORD": "hidden-three",
    }
    shown = load(environment=environment).shown()
    assert shown["SWITCHLOG_ADMIN_KEY"] == shown["SWITCHLOG_KAFKA_PASSWORD"] == "********"
    assert "hidden" not in str(shown)
    assert shown["SWITCHLOG_CLICKHOUSE"] == "clickhouse://switchlog:********@127.0.0.1:9000/switchlog"


def test_what_stands_for_a_listener_is_of_its_family() -> None:
    both = load(environment={"SWITCHLOG_SIP_ADVERTISE": "192.0.2.1, [2001:db8::1]", "SWITCHLOG_SIP_UDP": "[::]:5060"})
    hosts = ("127.0.0.1", "0.0.0.0", "::", "::1")
    assert [both.advertised(host) for host in hosts] == ["192.0.2.1"] * 2 + ["2001:db8::1"] * 2
    name = load(environment={"SWITCHLOG_SIP_ADVERTISE": "pbx.example"})
    assert {name.advertised(host) for host in hosts} == {"pbx.example"}
    with pytest.raises(SettingsError, match="SIP_TCP listens on every address"):
        load(environment={"SWITCHLOG_SIP_ADVERTISE": "192.0.2.1", "SWITCHLOG_SIP_TCP": "127.0.0.1:1,[::]:1"})


def test_addresses() -> None:
    assert addresses("127.0.0.1:5060, [::1]:5070") == (("127.0.0.1", 5060), ("::1", 5070))
    assert addresses("") == ()
    assert address("[::1]:5060") == ("::1", 5060)
    assert address("localhost:0") == ("localhost", 0)
    assert load(environment={"SWITCHLOG_SIP_DIGEST": "md5"}).digest_algorithms == ("MD5",)


@pytest.mark.parametrize("name", ["SIP_EXEMPT", "SIP_ALLOW", "SIP_DENY"])
def test_networks_are_checked(name: str) -> None:
    fine = load(environment={f"SWITCHLOG_{name}": "192.0.2.0/24, 2001:db8::/32,198.51.100.7"})
    assert len(networks(getattr(fine, name.lower()))) == 3
    for wrong in ("192.0.2.1/24", "acme.example"):
        with pytest.raises(SettingsError, match=f"SWITCHLOG_{name}: .*use networks such as"):
            load(environment={f"SWITCHLOG_{name}": wrong})


def test_a_rate_is_not_negative() -> None:
    assert load(environment={"SWITCHLOG_SIP_RATE": "0"}).sip_rate == 0
    with pytest.raises(SettingsError, match="SWITCHLOG_SIP_RATE"):
        load(environment={"SWITCHLOG_SIP_RATE": "-1"})


LINK = {
    "SWITCHLOG_JOURNAL": "kafka://127.0.0.1:9092",
    "SWITCHLOG_LINK": "127.0.0.1:5070",
    "SWITCHLOG_LINK_CERT": "a.crt",
    "SWITCHLOG_LINK_KEY": "a.key",
    "SWITCHLOG_LINK_CA": "ca.crt",
}


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("SWITCHLOG_LINK", "SWITCHLOG_LINK_... mean nothing without SWITCHLOG_LINK"),
        ("SWITCHLOG_LINK_CA", "SWITCHLOG_LINK needs SWITCHLOG_LINK_CA:"),
        ("SWITCHLOG_LINK_CERT", "SWITCHLOG_LINK needs SWITCHLOG_LINK_CERT:"),
        ("SWITCHLOG_JOURNAL", "SWITCHLOG_LINK needs SWITCHLOG_JOURNAL=kafka"),
    ],
)
def test_the_link_between_nodes_is_set_whole_or_not_at_all(without: str, words: str) -> None:
    assert load(environment=LINK).link == "127.0.0.1:5070"
    with pytest.raises(SettingsError, match=re.escape(words)):
        load(environment={name: value for name, value in LINK.items() if name != without})


def test_the_link_is_an_address() -> None:
    with pytest.raises(SettingsError, match="SWITCHLOG_LINK: 'here' is not host:port"):
        load(environment=LINK | {"SWITCHLOG_LINK": "here"})


@pytest.mark.parametrize(
    ("listening", "host"),
    [
        ({}, "127.0.0.1"),
        ({"sip_tls": "", "sip_tcp": "192.0.2.1:5060", "sip_udp": "192.0.2.1:5060"}, "192.0.2.1"),
        ({"sip_udp": "192.0.2.1:5060"}, "0.0.0.0"),
        ({"sip_udp": "[::1]:5060", "sip_tcp": "[2001:db8::1]:5060", "sip_tls": ""}, "::"),
        ({"sip_udp": "[::1]:5060,127.0.0.1:5060", "sip_tcp": "", "sip_tls": ""}, "::"),
        ({"sip_udp": "", "sip_tcp": "", "sip_tls": ""}, "0.0.0.0"),
    ],
)
def test_media_are_where_sip_is(listening: dict[str, Any], host: str) -> None:
    assert load(environment={}, **listening).media_host == host


def test_media_have_ports_unless_they_are_switched_off_or_rooms_would_be_torn() -> None:
    assert load(environment={}).media_range == (20000, 29999)
    assert load(environment={}, media_ports="").media_range is None
    assert load(environment={}, journal="kafka://127.0.0.1", node="a").media_range == (20000, 29999)
