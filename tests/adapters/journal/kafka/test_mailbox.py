"""Letters on a real broker: heard by all from when they begin, strangers' noise left out."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from adapters.journal.kafka.address import Address
from adapters.journal.kafka.mailbox import LETTER_BYTES, Mailbox
from domain.ports import JournalError, Letter

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def heard(mailbox: Mailbox, count: int) -> list[Letter]:
    found, until = list[Letter](), time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < until, found
        found += mailbox.take(100)
    return found


def test_letters_are_heard_by_all_who_are_there(fresh: Address) -> None:
    one = Mailbox(fresh, "a")
    before = Letter("c0", "command.asked.1", "node:b", b"s1.x")
    one.send(before, AT)
    two = Mailbox(fresh, "b")
    try:
        producer = KafkaProducer(bootstrap_servers=list(fresh.bootstrap))
        producer.send(f"{fresh.prefix}.commands", b"noise").get(30)
        producer.close()
        letters = [Letter(f"c{number}", "command.asked.1", f"shard:{number}", b"s1.y") for number in range(1, 6)]
        for letter in letters:
            one.send(letter, AT)
        assert sorted(heard(two, 5), key=lambda letter: letter.id) == letters
        assert sorted(heard(one, 6), key=lambda letter: letter.id) == [before, *letters]
        with pytest.raises(JournalError, match="more than nodes send"):
            one.send(Letter("c9", "command.asked.1", "node:b", b"x" * (LETTER_BYTES + 1)), AT)
    finally:
        one.close()
        two.close()
