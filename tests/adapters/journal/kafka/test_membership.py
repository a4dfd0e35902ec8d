"""The group of nodes on a real broker: it shares the shards out, and gives up whom it does not hear."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from adapters.journal.kafka import membership
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.assignor import EVERY
from adapters.journal.kafka.membership import Membership
from domain.node import Listener, Neighbour
from tests.adapters.journal.kafka.company import NODE_S, TIMEOUT_S, Child, Ear

ALL = frozenset(EVERY)
Joining = Callable[..., tuple[Membership, Ear]]


@pytest.fixture
def join(fresh: Address) -> Iterator[Joining]:
    members: list[Membership] = []

    def joined(name: str, hold: bool = False, timeouts_s: tuple[float, ...] = (NODE_S,)) -> tuple[Membership, Ear]:
        ear = Ear(hold)
        members.append(Membership(fresh, Neighbour(name, f"{name}:5070"), ear, timeouts_s))
        return members[-1], ear

    yield joined
    for member in members:
        member.close(leave=False)


def test_one_alone_has_all_and_a_second_one_half_of_it_once_that_is_given_back(
    join: Joining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "RELEASE_S", 2 * TIMEOUT_S)
    _, one = join("a", hold=True)
    one.wait(lambda: one.shards == ALL)
    assert one.names == ("a",) and one.given_back == []
    _, two = join("b")
    one.wait(lambda: bool(one.given_back))
    assert two.shards == frozenset(), "they are not another one's before they are given back"
    begun = time.monotonic()
    one.wait(lambda: one.until > begun + 3 * NODE_S)  # it is heard while it does, and not given up
    one.let_go()
    two.wait(lambda: len(two.shards) == len(ALL) // 2)
    one.wait(lambda: one.shards == ALL - two.shards)
    assert one.given_back == [two.shards] and one.names == two.names == ("a", "b")
    assert one.expulsions == 0


def test_who_leaves_hands_over_at_once_and_who_says_what_has_changed_is_known_by_it(join: Joining) -> None:
    member, one = join("a")
    one.wait(lambda: one.shards == ALL)
    _, two = join("b")
    two.wait(lambda: bool(two.shards))
    draining = Neighbour("a", "a:5071", (Listener("udp", "192.0.2.1:5060", "192.0.2.1:5060"),), draining=True)
    member.introduce(draining)
    two.wait(lambda: two.shards == ALL)
    two.wait(lambda: draining in two.neighbours)
    one.wait(lambda: one.names == ("a", "b") and not one.shards)  # it lives, and phones are behind it
    member.introduce(Neighbour("a", "a:5071"))
    one.wait(lambda: len(one.shards) == len(ALL) // 2)
    member.close(leave=True)
    two.wait(lambda: two.shards == ALL and two.names == ("b",))


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_who_is_not_heard_is_given_up(fresh: Address, join: Joining, how: str) -> None:
    child = Child(fresh, "a")
    try:
        child.expect(lambda words: words == ["allotted", len(ALL), "a"])
        _, two = join("b")
        two.wait(lambda: len(two.shards) == len(ALL) // 2)
        begun = time.monotonic()
        child.kill() if how == "killed" else child.freeze()
        two.wait(lambda: two.shards == ALL)
        print(f"\na node is {how}: given up after {time.monotonic() - begun:.1f} s with a time-out of {NODE_S:g} s")
        assert two.names == ("b",) and two.given_back == []
        if how == "frozen":
            child.thaw()
            child.expect(lambda words: words == ["expelled"])
            child.expect(lambda words: words[1:] == [len(ALL) // 2, "a", "b"])
            two.wait(lambda: two.names == ("a", "b"))
    finally:
        child.kill()


def test_two_processes_of_one_name_are_told(join: Joining) -> None:
    _, one = join("a")
    one.wait(lambda: one.shards == ALL)
    _, other = join("a")
    one.wait(lambda: one.error is not None)
    assert "another process is the node a" in str(one.error)
    other.wait(lambda: other.shards == ALL)


def test_brokers_that_allow_no_such_time_out_are_asked_for_another_one_or_told_of(join: Joining) -> None:
    _, one = join("a", timeouts_s=(0.5, NODE_S))
    one.wait(lambda: one.shards == ALL)
    _, two = join("b", timeouts_s=(0.5,))
    two.wait(lambda: two.error is not None)
    assert "SWITCHLOG_NODE_TIMEOUT" in str(two.error) and "group.min.session.timeout.ms" in str(two.error)


def test_a_fault_of_the_client_library_costs_a_node_its_word_for_a_moment_and_not_for_ever(
    join: Joining, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, one = join("a")
    one.wait(lambda: one.shards == ALL)
    turn, struck = member._turn, list[float]()

    def faulty() -> None:
        if not struck:
            struck.append(time.monotonic())
            raise KeyError("no leader")
        turn()

    monkeypatch.setattr(member, "_turn", faulty)
    one.wait(lambda: bool(struck) and one.until > struck[0] + NODE_S)  # it was heard after that
    assert one.shards == ALL and one.names == ("a",) and one.error is None


def test_a_heart_that_stops_in_the_client_library_costs_a_node_its_word_for_a_moment_and_not_for_ever(
    join: Joining,
) -> None:
    member, one = join("a")
    one.wait(lambda: one.shards == ALL and one.until > 0)

    consumer = member._consumer

    async def never_answered() -> None:
        await consumer._net.sleep(3600)

    consumer._coordinator._send_heartbeat_request = never_answered
    stopped = time.monotonic()
    one.wait(lambda: one.until > stopped + 2 * NODE_S)
    assert one.names == ("a",) and one.error is None


def test_a_joining_that_began_with_news_of_topics_and_outlasts_a_poll_is_not_forgotten(
    join: Joining, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, one = join("a")
    one.wait(lambda: one.shards == ALL and one.until > 0)
    coordinator, done = member._consumer._coordinator, list[float]()
    _outlast_polls(member, monkeypatch, lambda: done.append(time.monotonic()), by_news_of_topics=True)
    one.wait(lambda: bool(done) and one.until > done[0] + NODE_S)
    assert member._consumer._coordinator is coordinator, "and it need not be joined anew for that"


def test_what_a_node_says_of_itself_while_it_joins_is_heard_too(join: Joining, monkeypatch: pytest.MonkeyPatch) -> None:
    member, one = join("a")
    one.wait(lambda: one.shards == ALL and one.until > 0)
    last = Neighbour("a", "a:5072")
    _outlast_polls(member, monkeypatch, lambda: member.introduce(last), by_news_of_topics=True)
    one.wait(lambda: one.neighbours == (last,))


def test_who_is_given_up_just_when_it_joins_is_told(join: Joining) -> None:
    """As when it is frozen while shards are shared out."""
    member, one = join("a")
    one.wait(lambda: one.shards == ALL and one.until > 0)
    coordinator = member._consumer._coordinator
    joins = coordinator._do_join_and_sync_async

    async def removed_before() -> bytes:
        coordinator._do_join_and_sync_async = joins
        member._leave()
        given: bytes = await joins()
        return given

    coordinator._do_join_and_sync_async = removed_before
    member.introduce(Neighbour("a", "a:5071"))
    one.wait(lambda: one.expulsions == 1 and one.shards == ALL)


def _outlast_polls(
    member: Membership, monkeypatch: pytest.MonkeyPatch, during: Callable[[], None], by_news_of_topics: bool = False
) -> None:
    """The next joining of `member` is over only when the `poll` that began it has ended, and another one."""
    coordinator, turns = member._consumer._coordinator, list[None]()
    joins, turn = coordinator._do_join_and_sync_async, member._turn

    async def outlasting() -> bytes:
        coordinator._do_join_and_sync_async = joins
        given: bytes = await joins()
        during()
        enough = len(turns) + 2
        while len(turns) < enough:
            await coordinator._net.sleep(0.005)  # looks again; nothing depends on how long it is
        return given

    def counted() -> None:
        if by_news_of_topics and coordinator._do_join_and_sync_async is outlasting:
            coordinator._assignment_snapshot = {}  # as if the topics had other partitions then
        turn()
        turns.append(None)

    monkeypatch.setattr(member, "_turn", counted)
    coordinator._do_join_and_sync_async = outlasting
