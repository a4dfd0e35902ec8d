"""`python -m bench.media_worker --control PATH`: a media worker that keeps how long its ticks took.

It works until SIGTERM. At every SIGUSR1 it writes a line of JSON: milliseconds of the ticks since the one before.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence

from media import __main__ as worker
from media.engine import Engine


def main(argv: Sequence[str]) -> int:
    took_ms: list[float] = []
    tick = Engine.tick

    def timed(engine: Engine, now_s: float) -> None:
        begun_s = time.perf_counter()
        tick(engine, now_s)
        took_ms.append((time.perf_counter() - begun_s) * 1000)

    def tell(*_: object) -> None:
        print(json.dumps([round(one, 3) for one in took_ms]), flush=True)
        took_ms.clear()

    signal.signal(signal.SIGUSR1, tell)
    Engine.tick = timed  # type: ignore[method-assign, assignment]
    return worker.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
