"""One of the crew of a rebuild: `python -m switchlog.rebuild.hand PARENT_PID`, told by standard input what to do.

It fills its part of new generations (`projections.crew.fill_part`), says on standard output how far it is, a line of
JSON a step, and ends.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import sys
import time

import msgspec

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.journal.codec import decode
from projections.crew import Share, Unsaid, fill_part
from switchlog.rebuild.crew import Task
from switchlog.setting.given import given
from switchlog.store.journal import open_reader
from switchlog.store.warehouse import endpoint, schema
from switchlog.tied import end_with_parent

_AWAY_S = 0.5


def main() -> None:
    """Raises whatever makes the work impossible: its parent then does without."""
    end_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    settings = given(sys.stdin.buffer.read())
    logging.disable()  # what there is to tell of the journal, the live projections have told
    gc.disable()  # what a hand makes has no cycles, and it ends soon
    with (
        contextlib.closing(open_reader(settings, f"rebuild-{task.part.number}", task.part)) as reader,
        Warehouse(endpoint(settings)) as warehouse,
    ):
        generations = Unsaid(warehouse, schema(settings.clickhouse_cluster), WarehouseError)
        work = fill_part(reader, generations, decode, task.states)
        share = Share()
        while True:
            try:
                at = next(work)
            except StopIteration as finished:
                _tell(Share(share.records, finished.value))
                return
            if at.waits:
                time.sleep(_AWAY_S)
            else:
                share = Share(at.done)
                _tell(share)


def _tell(share: Share) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(share) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
