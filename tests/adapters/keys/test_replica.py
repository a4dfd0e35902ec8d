"""What a node keeps of a cluster's secrets: in the order of the notes, whoever of its processes takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.keys.courier import Device, HashedKey
from adapters.keys.replica import Replica
from adapters.keys.store import SecretStore, key_hash
from domain.apikey import Principal, Role

WHO = Principal("0123456789ab", Role.ANALYST, "acme")
KEY = HashedKey(key_hash("the key"), WHO)


def device(digit: str, username: str = "1001") -> Device:
    return Device("acme", username, {"acme.example": {"MD5": digit * 32}})


def ha1(store: SecretStore, username: str = "1001") -> str:
    """The one digit of it; empty if there is none."""
    return (store.ha1("acme", username, "acme.example", "MD5") or "")[:1]


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Replica]:
    with Replica(tmp_path) as replica:
        replica.adopt("c1")
        yield replica


@pytest.fixture
def two(tmp_path: Path, one: Replica) -> Iterator[Replica]:
    """Of another process of the same node."""
    with Replica(tmp_path) as replica:
        replica.adopt("c1")
        yield replica


def test_what_notes_say_is_known_and_lasts(one: Replica, tmp_path: Path) -> None:
    one.take([device("1"), device("2", "1002"), KEY], 7)
    one.take([device("3"), Device("acme", "1002", None)], 9)
    one.close()
    with Replica(tmp_path) as again:
        again.adopt("c1")
        assert again.position == 9
        assert [ha1(again), ha1(again, "1002")] == ["3", ""]
        assert again.principal("the key") == WHO


def test_the_last_note_about_a_device_counts_within_one_take_too(one: Replica) -> None:
    one.take([device("1"), device("2"), device("3", "1002"), Device("acme", "1002", None)], 4)
    assert [ha1(one), ha1(one, "1002")] == ["2", ""]


def test_a_key_that_comes_twice_is_the_same_key(one: Replica) -> None:
    one.take([KEY, KEY], 2)
    one.take([KEY], 3)
    assert one.principal("the key") == WHO


def test_another_process_that_is_behind_changes_nothing_back(one: Replica, two: Replica, tmp_path: Path) -> None:
    one.take([device("1")], 1)
    one.take([device("2")], 2)
    two.take([device("1")], 1)
    assert [ha1(one), ha1(two)] == ["2", "1"], "each knows what it has read"
    with Replica(tmp_path) as third:
        third.adopt("c1")
        assert (ha1(third), third.position) == ("2", 2)
    two.take([device("2")], 2)
    assert ha1(two) == "2"


def test_another_cluster_begins_anew_and_the_same_one_does_not(one: Replica, tmp_path: Path) -> None:
    one.take([device("1"), KEY], 5)
    one.adopt("c1")
    assert (one.position, ha1(one)) == (5, "1")
    one.adopt("c2")
    assert (one.position, ha1(one), one.principal("the key")) == (0, "", None)


def test_a_replica_of_another_master_key_is_begun_anew(one: Replica, tmp_path: Path) -> None:
    """As after a start with a key file that was not the cluster's."""
    one.take([device("1"), KEY], 5)
    one.close()
    with Replica(tmp_path, tmp_path / "right.key") as again:
        again.adopt("c1")
        assert (again.position, ha1(again), again.principal("the key")) == (0, "", None)
        again.take([device("2")], 5)
    with Replica(tmp_path, tmp_path / "right.key") as third:
        third.adopt("c1")
        assert (third.position, ha1(third)) == (5, "2")


def test_what_the_node_kept_while_it_was_alone_stays(tmp_path: Path) -> None:
    with SecretStore(tmp_path) as alone:
        alone.replace({("acme", "1001"): {"acme.example": {"MD5": "1" * 32}}})
    with Replica(tmp_path) as replica:
        replica.adopt("c1")
        assert ha1(replica) == ""
        replica.take([device("2")], 1)
    with SecretStore(tmp_path) as alone:
        assert ha1(alone) == "1"
