"""Where records belong."""

from __future__ import annotations

import pytest

from adapters.journal.kafka import topic
from domain.catalog import CATEGORIES
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import JournalError


def test_every_category_has_a_place_for_each_shard_that_may_hold_it() -> None:
    for category in set(CATEGORIES.values()):
        shards = [CONFIG_SHARD] if category == "config" else range(SHARDS)
        for shard in shards:
            place = topic.place_of(category, shard)
            assert place.shard == shard
            assert place in topic.places_of(shard)


def test_partitions_of_the_journal_are_named_once_and_found_by_name() -> None:
    places = topic.every_place()
    assert len({place.key for place in places}) == len(places) == 2 * SHARDS + 1
    assert [topic.place_named(place.key) for place in places] == list(places)
    assert {place.shard for place in places} == {*range(SHARDS), CONFIG_SHARD}
    assert topic.CONFIG_PARTITION == "config-0"


@pytest.mark.parametrize(
    "key", ["", "journal", "calls-64", "calls-01", "config-1", "calls", "checkpoints-1", "calls--1"]
)
def test_a_cursor_of_another_journal_is_refused(key: str) -> None:
    with pytest.raises(JournalError, match="another journal"):
        topic.place_named(key)


@pytest.mark.parametrize(
    ("category", "shard"), [("calls", 64), ("calls", -1), ("config", 0), ("security", 64), ("x", 1)]
)
def test_what_belongs_nowhere_is_refused(category: str, shard: int) -> None:
    with pytest.raises(JournalError):
        topic.place_of(category, shard)


def test_a_partition_that_does_not_exist_is_refused() -> None:
    assert topic.place("commands", 63).key == "commands-63"
    for name, number in (("commands", 64), ("config", 1), ("songs", 0), ("calls", -1)):
        with pytest.raises(JournalError):
            topic.place(name, number)


def test_events_are_kept_for_ever_and_only_they() -> None:
    kept = {one.name for one in topic.TOPICS.values() if one.settings.get("retention.ms") == "-1"}
    assert kept == set(topic.JOURNAL)
    assert topic.TOPICS["checkpoints"].settings["cleanup.policy"] == "compact"
    assert topic.TOPICS["calls"].full("acme.pbx") == "acme.pbx.calls"
