"""What somebody else's Kafka client reads of us is as the document says: each record, its headers and its value."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.kafka.message import CLAIMED
from adapters.journal.kafka.topic import JOURNAL, topic_of
from domain.catalog import CATEGORIES, EVENTS, topic
from domain.ids import CONFIG_SHARD, SHARDS
from domain.ports import Note
from tests.adapters.journal.kafka.streams import streams
from tests.conformance.record import START, TIMEOUT_S, submit
from tests.fixtures.outsider import Contract, Heard, listen

CALLS = 400
RARE = {
    "call.counter_offered.1",
    "call.early_agreed.1",
    "call.redirected.1",
    "call.refresh_deferred.1",
    "call.refresh_requested.1",
    "call.renegotiation_retried.1",
}
"""What so many calls may not come to, played by chance."""


def test_every_record_is_as_the_document_says(fresh: Address) -> None:
    appended = list(streams(CALLS))
    journal = KafkaJournal(fresh, "node a")
    try:
        epochs = journal.claim([*range(SHARDS), CONFIG_SHARD], "node a")
        answers = [submit(journal, shard, epochs[shard], records) for shard, records in appended]
        journal.post([Note("shard.secret.sealed.1", f"shard-{CONFIG_SHARD}", START, b'{"sealed":"..."}')], "node a")
        assert all(isinstance(answer.result(TIMEOUT_S), int) for answer in answers)
    finally:
        journal.close()
    heard = listen(fresh.bootstrap[0], fresh.prefix, JOURNAL)
    contract = Contract()
    told = [(one, contract.check(one)) for one in heard]

    assert sum(one.type == "shard.secret.sealed.1" for one in heard) == 1
    assert sum(one.type == CLAIMED for one in heard) == 2 * SHARDS + 1, "each in its own partition, and announced"
    events = [(one, data) for one, data in told if not one.type.startswith("shard.")]
    assert Counter(one.type for one, _ in events) == Counter(one.type for _, records in appended for one in records)
    assert _types_of_now() - {one.type for one, _ in events} <= RARE
    of_stream: dict[str, list[Heard]] = defaultdict(list)
    for one, data in events:
        of_stream[one.key].append(one)
        assert one.headers["ce_source"] == b"/switchlog/node%20a"
        assert one.headers["ce_id"] == f"{one.key}:{data['originator_version']}".encode()
        assert one.headers["ce_sequence"] == str(data["originator_version"]).encode()
        assert one.headers["ce_tenant"] == data["context"]["tenant"].encode()
        assert one.topic == topic_of(CATEGORIES[one.type])
    for key, records in [(str(records[0].stream), records) for _, records in appended]:
        its = of_stream.pop(key)
        assert len({(one.topic, one.partition) for one in its}) == 1
        assert [int(one.headers["ce_sequence"]) for one in its] == list(range(1, len(records) + 1))
        assert [json.loads(one.value) for one in its] == [json.loads(record.data) for record in records]
    assert not of_stream


def _types_of_now() -> set[str]:
    return {topic(event) for event in EVENTS.values()}
