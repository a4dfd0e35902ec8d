"""The Compose files against the Compose specification, and against the settings, the command line and the ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml
from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource  # type: ignore[import-untyped]

from cluster.broker import Broker
from switchlog.roles import ROLES
from switchlog.setting.address import Address, address, addresses, is_loopback
from switchlog.setting.settings import Settings
from tests.deploy.files import DEPLOY, ROOT, Missing, command, interpolated, settings_of, variables

CLUSTER, ONE_NODE = ROOT / "docker-compose.yml", DEPLOY / "compose/one-node.yml"
files = pytest.mark.parametrize("path", [CLUSTER, ONE_NODE], ids=lambda path: path.stem)
_TOOLS = [Address("127.0.0.1", 9090), Address("127.0.0.1", 3000)]
"""Where Prometheus and Grafana listen."""


def composed(path: Path, **environment: str) -> dict[str, Any]:
    """The file as Compose reads it, merge keys and variables resolved."""
    content: dict[str, Any] = interpolated(yaml.safe_load(path.read_text()), environment)
    return {name: part for name, part in content.items() if not name.startswith("x-")}


def servers(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run `switchlog serve`."""
    own = {name: one for name, one in content["services"].items() if one["image"].startswith("switchlog:")}
    return {name: one for name, one in own.items() if "entrypoint" not in one}


def told(service: dict[str, Any]) -> Settings:
    return settings_of({name: value for name, value in service["environment"].items() if name.startswith("SWITCHLOG_")})


def roles(service: dict[str, Any]) -> set[str]:
    words = service.get("command", ["serve"])
    named = {words[at + 1] for at, word in enumerate(words) if word == "--role"}
    return named or set(ROLES) - ({"analytics"} if told(service).clickhouse != "embedded" else set())


def sip(settings: Settings) -> list[Address]:
    return [one for text in (settings.sip_udp, settings.sip_tcp, settings.sip_tls) for one in addresses(text)]


@files
def test_it_follows_the_specification(path: Path) -> None:
    parsed = compose_spec.PyCompose.from_yaml(yaml.safe_dump(composed(path)))
    parsed.validate()
    assert set(parsed.service_names()) == set(composed(path)["services"])


def test_a_service_that_knows_no_such_field_is_refused() -> None:
    content = composed(CLUSTER)
    content["services"]["kafka"]["red_only"] = True
    with pytest.raises(ValueError, match="red_only"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump(content))


def test_the_cluster_is_whole() -> None:
    content = composed(CLUSTER)
    jobs = {name: roles(service) for name, service in servers(content).items()}
    nodes = {name for name, does in jobs.items() if "sessions" in does}
    assert len(nodes) == 2
    assert {frozenset(does) for name, does in jobs.items() if name not in nodes} == {
        frozenset({"projector", "api"}),
        frozenset({"api"}),
    }
    assert content["services"].keys() - jobs.keys() == {"keys", "kafka", "clickhouse", "prometheus", "grafana"}
    names = [told(service).node for service in servers(content).values()]
    assert len(set(names)) == len(names), "the names tell writers and members of the group apart"


@files
def test_it_needs_nothing_but_may_be_told(path: Path) -> None:
    wanted = {"ADDRESS", "CLICKHOUSE_PASSWORD", "ANALYST_PASSWORD", "GRAFANA_PASSWORD", "SWITCHLOG_ADMIN_KEY"}
    assert variables(path.read_text()) == wanted
    page = (ROOT / "docs/deployment.md").read_text()
    assert {name for name in wanted if f"`{name}`" not in page} == set()


def test_variables_are_replaced_as_compose_does_it() -> None:
    assert interpolated(["${A:-b} $${A} ${C}", 1], {"A": "x", "C": "y"}) == ["x ${A} y", 1]
    assert interpolated({"a": "${A:-b}${C}"}, {}) == {"a": "b"}
    with pytest.raises(Missing):
        interpolated("${A:?say so}", {})


@files
def test_what_it_names_is_there(path: Path) -> None:
    content = composed(path)
    used = set()
    for name, service in content["services"].items():
        for mount in service.get("volumes", ()):
            source, target, *mode = mount.split(":")
            assert target.startswith("/"), name
            if source.startswith("."):
                assert (path.parent / source).exists(), mount
                assert mode == ["ro"], f"{name} may write into the checkout: {mount}"
            else:
                used.add(source)
        depends = service.get("depends_on", {})
        assert set(depends) <= set(content["services"]), name
        for other, how in depends.items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in content["services"][other]
    assert used == set(content["volumes"])
    assert {(path.parent / one["build"]).resolve() for one in content["services"].values() if "build" in one} == {ROOT}


@files
def test_our_services_are_told_what_they_know_and_do_what_there_is(path: Path) -> None:
    content = composed(path)
    assert servers(content)
    for name, service in servers(content).items():
        told(service)
        assert command(service.get("command", ["serve"])) == "serve"
        assert roles(service) <= set(ROLES)
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "privileged" not in service
        assert service["tmpfs"] == ["/tmp"]
        data = [mount.split(":")[0] for mount in service["volumes"] if mount.endswith(":/var/lib/switchlog")]
        assert len(data) == 1
        others = [one for other, one in content["services"].items() if other != name]
        assert not any(mount.startswith(f"{data[0]}:") for one in others for mount in one.get("volumes", ()))


@files
def test_the_health_of_ours_is_what_the_image_says(path: Path) -> None:
    assert not any("healthcheck" in service for service in servers(composed(path)).values())


@files
def test_every_image_is_named_with_its_version(path: Path) -> None:
    for name, service in composed(path)["services"].items():
        assert service["image"].rpartition(":")[2] not in ("", "latest", service["image"]), name


