"""Subscriptions: what can happen wherever one stands, what its phone is owed, and the laws of any history."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.codec import decode, encode
from domain.catalog import topic
from domain.subscription.input import Expire, Fail, Input, Look, Refresh, Subscribe, Take
from domain.subscription.subscription import LINGER, Standing, Why, deadline, live_until
from domain.subscription.turn import Notice, fold, same_phone, tells
from tests.domain.subscription.watching import DIALOG, Watch, begun
from tests.domain.world import UDP, contact, seconds

REFRESH = Refresh("c", "a", msgspec.structs.replace(DIALOG, remote_cseq=8), 600)
INPUTS: dict[type[Input], Input] = {
    Subscribe: Subscribe("c", "a", "acme", "1002", "message-summary", "", DIALOG, 300),
    Refresh: REFRESH,
    Take: Take("c", "a", 1, "1/0"),
    Fail: Fail("c", "a", Why.SILENT),
    Expire: Expire("c", "a"),
    Look: Look("c", "a"),
}
ROWS: dict[tuple[Standing, type[Input]], list[str]] = {
    (Standing.ACTIVE, Refresh): ["Refreshed"],
    (Standing.ACTIVE, Take): ["Told"],
    (Standing.ACTIVE, Fail): ["Ended"],
}
"""What else can happen means nothing."""


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("standing", Standing)
def test_each_input_wherever_a_subscription_stands(standing: Standing, kind: type[Input]) -> None:
    watch = begun()
    if standing is Standing.TERMINATED:
        watch.play(Fail("c", "a", Why.REFUSED))
    assert watch.play(INPUTS[kind]) == ROWS.get((standing, kind), [])


@pytest.mark.parametrize("kind", INPUTS)
def test_only_subscribing_begins_one(kind: type[Input]) -> None:
    assert Watch().play(INPUTS[kind]) == (["Begun"] if kind is Subscribe else [])


def test_each_request_of_the_phone_is_followed_by_a_notice() -> None:
    watch = begun()
    assert watch.owed() == Notice("0/0", 300)
    assert watch.taken() == ["Told"]
    assert watch.owed() is None
    assert watch.owed("1/0") == Notice("1/0", 300)
    watch.taken("1/0")
    watch.now += seconds(100)
    watch.play(REFRESH)
    assert watch.owed("1/0") == Notice("1/0", 600), "nothing has changed, and it asked"


def test_what_was_under_way_when_it_asked_again_is_no_answer_to_that() -> None:
    watch = begun()
    assert watch.subscription is not None
    at = watch.subscription.version
    watch.play(REFRESH)
    watch.play(Take("c", "a", at, "0/0"))
    assert watch.owed() == Notice("0/0", 600)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (Refresh("c", "a", DIALOG, 0), "timeout"),
        (Fail("c", "a", Why.NO_RESOURCE), "noresource"),
        (Fail("c", "a", Why.REFUSED), ""),
        (Fail("c", "a", Why.SILENT), ""),
        (Fail("c", "a", Why.REPLACED), ""),
    ],
)
def test_a_phone_is_told_of_an_end_that_it_cannot_know(how: Input, reason: str) -> None:
    watch = begun()
    watch.taken()
    assert watch.play(how)[-1] == "Ended"
    assert watch.owed() == (Notice("0/0", 0, reason) if reason else None)
    watch.now += LINGER
    assert watch.owed() is None


def test_it_ends_in_time_unless_it_is_refreshed() -> None:
    watch = begun()
    assert watch.subscription is not None
    watch.now = deadline(watch.subscription)
    watch.play(REFRESH)
    assert watch.play(Expire("c", "a")) == []
    watch.now = deadline(watch.subscription)
    assert watch.play(Expire("c", "a")) == ["Ended"]
    assert watch.owed() == Notice("0/0", 0, "timeout")
    assert deadline(watch.subscription) == watch.now + LINGER
    assert live_until(watch.subscription) == (watch.now + LINGER).timestamp()


def test_who_asks_once_is_told_once() -> None:
    watch = begun(expires_s=0)
    assert [type(event).__name__ for event in watch.events] == ["Begun", "Ended"]
    assert watch.owed("2/1") == Notice("2/1", 0, "timeout")


def test_a_phone_is_the_same_by_its_instance_or_by_where_it_is() -> None:
    other = msgspec.structs.replace(DIALOG, call_id="other", remote_tag="more")
    assert same_phone(DIALOG, other)
    assert not same_phone(DIALOG, msgspec.structs.replace(other, device="1002-desk"))
    assert not same_phone(DIALOG, msgspec.structs.replace(other, remote_target="sip:1002@127.0.0.1:6009"))
    moved = msgspec.structs.replace(other, instance="urn:a", remote_target="sip:1002@127.0.0.1:6009")
    assert same_phone(msgspec.structs.replace(DIALOG, instance="urn:a"), moved)
    assert not same_phone(msgspec.structs.replace(DIALOG, instance="urn:b"), moved)


def test_the_phone_of_a_binding_is_known_again() -> None:
    subscription = begun().subscription
    assert subscription is not None
    elsewhere = msgspec.structs.replace(UDP, remote="127.0.0.1:7000")
    assert tells(subscription, contact("1002", 6002, elsewhere))
    assert tells(subscription, contact("1002", 6009))
    assert not tells(subscription, contact("1002", 6009, elsewhere))
    assert not tells(subscription, contact("1003", 6002))


@given(st.lists(st.tuples(st.sampled_from(list(INPUTS)), st.integers(0, 200), st.booleans()), max_size=30))
def test_the_journal_tells_all_and_numbers_rise(steps: list[tuple[type[Input], int, bool]]) -> None:
    watch = begun()
    assert watch.subscription is not None
    numbers = [watch.subscription.cseq(watch.epoch)]
    for kind, wait_s, is_taken_over in steps:
        watch.now += timedelta(seconds=wait_s)
        watch.epoch += is_taken_over
        if watch.play(INPUTS[kind]) or is_taken_over:
            numbers.append(watch.subscription.cseq(watch.epoch))
    assert all(one < after for one, after in pairwise(numbers))
    again = fold(None, tuple(decode(topic(type(event)), encode(event)) for event in watch.events))
    assert vars(again) == vars(watch.subscription)
