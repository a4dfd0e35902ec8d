"""What an owner submits, and what becomes of it: the words that the committer shares with those who write.

What may live here: values only. Which journal it is does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from domain.ports import Done, Note, OwnershipLost, Record


class Submission(msgspec.Struct, frozen=True, gc=False):
    """Records of one shard that are appended together, with what other nodes are told; `done` is told the outcome."""

    shard: int
    epoch: int
    records: Sequence[Record]
    done: Done
    notes: Sequence[Note] = ()


Outcome = int | OwnershipLost
"""The position of a submission's last record (0 if it had none), or why nothing of it was appended."""
