"""What the client library does not say by itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from kafka import errors  # type: ignore[import-untyped]

from adapters.journal.kafka.partitions import ends_of


class Leaderless:
    """A client that does not know the leader of `b` the first `times` that it is asked."""

    def __init__(self, times: int) -> None:
        self.left = times

    def end_offsets(self, partitions: Sequence[str], timeout_ms: int) -> dict[str, int]:
        known = {"a": 1} if self.left else {"a": 1, "b": 2}
        self.left = max(0, self.left - 1)
        return {partition: known[partition] for partition in partitions}


def test_partitions_without_a_leader_are_asked_about_again() -> None:
    assert ends_of(Leaderless(0), ["a", "b"]) == {"a": 1, "b": 2}
    assert ends_of(Leaderless(3), ["a", "b"]) == {"a": 1, "b": 2}


def test_and_not_for_ever() -> None:
    with pytest.raises(errors.KafkaTimeoutError, match="no broker leads b"):
        ends_of(Leaderless(10**9), ["a", "b"], wait_s=0.05)
