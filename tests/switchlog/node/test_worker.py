"""What processes a node of several workers has, and what each of them is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.command.local import Command, Handler, carry_out
from domain.node import home_of, number_of, worker_of
from domain.refusal import Refusal
from switchlog.desk import worker
from switchlog.node.worker import is_edge, parts_of, role_of, seated, socket_of
from switchlog.setting.settings import Settings, load

ASKED = Command("1", "ping", {}, "system")


def settings(folder: Path, **more: str) -> Settings:
    given = {"JOURNAL": "kafka://h", "NODE": "a.example", "WORKERS": "3", "SIP_UDP": "192.0.2.1:5060"} | more
    return load(environment={f"SWITCHLOG_{name}": value for name, value in given.items()}, data=folder)


def test_one_worker_is_one_process_as_ever(tmp_path: Path) -> None:
    alone = load(environment={}, data=tmp_path)
    assert parts_of("sessions", alone) == ("sessions",)
    assert seated(alone, "sessions") is alone
    assert not is_edge(alone)
    assert socket_of(alone) == "sessions.sock"


def test_several_have_an_edge_that_ends_after_them(tmp_path: Path) -> None:
    node = settings(tmp_path, WORKERS="2")
    parts = parts_of("sessions", node)
    assert parts == ("sessions-1", "sessions-2", "edge")
    assert {role_of(part) for part in parts} == {"sessions"}
    assert parts_of("api", node) == ("api",)
    assert role_of("projector") == "projector"


@pytest.mark.parametrize(("wanted", "parts"), [("1", ("media-1", "media-2")), ("2", ("media-1", "media-2", "media-3"))])
def test_one_media_worker_more_than_mix(tmp_path: Path, wanted: str, parts: tuple[str, ...]) -> None:
    node = load(environment={"SWITCHLOG_MEDIA_WORKERS": wanted, "SWITCHLOG_NODE": "a"}, data=tmp_path)
    assert parts_of("media", node) == parts
    assert {role_of(part) for part in parts} == {"media"}
    seats = [seated(node, part) for part in parts]
    assert [number_of(one.node) for one in seats] == list(range(1, len(parts) + 1))
    assert {one.sip_udp for one in seats} == {node.sip_udp}


def test_the_edge_has_the_addresses_and_workers_have_none(tmp_path: Path) -> None:
    node = settings(tmp_path, HEP="192.0.2.9:9060", TRACE_BYTES="1000")
    edge, second = seated(node, "edge"), seated(node, "sessions-2")
    assert (edge.node, edge.sip_udp, is_edge(edge), socket_of(edge)) == (
        "a.example",
        "192.0.2.1:5060",
        True,
        "sessions.sock",
    )
    assert (second.node, is_edge(second), socket_of(second)) == ("a.example_2", False, "sessions-2.sock")
    assert not (second.sip_udp or second.sip_tcp or second.sip_tls or second.hep or second.trace_bytes)
    assert second.journal == node.journal and second.key_file == node.key_file


def test_workers_have_ports_of_their_own_for_other_machines(tmp_path: Path) -> None:
    files = {f"LINK_{name}": "/f.pem" for name in ("CERT", "KEY", "CA")}
    node = settings(tmp_path, LINK="[2001:db8::1]:5070", LINK_ADVERTISE="a.example:6000", **files)
    third = seated(node, "sessions-3")
    assert (third.link, third.link_advertise) == ("[2001:db8::1]:5073", "a.example:6003")
    assert seated(node, "edge").link == node.link
    assert seated(settings(tmp_path, LINK="192.0.2.1:0", **files), "sessions-3").link == "192.0.2.1:0"


def test_a_worker_is_named_as_no_host_is() -> None:
    assert worker_of("a.example", 12) == "a.example_12"
    assert (home_of("a.example_12"), number_of("a.example_12")) == ("a.example", 12)
    assert (home_of("a.example"), number_of("a.example")) == ("a.example", 0)


class Worker:
    """Answers what it is told to, or refuses."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        if isinstance(self._answer, Refusal):
            raise self._answer
        return self._answer


def edge(mine: Any, *workers: Any) -> Mapping[str, Handler]:
    async def own(command: Command) -> Any:
        return mine

    named = {f"sessions-{number}": Worker(answer) for number, answer in enumerate(workers, 1)}
    return worker.handlers({"ping": own, "metrics": own, "export": own}, named)


async def test_a_node_works_if_all_its_processes_do() -> None:
    asked = edge({"calls": 0, "version": 7}, {"calls": 2, "version": 7}, {"calls": 3, "version": 6})
    assert (await carry_out(asked, ASKED)).unfold() == {"calls": 5, "version": 7}
    broken = edge({"calls": 0}, {"calls": 2}, Refusal("unavailable", "32 shards wait"))
    with pytest.raises(Refusal, match="sessions-2: 32 shards wait"):
        (await carry_out(broken, ASKED)).unfold()


async def test_media_workers_are_those_of_any_of_its_processes() -> None:
    asked = edge(None, [{"worker": 1}], [{"worker": 1}])
    for name in ("media", "media.drain"):
        assert (await carry_out(asked, Command("3", name, {"worker": 1}, "system"))).unfold() == [{"worker": 1}]


async def test_the_metrics_of_a_node_are_those_of_all_its_processes() -> None:
    asked = edge(
        {"node_calls": 0.0, "sip_pressure": 0.5, "sip_lane_age_seconds": 0.1},
        {"node_calls": 2.0, "sip_pressure": 0.2, "sip_lane_age_seconds": 0.3, "new_total": 1.0},
        Refusal("unavailable", "it is being started"),
    )
    found = (await carry_out(asked, Command("2", "metrics", {}, "system"))).unfold()
    assert found == {"node_calls": 2.0, "sip_pressure": 0.5, "sip_lane_age_seconds": 0.3, "new_total": 1.0}
