"""What a media worker says of itself, as lines that programs read."""

from __future__ import annotations

import json
import logging
import sys

from media.log import JsonLines


def line(message: str, **values: object) -> dict[str, object]:
    record = logging.LogRecord("media", logging.WARNING, __file__, 1, message, (), None)
    vars(record).update(values)
    written = JsonLines().format(record)
    assert "\n" not in written
    read: dict[str, object] = json.loads(written)
    return read


def test_a_line_has_the_event_and_what_came_with_it() -> None:
    said = line("a sound cannot be kept", path="/a b", reason="No space left on device")
    assert str(said.pop("timestamp")).endswith("Z")
    assert said == {
        "event": "a sound cannot be kept",
        "path": "/a b",
        "reason": "No space left on device",
        "level": "warning",
        "role": "media",
    }


def test_a_traceback_is_in_the_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        said = line("a step failed", exc_info=sys.exc_info())
    assert str(said["exception"]).endswith("ValueError: two\nlines")
