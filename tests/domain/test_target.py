"""Which bindings a call goes to: one flow of a device, the preferred device first, one instance, TLS only."""

from __future__ import annotations

import msgspec

from domain.routing.target import targets
from domain.values import Contact, Flow
from tests.domain.world import contact, seconds


def binding(
    port: int, instance: str = "", reg_id: int = 0, later_s: int = 0, q: int = 1000, way: str = "udp"
) -> Contact:
    one = contact("1002", port, Flow(way, "127.0.0.1:5060", f"127.0.0.1:{port}"))
    return msgspec.structs.replace(
        one, instance=instance, reg_id=reg_id, q=q, expires_at=one.expires_at + seconds(later_s)
    )


def ports(*contacts: Contact, instance: str = "", secure: bool = False) -> list[int]:
    return [int(one.uri.rpartition(":")[2]) for one in targets(contacts, instance, secure)]


def test_every_device_in_the_order_of_its_binding_unless_it_prefers_another() -> None:
    assert ports(binding(1), binding(2), binding(3)) == [1, 2, 3]
    assert ports(binding(1, q=100), binding(2), binding(3, q=500), binding(4)) == [2, 4, 3, 1]


def test_one_flow_of_each_instance_the_freshest() -> None:
    flows = (binding(1, "urn:1", 1, 50), binding(2, "urn:1", 2, 90), binding(3, "urn:2", 1), binding(4, "urn:1", 3, 10))
    assert ports(*flows) == [2, 3]
    assert ports(*reversed(flows)) == [2, 3]
    assert ports(binding(1, "urn:1"), binding(2), binding(3)) == [1, 2, 3]


def test_one_instance_and_tls_only() -> None:
    flows = (binding(1, "urn:A"), binding(2, "urn:b"), binding(3, "urn:b", 1, way="tls"), binding(4, way="tls"))
    assert ports(*flows, instance="urn:a") == [1]
    assert ports(*flows, secure=True) == [3, 4]
    assert ports(*flows, instance="urn:a", secure=True) == []
