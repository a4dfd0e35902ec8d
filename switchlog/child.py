"""The entry of a child process: settings from standard input, its life tied to its parent's, one role."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import uvloop

from switchlog.log import configure_logging
from switchlog.role.life import RoleError
from switchlog.roles import NICE, load_role, run_role
from switchlog.setting.given import given
from switchlog.supervisor import EXIT_UNUSABLE
from switchlog.tied import end_with_parent

WORDS_MOST = 4096
"""What a pipe takes at once, whoever reads."""


def spoken(reason: str) -> bytes:
    """The last words of a child, whatever is in them; cut where the pipe is full, be it inside a character."""
    return reason.encode(errors="backslashreplace")[:WORDS_MOST]


def main() -> None:
    """`python -m switchlog.child ROLE PARENT_PID WORDS` with the settings as JSON on standard input; none = end.

    Why the role cannot run is written to the descriptor WORDS: the parent says it, last of all.
    """
    role, parent, words = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(words, False)
    end_with_parent(parent)
    os.nice(NICE.get(role, 0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a role asks for it
    load_role(role)  # before the settings are read: the parent may still be looking for them
    content = sys.stdin.buffer.read()
    if not content:
        sys.exit(0)
    settings = given(content)
    configure_logging(role, settings.log, in_a_thread=True)
    for library in ("clickhouse_driver", "kafka"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what they say, our own errors say in a line
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_role(role, settings))
    except RoleError as error:
        os.write(words, spoken(str(error)))
        sys.exit(EXIT_UNUSABLE)


if __name__ == "__main__":
    main()
