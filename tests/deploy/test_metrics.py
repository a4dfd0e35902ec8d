"""Alerts and boards: their expressions parse, and every metric in them is one that `/metrics` really has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.deploy.files import DEPLOY, PARTS, found
from tests.fixtures.server import Server

PROMETHEUS = DEPLOY / "prometheus"
BOARDS = sorted((DEPLOY / "grafana/boards").glob("*.json"))
OF_PROMETHEUS = frozenset({"up", "ALERTS"})
"""What Prometheus itself adds to what it scrapes."""
OF_NODES = frozenset(
    {"switchlog_node_lag"}
    | {f"switchlog_link_{name}_total" for name in ("sent", "received", "undelivered", "strangers", "failed_messages")}
)
"""What a node has that is one of several: `test_topology` looks whether it does."""
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """(where, expression) of all alerts and boards."""
    yield from ((rule["alert"], rule["expr"]) for rule in rules())
    for path in BOARDS:
        for expression in found(json.loads(path.read_text()), "expr"):
            plain = expression.replace("$__rate_interval", "1m").replace("$instance", ".*")
            assert "$" not in plain, plain
            yield path.name, plain
    yield from ((name, query.replace("<<.Series>>", name)) for name, query in for_scaling().items())


def for_scaling() -> dict[str, str]:
    """What prometheus-adapter offers to Kubernetes: series -> query."""
    asked = yaml.safe_load((PROMETHEUS / "adapter.yml").read_text())["externalRules"]
    assert all(one["name"]["as"] == one["seriesQuery"] for one in asked)
    return {one["seriesQuery"]: one["metricsQuery"] for one in asked}


def metrics_in(expression: str) -> set[str]:
    """The names of the series that an expression reads. Raises ValueError for one that is not PromQL."""
    names: set[str] = set()

    def see(part: promql_parser.Expr) -> bool:
        selector = part.vector_selector if isinstance(part, promql_parser.MatrixSelector) else part
        if isinstance(selector, promql_parser.VectorSelector):
            assert selector.name, f"a series without a name in {expression}"
            names.add(selector.name)
        return True

    promql_parser.walk(promql_parser.parse(expression), pre_visit=see)
    return names


async def test_every_metric_is_one_that_a_server_has(tmp_path: Path) -> None:
    server = Server.at(tmp_path)
    try:
        await server.start()
        async with server.client() as client:
            text = (await client.get("/metrics")).text
    finally:
        await server.stop()
    there = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)) | OF_PROMETHEUS
    wanted = {name: where for where, expression in expressions() for name in metrics_in(expression)}
    assert len(wanted) > 20
    assert {name: where for name, where in wanted.items() if name not in there | OF_NODES} == {}
    assert set(re.findall(r'^switchlog_ready\{part="(\w+)"\} ', text, re.MULTILINE)) == PARTS


def test_the_gate_finds_names_wherever_they_stand() -> None:
    expression = 'sum by (b) (rate(a{b=~"c"}[5m])) / on (b) min_over_time(d[1m:]) > -(e offset 5m)'
    assert metrics_in(expression) == {"a", "d", "e"}
    with pytest.raises(ValueError, match="unclosed"):
        metrics_in("rate(a[5m]")


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
        assert rule["alert"].startswith("Switchlog")


def test_every_alert_and_board_that_another_file_names_is_there() -> None:
    titles = {json.loads(path.read_text())["title"] for path in BOARDS}
    boards = set(re.findall(r'board "(\w+)"', (PROMETHEUS / "alerts.yml").read_text()))
    assert boards and boards <= titles
    tested = {
        test["alertname"]
        for one in yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
        for test in one["alert_rule_test"]
    }
    assert tested and tested <= {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_board_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    assert board["uid"] == f"switchlog-{path.stem}"
    assert {one["uid"] for one in found(board, "datasource")} == {source["uid"]}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
        assert panel["targets"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@needs_promtool
@pytest.mark.parametrize(
    "words",
    [("check", "config", "prometheus.yml"), ("check", "config", "one-node.yml"), ("test", "rules", "alerts.test.yml")],
    ids=lambda words: words[2],
)
def test_prometheus_reads_them_and_the_alerts_fire_when_they_should(words: tuple[str, str, str]) -> None:
    what, kind, name = words
    run = subprocess.run(["promtool", what, kind, name], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_promtool
def test_prometheus_reads_what_finds_pods(tmp_path: Path) -> None:
    """Debian's promtool is built without Kubernetes: all else of the file is checked."""
    content = yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())
    assert content.pop("rule_files") == ["alerts.yml"]
    for one in content["scrape_configs"]:
        assert one.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"names": ["switchlog"]}}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(content))
    words = ["promtool", "check", "config", str(tmp_path / "prometheus.yml")]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_nodes_are_scaled_by_what_is_offered() -> None:
    scaled = yaml.safe_load_all((DEPLOY / "kubernetes/cluster/scaling.yaml").read_text())
    wanted = {
        metric["name"] for one in scaled for external in found(one, "external") for metric in found(external, "metric")
    }
    assert wanted == set(for_scaling()) == {"switchlog_calls", "switchlog_legs"}
