"""`python -m media --control PATH`: one media worker.

It ends by SIGTERM, or when its parent is gone and nobody has been connected for some seconds: until then the calls go
on, and whoever takes the parent's place may connect and take them over.
"""

from __future__ import annotations

import argparse
import gc
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from media import log, memory
from media.batch import Network
from media.control import Control
from media.engine import Engine
from media.play import Library
from media.record import Recorder
from media.source import Sources
from media.ties import SocketTies
from media.worker import Worker

_ORPHAN_S = 10.0
_SWITCH_S = 0.001
"""So long another thread, that reads sounds or writes recordings, may keep the tick from its turn."""
_MOST_LEGS = 1000


class Life:
    """Whether the process is to go on."""

    def __init__(self, parent: int, control: Control, orphan_s: float) -> None:
        self._parent = parent
        self._control = control
        self._orphan_s = orphan_s
        self._wanted_s = time.monotonic()
        self._terminated = False
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all; the parent ends us in order.

    def goes_on(self) -> bool:
        """Asked once a second."""
        now_s = time.monotonic()
        if os.getppid() == self._parent or self._control.connected:
            self._wanted_s = now_s
        return not self._terminated and now_s - self._wanted_s < self._orphan_s

    def _terminate(self, *_: object) -> None:
        self._terminated = True


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parsed arguments; ends the program with status 2 for wrong ones."""
    parser = argparse.ArgumentParser(prog="python -m media", description=__doc__)
    parser.add_argument("--control", type=Path, required=True, metavar="PATH", help="Unix socket to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address of the media ports; default %(default)s")
    parser.add_argument("--legs", type=int, default=_MOST_LEGS, help="most of them at once; default %(default)s")
    parser.add_argument("--kept", type=Path, metavar="FOLDER", help="where sounds that are made once are kept")
    parser.add_argument("--sounds", type=Path, metavar="FOLDER", help="prompts of one's own, LANGUAGE/NAME.wav")
    parser.add_argument(
        "--orphan-s", type=float, default=_ORPHAN_S, help="life without parent and connection; default %(default)s"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """0 when it ended as it should, 1 if it could not begin."""
    memory.keep()
    parent = os.getppid()
    wanted = arguments(argv)
    log.configure()
    try:
        control = Control(wanted.control, secrets.token_hex(8))
        ties = SocketTies(wanted.control)
    except OSError as error:
        sys.stderr.write(f"media: {error}\n")
        return 1
    network, library = Network(wanted.host, wanted.legs), Library(Sources(wanted.kept, wanted.sounds).load)
    engine = Engine(network, secrets.randbits, wanted.legs, library, Recorder(), ties)
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    Worker(engine, control).run(Life(parent, control, wanted.orphan_s).goes_on)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
