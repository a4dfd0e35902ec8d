"""What an outsider finds in our topics after a fault."""

from __future__ import annotations

from adapters.journal.kafka.address import parse
from tests.fixtures.outsider import listen


def no_gap_and_no_fork(journal: str) -> None:
    """In the topics of a `kafka://` address: each stream from 1 on without a gap, no older owner after a newer one."""
    address = parse(journal)
    streams: dict[str, list[tuple[int, int]]] = {}
    for one in listen(",".join(address.bootstrap), address.prefix, ("calls", "registrations")):
        if "ce_sequence" in one.headers:
            streams.setdefault(one.key, []).append((int(one.headers["ce_sequence"]), int(one.headers["epoch"])))
    assert streams
    for key, found in streams.items():
        sequences, epochs = [sequence for sequence, _ in found], [epoch for _, epoch in found]
        assert sequences == list(range(1, len(found) + 1)), (key, found)
        assert epochs == sorted(epochs), (key, found)
