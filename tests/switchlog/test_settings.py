"""Every unusable setting is one line that names it; secrets are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchlog.settings import Settings, SettingsError, address, addresses, load, networks

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
    ("SWITCHLOG_MEDIA_PORTS", "20000-29999", "does not have it yet"),
    ("SWITCHLOG_WEBHOOK_ALLOW", "127.0.0.0/8", "does not have it yet"),
    ("SWITCHLOG_JOURNAL", "kafka://127.0.0.1:9092", "Kafka journal yet"),
    ("SWITCHLOG_JOURNAL", "postgres:", "is not a journal"),
    ("SWITCHLOG_CLICKHOUSE", "http://127.0.0.1", "use embedded or clickhouse://"),
    ("SWITCHLOG_WORKERS", "4", "exactly 1"),
    ("SWITCHLOG_WORKERS", "many", "valid integer"),
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
    settings = load(environment={"SWITCHLOG_ADMIN_KEY": "k" * 16, "SWITCHLOG_NODE": "a"})
    monkeypatch.setenv("SWITCHLOG_NODE", "b")
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_secrets_are_not_shown() -> None:
    environment = {
        "SWITCHLOG_ADMIN_KEY": "k" * 16,
        "SWITCHLOG_CLICKHOUSE_PASSWORD": "hidden-one",
        "SWITCHLOG_CLICKHOUSE": "clickhouse://switchlog:hidden-two@127.0.0.1:9000/switchlog",
    }
    shown = load(environment=environment).shown()
    assert shown["SWITCHLOG_ADMIN_KEY"] == "********"
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
