"""What no broker would take, found out before it is said: a group must not fail for one of its records."""

from __future__ import annotations

from adapters.journal.kafka.producer import MESSAGE_BYTES
from adapters.journal.kafka.topic import place_of
from adapters.journal.submission import Submission
from domain.ids import CONFIG_SHARD
from domain.ports import JournalError


def unfit(submission: Submission) -> str | None:
    """Why no broker would take some record of it, or why it does not belong to the shard."""
    if submission.notes and submission.shard != CONFIG_SHARD:
        return f"shard {submission.shard} has nothing to tell: notes are of the configuration's owner"
    for note in submission.notes:
        if (reason := too_large(note.data)) is not None:
            return reason
    for record in submission.records:
        if (reason := too_large(record.data)) is not None:
            return reason
        try:
            place_of(record.category, submission.shard)
        except JournalError as error:
            return f"a record cannot be stored: {error}"
    return None


def too_large(data: bytes | None) -> str | None:
    """The same of one value."""
    if data is None or len(data) <= MESSAGE_BYTES:
        return None
    return f"a record cannot be stored: {len(data):,} bytes are more than {MESSAGE_BYTES:,}"
