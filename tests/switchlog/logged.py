"""Reading the log that a test wrote."""

from __future__ import annotations

import io
import json
from typing import Any


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines of the log, as JSON."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]
