"""What a node that may be dead has to say waits until it knows."""

from __future__ import annotations

from switchlog.node.lease import Lease


class Life:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.lease = Lease(lambda: self.now_s)
        self.said: list[int] = []

    def say(self, *numbers: int) -> None:
        for number in numbers:
            self.lease.run(lambda number=number: self.said.append(number))  # type: ignore[misc]


def test_a_node_that_was_never_heard_says_nothing() -> None:
    life = Life()
    life.say(1)
    assert not life.lease.current and life.said == [] and life.lease.waiting == 1
    life.lease.renew(103.0)
    life.lease.go_on()
    assert life.said == [1] and life.lease.waiting == 0


def test_what_a_frozen_node_would_say_waits_and_keeps_its_order() -> None:
    life = Life()
    life.lease.renew(103.0)
    life.say(1)
    life.now_s = 105.0
    assert life.lease.over_s == 2.0
    life.say(2, 3)
    life.lease.go_on()
    assert life.said == [1]
    life.lease.renew(108.0)
    life.say(4)
    assert life.said == [1], "not before what waits"
    life.lease.go_on()
    life.say(5)
    assert life.said == [1, 2, 3, 4, 5] and life.lease.over_s == 0.0


def test_who_was_given_up_gets_rid_of_what_waits() -> None:
    life = Life()
    life.lease.renew(103.0)
    life.lease.void()
    life.say(1, 2)
    assert life.said == []
    life.lease.forfeit()
    assert life.said == [1, 2] and not life.lease.current


def test_who_was_given_up_does_not_count_before_all_that_it_held_is_dropped() -> None:
    life = Life()
    life.lease.renew(103.0)
    life.lease.void()
    life.lease.renew(104.0)
    life.say(1)
    life.lease.go_on()
    assert not life.lease.current and life.said == []
    life.lease.void()
    life.lease.renew(105.0)
    life.lease.forfeit()
    assert not life.lease.current, "and that as often as it was given up"
    life.lease.forfeit()
    assert life.lease.current and life.said == [1]


def test_an_old_heartbeat_does_not_shorten_the_lease() -> None:
    life = Life()
    life.lease.renew(110.0)
    life.lease.renew(103.0)
    life.now_s = 109.0
    assert life.lease.current
