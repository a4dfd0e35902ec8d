"""What a media worker says of itself: lines of JSON on stderr, as all processes of a server write them.

By the standard library alone: a worker is to be there soon when another one has died, and says next to nothing.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_USUAL = vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys()


class JsonLines(logging.Formatter):
    """The event, the values that came with it as `extra`, level, time, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {name: value for name, value in vars(record).items() if name not in _USUAL}
        line |= {"event": record.getMessage(), "role": "media", "level": record.levelname.lower()}
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z")
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure() -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
