"""A process that appends without end and prints each acknowledged record, to be killed: `appender PATH`."""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path
from threading import Semaphore

from adapters.journal.sqlite import SqliteJournal
from domain.ports import OwnershipLost
from tests.conformance.record import records, stream

STREAMS = 5
IN_FLIGHT = 40


def main(path: Path) -> None:
    journal = SqliteJournal(path)
    epoch = journal.claim((1,), "appender")[1]
    free = Semaphore(IN_FLIGHT)
    for turn in count():
        number, first = turn % STREAMS, 2 * (turn // STREAMS) + 1

        def done(result: int | OwnershipLost, number: int = number, last: int = first + 1) -> None:
            assert isinstance(result, int)
            os.write(1, f"{number} {last}\n".encode())
            free.release()

        free.acquire()
        journal.submit(1, epoch, records(stream(str(number)), first, first + 1), done)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
