"""A process whose files may not grow for a while; prints what it saw as JSON: `full_disk PATH`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from adapters.journal.sqlite import SqliteJournal
from domain.ports import JournalError, OwnershipLost
from tests.conformance.record import TIMEOUT_S, append, records, sequences, stream, submit

A, B = stream("a"), stream("b")


def _reason(outcome: int | OwnershipLost) -> str:
    return outcome.reason if isinstance(outcome, OwnershipLost) else "appended"


def main(path: Path) -> None:
    journal = SqliteJournal(path)
    epoch = journal.claim((1, 2), "node")[1]
    append(journal, 1, epoch, records(A, 1, 10))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    written = Path(f"{path}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, unlimited[1]))
    during = [
        submit(journal, 1, epoch, records(A, 11, 500)),
        submit(journal, 1, epoch, records(A, 501, 501)),
        submit(journal, 2, epoch, records(B, 1, 500)),
    ]
    reasons = [_reason(one.result(TIMEOUT_S)) for one in during]
    try:
        journal.claim((1,), "node")
        claim = "granted"
    except JournalError as error:
        claim = str(error)
    readable = sequences(journal, A)
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    stale = _reason(append(journal, 1, epoch, records(A, 11, 11)))
    again = journal.claim((1, 2), "node")
    position = append(journal, 1, again[1], records(A, 11, 12))
    journal.close()
    reopened = SqliteJournal(path)
    print(
        json.dumps(
            {
                "reasons": reasons,
                "claim": claim,
                "readable": readable,
                "stale": stale,
                "position": position,
                "a": sequences(reopened, A),
                "b": sequences(reopened, B),
            }
        )
    )
    reopened.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
