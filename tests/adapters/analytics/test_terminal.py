"""The engine leaves a terminal to us: whoever types `make run` reads our lines, not hundreds of its own."""

import os
import pty
import subprocess
import sys
from pathlib import Path

_OPENS = """
import sys
from pathlib import Path
from adapters.analytics.engine import Engine, Limits

engine = Engine(Path(sys.argv[1]), Limits())
engine.run("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a", "switchlog", print, reader=False)
engine.close()
"""


def test_the_engine_writes_nothing_of_its_own_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", _OPENS, str(tmp_path / "clickhouse")],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            check=True,
            timeout=60,  # a terminal that nobody reads holds up who fills it
        )
        os.write(theirs, b"end")
        assert os.read(ours, 65536) == b"end"
    finally:
        os.close(ours)
        os.close(theirs)
