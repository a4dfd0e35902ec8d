"""A child process that has a role: loaded, given its settings, run."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys

import uvloop

from switchlog.log import configure_logging
from switchlog.role.life import RoleError
from switchlog.roles import NICE, load_role, run_role
from switchlog.setting.given import given
from switchlog.tied import end_unusable

_OBJECTS = 50_000
"""A role is loaded without many searches for cycles of garbage, which modules do not leave behind."""


def run(part: str, words: int) -> None:
    """Until SIGTERM. Why the role cannot run is written to the descriptor `words`."""
    os.nice(NICE.get(part, 0))
    gc.set_threshold(_OBJECTS)
    load_role(part)  # before the settings are read: the parent may still be looking for them
    content = sys.stdin.buffer.read()
    if not content:
        sys.exit(0)
    settings = given(content)
    configure_logging(part, settings.log, in_a_thread=True)
    for library in ("clickhouse_driver", "kafka"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what they say, our own errors say in a line
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_role(part, settings))
    except RoleError as error:
        end_unusable(words, str(error))
