"""A log that tests can read."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from switchlog.log import configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What this process logs as `sessions`, in JSON."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    out = io.StringIO()
    configure_logging("sessions", "json", out)
    yield out
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
