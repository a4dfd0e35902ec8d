"""What brokers are told: the same for one and for three, but for what a commit must reach."""

from pathlib import Path

import pytest

from cluster.properties import CLUSTER_ID, Ports, as_text, properties

ONE = [Ports(2001, 2101)]
THREE = [Ports(2001, 2101), Ports(2002, 2102), Ports(2003, 2103)]


@pytest.mark.parametrize(("ports", "copies", "insync"), [(ONE, "1", "1"), (THREE, "3", "2")])
def test_a_commit_reaches_two_of_three(ports: list[Ports], copies: str, insync: str) -> None:
    found = properties(1, Path("/data"), ports)
    factors = {name: value for name, value in found.items() if name.endswith("replication.factor")}
    least = {name: value for name, value in found.items() if name.endswith(("min.isr", "min.insync.replicas"))}
    assert set(factors.values()) == {copies}
    assert set(least.values()) == {insync}
    assert {name.partition(".")[0] for name in factors} == {"default", "offsets", "transaction", "share"}
    assert {name.partition(".")[0] for name in least} == {"min", "transaction", "share"}


def test_each_node_has_its_own_ports_and_knows_all_voters() -> None:
    found = [properties(node, Path(f"/data/{node}"), THREE) for node in (1, 2, 3)]
    assert [each["node.id"] for each in found] == ["1", "2", "3"]
    assert [each["log.dirs"] for each in found] == ["/data/1", "/data/2", "/data/3"]
    assert found[1]["listeners"] == "PLAINTEXT://127.0.0.1:2002,CONTROLLER://127.0.0.1:2102"
    assert found[1]["advertised.listeners"] == "PLAINTEXT://127.0.0.1:2002"
    assert {each["controller.quorum.voters"] for each in found} == {
        "1@127.0.0.1:2101,2@127.0.0.1:2102,3@127.0.0.1:2103"
    }


def test_topics_do_not_come_by_themselves() -> None:
    assert properties(1, Path("/data"), ONE)["auto.create.topics.enable"] == "false"


def test_the_text_has_a_line_each() -> None:
    assert as_text({"node.id": "1", "log.dirs": "/data"}) == "node.id=1\nlog.dirs=/data\n"
    assert len(CLUSTER_ID) == 22
