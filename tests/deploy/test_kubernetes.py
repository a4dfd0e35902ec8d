"""The manifests against Kubernetes' own schemas, and the fields that matter against the settings and the image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.deploy.files import DEPLOY, PARTS, command, documents, found, ports_of, settings_of

KUBERNETES = DEPLOY / "kubernetes"
VERSIONS = ("1.29", "1.34")
"""The oldest release with all that is used here (ReadWriteOncePod), and a new one."""
SETS = sorted(path.parent.name for path in KUBERNETES.glob("*/kustomization.yaml"))
FILES = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
EXAMPLE = "secret.example.yaml"
MADE = frozenset({"switchlog-keys"})
"""Secrets that are made of files, by a command in the docs."""


class Workload(NamedTuple):
    """One container of ours, with what stands around it."""

    kind: str
    name: str
    spec: dict[str, Any]
    pod: dict[str, Any]
    container: dict[str, Any]


def objects(folder: str) -> list[dict[str, Any]]:
    """What the kustomization of a folder has, and the secret that it expects."""
    kustomization = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
    return [one for name in (*kustomization["resources"], EXAMPLE) for one in documents(KUBERNETES / folder / name)]


def workloads(folder: str) -> Iterator[Workload]:
    for one in objects(folder):
        if one["kind"] in ("StatefulSet", "Deployment", "DaemonSet"):
            pod = one["spec"]["template"]["spec"]
            for container in pod["containers"]:
                yield Workload(one["kind"], one["metadata"]["name"], one["spec"], pod, container)


ALL = [pytest.param(folder, one, id=f"{folder}-{one.name}") for folder in SETS for one in workloads(folder)]


def data_of(folder: str, kind: str, name: str) -> dict[str, str]:
    (one,) = (one for one in objects(folder) if (one["kind"], one["metadata"]["name"]) == (kind, name))
    told: dict[str, str] = one["stringData" if kind == "Secret" else "data"]
    return told


def environment(folder: str, workload: Workload) -> dict[str, str]:
    """What the container sees: later ones win, `$(NAME)` is replaced, fields of the pod are made up."""
    told: dict[str, str] = {}
    for source in workload.container.get("envFrom", ()):
        (key,) = source
        kind = {"configMapRef": "ConfigMap", "secretRef": "Secret"}[key]
        told |= data_of(folder, kind, source[key]["name"])
    for one in workload.container.get("env", ()):
        value = one.get("value", "")
        if "valueFrom" in one:
            path = one["valueFrom"]["fieldRef"]["fieldPath"]
            value = {"status.hostIP": "192.0.2.1", "status.podIP": "192.0.2.2", "metadata.name": "switchlog-1"}[path]
        told[one["name"]] = re.sub(r"\$\((\w+)\)", lambda use: told[use[1]], value)
    return {name: value for name, value in told.items() if name.startswith("SWITCHLOG_")}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(KUBERNETES)))
def test_every_field_is_one_that_kubernetes_knows(path: Path, version: str) -> None:
    for one in documents(path):
        kubernetes_validate.validate(one, version, strict=True)


def test_the_gate_sees_a_field_that_kubernetes_does_not_know() -> None:
    (one, *_) = documents(KUBERNETES / SETS[0] / "node.yaml")
    one["spec"]["template"]["spec"]["terminationGracePeriod"] = 60
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, VERSIONS[0], strict=True)


@pytest.mark.parametrize("folder", SETS)
def test_a_kustomization_names_every_file_but_the_example_of_secrets(folder: str) -> None:
    kustomization = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
    there = {path.name for path in (KUBERNETES / folder).iterdir()}
    assert set(kustomization["resources"]) == there - {"kustomization.yaml", EXAMPLE}
    namespaces = {one["metadata"]["name"] for one in objects(folder) if one["kind"] == "Namespace"}
    assert {kustomization["namespace"]} == namespaces


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_it_is_told_what_it_knows_and_does_what_there_is(folder: str, workload: Workload) -> None:
    settings = settings_of(environment(folder, workload))
    assert command(workload.container["args"]) == "serve"
    assert workload.container["image"] == "switchlog"
    declared = {(port["containerPort"], port["protocol"]) for port in workload.container["ports"]}
    assert declared <= ports_of(settings)
    if workload.pod.get("hostNetwork"):
        assert declared == ports_of(settings)


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_it_may_do_next_to_nothing(folder: str, workload: Workload) -> None:
    around, own = workload.pod["securityContext"], workload.container["securityContext"]
    assert around["runAsNonRoot"] and around["runAsUser"] == around["fsGroup"] == 10001
    assert around["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert workload.pod["automountServiceAccountToken"] is False
    assert workload.pod["enableServiceLinks"] is False, "SWITCHLOG_SERVICE_HOST would stop the start"
    mounted = {mount["mountPath"] for mount in workload.container["volumeMounts"]}
    assert mounted >= {"/var/lib/switchlog", "/tmp"}
    volumes = {one["name"] for one in workload.pod.get("volumes", ())}
    volumes |= {one["metadata"]["name"] for one in workload.spec.get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in workload.container["volumeMounts"]} == volumes


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_its_probes_ask_what_there_is(folder: str, workload: Workload) -> None:
    ports = {port["name"]: port for port in workload.container["ports"]}
    probes = {name: workload.container[name] for name in workload.container if name.endswith("Probe")}
    assert "readinessProbe" in probes
    for probe in probes.values():
        if "exec" in probe:
            program, *words = probe["exec"]["command"]
            assert (program, command(words)) == ("switchlog", "ready")
        else:
            path = probe["httpGet"]["path"]
            plain, _, query = path.partition("?")
            assert plain in ("/healthz", "/readyz")
            assert set(re.findall(r"part=(\w*)", query)) <= PARTS
            assert re.fullmatch(r"(part=\w+(&|$))*", query)
            assert ports[probe["httpGet"]["port"]]["protocol"] == "TCP"
    if "livenessProbe" in probes:
        asked = str(probes["livenessProbe"])
        assert "projector" not in asked and "readyz" not in asked, "an outage of ClickHouse must not restart anything"
        assert "--alive" in asked or "/healthz" in asked, "nor one of the brokers"


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_its_end_has_time(folder: str, workload: Workload) -> None:
    assert workload.pod["terminationGracePeriodSeconds"] >= 60
    for hook in found(workload.container.get("lifecycle", {}), "command"):
        shell, option, line = hook
        assert (shell, option) == ("sh", "-c")
        words = shlex.split(line.partition("||")[0])
        assert (words[0], command(words[1:])) == ("switchlog", "nodes drain")
        assert workload.pod["terminationGracePeriodSeconds"] >= 120


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_prometheus_is_told_the_port_of_http(folder: str, workload: Workload) -> None:
    (template,) = (
        one["spec"]["template"]
        for one in objects(folder)
        if one["metadata"]["name"] == workload.name and one["kind"] == workload.kind
    )
    (http,) = (port["containerPort"] for port in workload.container["ports"] if port["name"] == "http")
    wanted = {"prometheus.io/scrape": "true", "prometheus.io/port": str(http)}
    assert template["metadata"]["annotations"] == wanted


@pytest.mark.parametrize("folder", SETS)
def test_what_is_scaled_or_kept_is_there(folder: str) -> None:
    there = {(one.kind, one.name): one for one in workloads(folder)}
    for one in objects(folder):
        if one["kind"] == "HorizontalPodAutoscaler":
            target = one["spec"]["scaleTargetRef"]
            workload = there[(target["kind"], target["name"])]
            least = one["spec"]["minReplicas"]
            assert workload.spec.get("replicas", least) == least, "applying it again would undo the scaling"
            assert "cpu" in workload.container["resources"]["requests"]
        if one["kind"] == "PodDisruptionBudget":
            wanted = one["spec"]["selector"]["matchLabels"]
            assert [each for each in there.values() if each.spec["selector"]["matchLabels"] == wanted]


def test_there_is_a_certificate_for_every_node_that_may_come() -> None:
    (scaling,) = (
        one
        for one in objects("cluster")
        if one["kind"] == "HorizontalPodAutoscaler" and one["metadata"]["name"] == "switchlog-node"
    )
    (node,) = (one for one in workloads("cluster") if one.kind == "StatefulSet")
    settings = settings_of(environment("cluster", node))
    assert settings.node == "switchlog-1"
    assert (settings.link_cert, settings.link_key) == (
        "/run/keys/link-switchlog-1.crt",
        "/run/keys/link-switchlog-1.key",
    )
    page = (DEPLOY.parent / "docs/deployment.md").read_text()
    made = re.findall(r"deploy/keys.sh keys ([^\n#]+)", page)
    last = scaling["spec"]["maxReplicas"] - 1
    assert any(f"switchlog-node-{{0..{last}}}" in words for words in made), made


@pytest.mark.parametrize(("folder", "workload"), ALL)
def test_the_shared_key_is_where_it_looks(folder: str, workload: Workload) -> None:
    settings = settings_of(environment(folder, workload))
    if not settings.journal.startswith("kafka:"):
        return
    (mount,) = (one for one in workload.container["volumeMounts"] if one["name"] == "keys")
    assert mount == {"name": "keys", "mountPath": str(Path(str(settings.master_key_file)).parent), "readOnly": True}
    (volume,) = (one["secret"] for one in workload.pod["volumes"] if one["name"] == "keys")
    assert volume["secretName"] in MADE
    assert volume["defaultMode"] == 0o440, "root's file, which the pod's group may read"
    assert ("items" in volume) is (workload.kind != "StatefulSet")


@pytest.mark.parametrize("folder", SETS)
def test_selectors_and_services_find_their_pods(folder: str) -> None:
    all_of_them = objects(folder)
    pods = [one["spec"]["template"] for one in all_of_them if one["kind"] in ("StatefulSet", "Deployment")]
    for one in all_of_them:
        if one["kind"] in ("StatefulSet", "Deployment"):
            labels = one["spec"]["template"]["metadata"]["labels"].items()
            assert labels >= one["spec"]["selector"]["matchLabels"].items()
        if one["kind"] == "StatefulSet":
            assert (one["spec"]["serviceName"], "Service") in {
                (it["metadata"]["name"], it["kind"]) for it in all_of_them
            }
        if one["kind"] == "Service":
            behind = [pod for pod in pods if pod["metadata"]["labels"].items() >= one["spec"]["selector"].items()]
            assert behind, one["metadata"]["name"]
            for pod in behind:
                names = {port["name"] for ports in found(pod, "ports") for port in ports}
                assert {port["targetPort"] for port in one["spec"]["ports"]} <= names