@files
def test_nothing_listens_beyond_this_machine_unless_told(path: Path) -> None:
    content = composed(path)
    for name, service in content["services"].items():
        host = service.get("network_mode") == "host"
        assert host or all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert not host or name in servers(content) or name in ("prometheus", "grafana")
    for service in servers(content).values():
        settings = told(service)
        heard = sip(settings) if "sessions" in roles(service) else []
        assert all(is_loopback(one.host) for one in (*heard, address(settings.http), *addresses(settings.link)))
    assert "--web.listen-address=127.0.0.1:9090" in content["services"]["prometheus"]["command"]
    assert content["services"]["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


@files
def test_an_address_moves_sip_and_nothing_else(path: Path) -> None:
    for service in servers(composed(path, ADDRESS="192.0.2.10")).values():
        if "sessions" in roles(service):
            assert {one.host for one in sip(told(service))} == {"192.0.2.10"}
        assert is_loopback(address(told(service).http).host)


@files
def test_no_two_services_want_one_port_of_the_host(path: Path) -> None:
    content = composed(path)
    streams, datagrams = list(_TOOLS), list[Address]()
    for service in content["services"].values():
        for port in service.get("ports", ()):
            streams.append(address(port.rpartition(":")[0]))
    for service in servers(content).values():
        settings = told(service)
        streams.append(address(settings.http))
        if "sessions" in roles(service):
            datagrams += addresses(settings.sip_udp)
            streams += [*addresses(settings.sip_tcp), *addresses(settings.sip_tls), *addresses(settings.link)]
    assert len(streams) == len(set(streams)), sorted(streams)
    assert len(datagrams) == len(set(datagrams)), sorted(datagrams)


@files
def test_prometheus_asks_every_api_and_grafana_asks_prometheus(path: Path) -> None:
    content = composed(path)
    prometheus = content["services"]["prometheus"]
    assert "./prometheus:/etc/prometheus:ro" in {
        mount.replace("/deploy", "").replace("..", ".") for mount in prometheus["volumes"]
    }
    (name,) = (word.rpartition("/")[2] for word in prometheus["command"] if word.startswith("--config.file="))
    scraped = yaml.safe_load((DEPLOY / "prometheus" / name).read_text())["scrape_configs"]
    targets = {target for one in scraped for group in one["static_configs"] for target in group["targets"]}
    assert targets == {told(service).http for service in servers(content).values() if "api" in roles(service)}
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert address(source["url"].removeprefix("http://")) in _TOOLS
    boards = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/switchlog.yml").read_text())["providers"][0]
    mounts = {
        Path(mount.split(":")[0]).name: mount.split(":")[1] for mount in content["services"]["grafana"]["volumes"]
    }
    assert mounts["boards"] == boards["options"]["path"]
    assert mounts["provisioning"] == "/etc/grafana/provisioning"


@files
def test_clickhouse_and_its_writers_agree(path: Path) -> None:
    content = composed(path, CLICKHOUSE_PASSWORD="other")
    clickhouse = content["services"]["clickhouse"]
    user, password, database = (clickhouse["environment"][f"CLICKHOUSE_{part}"] for part in ("USER", "PASSWORD", "DB"))
    where, _, inside = clickhouse["ports"][0].rpartition(":")
    assert inside == "9000"
    for service in servers(content).values():
        assert told(service).clickhouse == f"clickhouse://{user}@{where}/{database}"
        assert told(service).clickhouse_password == password == "other"


def test_kafka_is_where_the_nodes_look() -> None:
    content = composed(CLUSTER)
    kafka = content["services"]["kafka"]
    where, _, inside = kafka["ports"][0].rpartition(":")
    assert kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{where}"
    assert f"PLAINTEXT://:{inside}" in kafka["environment"]["KAFKA_LISTENERS"].split(",")
    assert {told(service).journal for service in servers(content).values()} == {f"kafka://{where}"}
    (logs,) = (mount.split(":")[1] for mount in kafka["volumes"])
    assert kafka["environment"]["KAFKA_LOG_DIRS"] == logs


def test_kafka_is_told_what_a_broker_knows(broker: Broker) -> None:
    environment = composed(CLUSTER)["services"]["kafka"]["environment"]
    told = [name.removeprefix("KAFKA_") for name in environment if name.startswith("KAFKA_")]
    names = {name.lower().replace("_", ".") for name in told}
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        known = admin.describe_configs([ConfigResource("BROKER", "1")], config_filter="all")["broker"]["1"]
    finally:
        admin.close()
    assert "log.dirs" in known
    assert names - known.keys() == set()


def test_all_of_ours_have_the_one_key_before_they_start() -> None:
    content = composed(CLUSTER)
    folder = content["services"]["keys"]["entrypoint"][2]
    assert f"keys:{folder}" in content["services"]["keys"]["volumes"]
    for name, service in servers(content).items():
        assert service["depends_on"]["keys"] == {"condition": "service_completed_successfully"}, name
        assert "keys:/run/keys:ro" in service["volumes"], name
        assert str(told(service).master_key_file) == "/run/keys/master.key", name


def test_nodes_show_each_other_what_the_keys_are_made_for() -> None:
    content = composed(CLUSTER)
    _, *nodes = content["services"]["keys"]["entrypoint"][2:]
    ours = [told(service) for service in servers(content).values() if "sessions" in roles(service)]
    assert {settings.node for settings in ours} == set(nodes)
    for settings in ours:
        files = [f"/run/keys/link-{one}" for one in (f"{settings.node}.crt", f"{settings.node}.key", "ca.crt")]
        assert [settings.link_cert, settings.link_key, settings.link_ca] == files
        assert settings.link
