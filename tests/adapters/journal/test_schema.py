"""Rows of the file as records."""

from __future__ import annotations

import pickle
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from adapters.journal.memory import MemoryJournal
from adapters.journal.schema import COLUMNS, row_of, stored_of
from tests.projections.histories import plain_call, record


@given(st.uuids())
def test_a_stream_is_a_uuid_like_any_other(stream: UUID) -> None:
    row = row_of(3, 1, record(plain_call()[0]))
    made = stored_of((7, stream.bytes, *row[1:])).record.stream
    assert (made, hash(made), str(made), made.bytes, made.version) == (
        stream, hash(stream), str(stream), stream.bytes, stream.version,
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(made)) == stream
    assert len(COLUMNS.split(",")) == 1 + len(row)


def test_a_row_is_the_record_that_it_was_made_of() -> None:
    kept = record(plain_call()[0])
    assert stored_of((7, *row_of(3, 1, kept))).record == kept
    assert MemoryJournal().read(kept.stream) == []
