"""The entry of a child process: settings from standard input, its life tied to its parent's, one role."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import sys

import structlog
import uvloop

from switchlog.log import configure_logging
from switchlog.role import RoleError
from switchlog.roles import NICE, load_role, run_role
from switchlog.settings import Settings
from switchlog.supervisor import EXIT_UNUSABLE

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent is gone: no orphan may write the journal."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    """`python -m switchlog.child ROLE PARENT_PID` with the settings as JSON on standard input; none = end."""
    role, parent = sys.argv[1], int(sys.argv[2])
    end_with_parent(parent)
    os.nice(NICE.get(role, 0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a role asks for it
    load_role(role)  # before the settings are read: the parent may still be looking for them
    given = sys.stdin.buffer.read()
    if not given:
        sys.exit(0)
    settings = Settings.model_validate_json(given)
    configure_logging(role, settings.log, in_a_thread=True)
    logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)  # what it says, our own errors say in a line
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_role(role, settings))
    except RoleError as error:
        structlog.get_logger(__name__).error(str(error))
        sys.exit(EXIT_UNUSABLE)


if __name__ == "__main__":
    main()
