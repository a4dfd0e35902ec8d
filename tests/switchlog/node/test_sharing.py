"""Nodes of a cluster in memory: one key for all, secrets that reach every node, none of them bare in the journal."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.journal.memory import MemoryJournal
from adapters.keys.courier import KEY, REMOVED, SEALED, Courier
from adapters.keys.master import KeyStoreError, load_master_key
from adapters.keys.replica import Replica
from adapters.keys.store import SecretStore
from adapters.sip.digest.challenge import ha1
from domain.ids import CONFIG_SHARD
from domain.ports import JournalAway, Note, Notes
from domain.refusal import Refusal
from switchlog.node import sharing
from switchlog.node.sharing import Sharing
from tests.switchlog.offices import AT, ClusterDesk, acme, alice


class Flaky(MemoryJournal):
    """A journal whose notes cannot be read at times."""

    away = False
    looks = 0
    """how often somebody tried"""

    def notes(self, after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        self.looks += 1
        if self.away:
            raise JournalAway("the brokers are away")
        return super().notes(after, limit)


@pytest.fixture
def journal() -> Flaky:
    return Flaky()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """A node's data folder; all nodes are told of the same key."""
    load_master_key(tmp_path / "cluster.key")

    def make(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    return make


@pytest.fixture
def a(folder: Callable[[str], Path], journal: Flaky) -> ClusterDesk:
    return ClusterDesk(folder("a"), journal)


@pytest.fixture
def b(folder: Callable[[str], Path], a: ClusterDesk, journal: Flaky) -> tuple[Replica, Sharing]:
    """A node that owns nothing and follows."""
    replica = Replica(folder("b"), a.replica.key_file)
    follower = Sharing(replica, journal, lambda: AT)
    assert follower.begin()
    return replica, follower


def proof(password: str, username: str = "1001") -> str:
    return ha1(username, "acme.example", password, "MD5")


def known(store: SecretStore, username: str = "1001") -> str | None:
    return store.ha1("acme", username, "acme.example", "MD5")


def types(journal: MemoryJournal) -> list[str]:
    return [one.note.type for one in journal.notes(0).notes]


def test_what_is_declared_at_one_node_is_known_at_the_others(a: ClusterDesk, b: tuple[Replica, Sharing]) -> None:
    replica, follower = b
    a.declare(acme())
    made = a.office.create_key("tenant-admin", "acme", "api:test", "command-2")
    assert made["key"] is not None
    assert (known(replica), replica.principal(made["key"])) == (None, None), "nobody told it yet"
    follower.catch_up()
    assert [known(replica, name) for name in ("1001", "alice-desk")] == [
        proof("alice-secret"),
        proof("desk-secret", "alice-desk"),
    ]
    assert replica.principal(made["key"]) == a.store.principal(made["key"])
    a.declare(acme(extensions=[alice(password="other-secret", devices=[])]))
    follower.catch_up()
    assert (known(replica), known(replica, "alice-desk")) == (proof("other-secret"), None)


def test_the_journal_holds_no_secret_that_opens_without_the_key(a: ClusterDesk, journal: Flaky) -> None:
    a.declare(acme())
    made = a.office.create_key("analyst", None, "api:test", "command-2")
    a.declare(acme(extensions=[alice(devices=[])]))
    assert types(journal) == [KEY, *[SEALED] * 4, REMOVED]
    text = b"".join(one.note.data for one in journal.notes(0).notes) + a.journal_text().encode()
    for secret in ("alice-secret", "desk-secret", proof("alice-secret"), proof("bob-secret", "1002"), made["key"]):
        assert secret is not None and secret.encode() not in text
    foreign = Courier(b"x" * 32)
    for one in journal.notes(0).notes[1:]:
        with pytest.raises(ValueError, match="another master key"):
            foreign.open(one.note)


def test_nothing_is_written_into_the_store_of_a_node_alone(a: ClusterDesk) -> None:
    a.declare(acme())
    assert sorted(path.name for path in a.folder.iterdir() if path.suffix == ".db") == ["shared-secrets.db"]


def test_the_same_file_again_tells_nobody_anything(a: ClusterDesk, journal: Flaky) -> None:
    a.declare(acme())
    before = types(journal)
    a.declare(acme())
    assert types(journal) == before


# --- crashes


def test_a_crash_between_journal_and_store_is_mended_at_the_next_start(a: ClusterDesk, journal: Flaky) -> None:
    """The change is acknowledged: it must neither be refused nor be lost."""
    a.declare(acme())
    took, a.replica.take = a.replica.take, fails  # type: ignore[method-assign, assignment]
    assert a.outcomes(acme(extensions=[alice(password="other-secret")]))["acme/1001"] == "changed"
    a.replica.take = took  # type: ignore[method-assign]
    assert known(a.store) == proof("alice-secret")
    again = a.again()
    assert known(again.store) == proof("other-secret")
    assert set(again.outcomes(acme(extensions=[alice(password="other-secret")])).values()) == {"unchanged"}


def fails(*_: Any) -> None:
    raise KeyStoreError("the disk is full")


def test_an_append_that_failed_leaves_neither_secret_nor_event(a: ClusterDesk, journal: Flaky) -> None:
    a.declare(acme())
    before = (types(journal), a.events())
    journal.claim((CONFIG_SHARD,), "b")
    with pytest.raises(Refusal):
        a.declare(acme(extensions=[alice(password="other-secret")]))
    assert (types(journal), a.events()) == before
    assert a.outcomes(acme(extensions=[alice(password="other-secret")]))["acme/1001"] == "changed"
    assert known(a.store) == proof("other-secret")


def test_a_lost_replica_is_filled_again(a: ClusterDesk) -> None:
    a.declare(acme())
    exported = a.office.export(with_secrets=True)
    a.store.close()
    for path in a.folder.glob("shared-secrets.db*"):
        path.unlink()
    assert a.again().office.export(with_secrets=True) == exported


def test_while_the_journal_is_away_nothing_is_declared_and_what_was_appended_counts(
    a: ClusterDesk, journal: Flaky
) -> None:
    journal.away = True
    with pytest.raises(Refusal, match="brokers are away") as caught:
        a.declare(acme())
    assert caught.value.kind == "unavailable"
    assert a.events() == []
    journal.away = False
    current = a.sharing.catch_up

    def leave() -> None:
        current()
        journal.away = True

    a.sharing.catch_up = leave  # type: ignore[method-assign]
    a.declare(acme())
    journal.away = False
    assert known(a.again().store) == proof("alice-secret")


# --- the cluster's key


def test_a_node_with_another_key_is_told_so_and_takes_nothing(
    a: ClusterDesk, folder: Callable[[str], Path], journal: Flaky
) -> None:
    a.declare(acme())
    own = folder("c")
    with Replica(own) as replica:
        theirs, ours = replica.courier.key_id, a.replica.courier.key_id
        words = f"the master key in {own}/master.key is not the one of this cluster: it has the id {theirs}, and this"
        for tell in (None, partial(journal.post, node="c")):
            with pytest.raises(KeyStoreError) as caught:
                Sharing(replica, journal, lambda: AT).begin(tell)
            assert str(caught.value).startswith(f"{words} cluster's has {ours}; copy another node's there")
        assert known(replica) is None
    assert types(journal).count(KEY) == 1
    shutil.copy(a.replica.key_file, own / "master.key")
    with Replica(own) as replica:
        assert Sharing(replica, journal, lambda: AT).begin()
        assert known(replica) == proof("alice-secret")


def test_of_two_first_nodes_the_first_names_the_key(folder: Callable[[str], Path], journal: Flaky) -> None:
    """Both see an empty journal, both tell."""
    with Replica(folder("a")) as first, Replica(folder("b")) as second:

        def tell(notes: Sequence[Note]) -> None:
            assert Sharing(first, journal, lambda: AT).begin(partial(journal.post, node="a"))
            journal.post(notes, "b")

        with pytest.raises(KeyStoreError, match="not the one of this cluster"):
            Sharing(second, journal, lambda: AT).begin(tell)
        assert types(journal) == [KEY, KEY]
        assert Sharing(first, journal, lambda: AT).begin()


def test_a_cluster_is_begun_by_who_may_tell_only(folder: Callable[[str], Path], journal: Flaky) -> None:
    with Replica(folder("a")) as replica:
        assert not Sharing(replica, journal, lambda: AT).begin()
        assert types(journal) == []


def test_another_cluster_has_other_secrets(a: ClusterDesk) -> None:
    a.declare(acme())
    other = ClusterDesk(a.folder, MemoryJournal())
    assert known(other.store) is None
    assert known(a.again().store) == proof("alice-secret")


def test_what_cannot_be_opened_is_left_out_and_stops_nothing(
    a: ClusterDesk, b: tuple[Replica, Sharing], journal: Flaky
) -> None:
    a.declare(acme())
    noise = [
        Note(SEALED, "shard-64", AT, b"noise"),
        Note(KEY, "shard-64", AT, b"noise"),
        Note("shard.of-tomorrow.9", "shard-64", AT, b"{}"),
    ]
    journal.post(noise, "x")
    a.declare(acme(extensions=[alice(password="other-secret")]))
    replica, follower = b
    follower.catch_up()
    assert known(replica) == proof("other-secret")


def test_noise_where_the_key_is_named_does_not_name_it(folder: Callable[[str], Path], journal: Flaky) -> None:
    journal.post([Note(KEY, "shard-64", AT, b"noise")], "x")
    with Replica(folder("a")) as replica:
        assert not Sharing(replica, journal, lambda: AT).begin()
        assert Sharing(replica, journal, lambda: AT).begin(partial(journal.post, node="a"))


# --- following


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_follower_learns_on_through_outages_until_it_is_told_to_stop(
    a: ClusterDesk, folder: Callable[[str], Path], journal: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "PAUSE_S", 0.01)
    stop = asyncio.Event()
    with Replica(folder("c"), a.replica.key_file) as replica:
        journal.away = True
        following = asyncio.create_task(Sharing(replica, journal, lambda: AT).follow(stop))
        before = journal.looks
        await until(lambda: journal.looks > before + 1)
        journal.away = False
        await asyncio.to_thread(a.declare, acme())
        await until(lambda: known(replica) == proof("alice-secret"))
        took, replica.take = replica.take, fails  # type: ignore[method-assign, assignment]
        await asyncio.to_thread(a.declare, acme(extensions=[alice(password="other-secret")]))
        before = journal.looks
        await until(lambda: journal.looks > before + 2)
        assert known(replica) == proof("alice-secret")
        replica.take = took  # type: ignore[method-assign]
        await until(lambda: known(replica) == proof("other-secret"))
        stop.set()
        await following


async def test_a_follower_with_another_key_ends(a: ClusterDesk, folder: Callable[[str], Path], journal: Flaky) -> None:
    with Replica(folder("c")) as replica, pytest.raises(KeyStoreError, match="not the one of this cluster"):
        await Sharing(replica, journal, lambda: AT).follow(asyncio.Event())


def test_threads_that_learn_at_once_never_go_back(a: ClusterDesk, b: tuple[Replica, Sharing], journal: Flaky) -> None:
    """One has read a portion and is overtaken before it takes it."""
    replica, follower = b
    a.declare(acme())
    read = journal.notes
    slow = read(replica.position)

    def overtaken(after: int, limit: int = 1000, wait_s: float = 0.0) -> Notes:
        journal.notes = read  # type: ignore[method-assign]
        a.declare(acme(extensions=[alice(password="other-secret")]))
        follower.catch_up()
        return slow

    journal.notes = overtaken  # type: ignore[method-assign]
    follower.catch_up()
    assert known(replica) == proof("other-secret")
