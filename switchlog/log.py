"""Structured logs to stderr: JSON lines for machines, colours for a terminal; never a secret.

Code logs by `structlog.get_logger(__name__)`, binds `call` and `tenant`, and names values by keys, so that `redact` can
tell a secret from the rest. Words for people are the event, values are keys.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any, Literal, TextIO

import structlog

REDACTED = "[redacted]"
_LINES_WAITING = 10_000
_SECRET_NAME = re.compile(r"passw|ha1|authorization|crypto|secret|token|api_?key|admin_?key|credential", re.IGNORECASE)
_SECRET_TEXT = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<name>(?:proxy-)?authorization[\"']?\s*[:=]\s*|a=crypto:)(?P<value>[^\r\n]+)",
        r"(?P<name>\bbearer\s+)(?P<value>\S+)",
        r"(?P<name>\b(?:password|passwd|ha1|secret|token|api_?key)[\"']?\s*[:=]\s*)(?P<value>\"[^\"]*\"|'[^']*'|\S+)",
        r"(?P<name>://[^/\s:@]*:)(?P<value>[^/\s@]+)(?=@)",
    )
)
"""What follows such a name is a secret, wherever the text comes from."""


def configure_logging(
    role: str,
    style: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
    in_a_thread: bool = False,
) -> None:
    """Send this process's log to stderr (or `stream`), each line with the role; `auto` = colours on a terminal only.

    `in_a_thread`: whoever logs never waits for the reader of the log; lines beyond a bounded queue are dropped.

    The standard library's loggers (uvicorn's) go the same way.
    """
    out = stream or sys.stderr
    console = style == "console" or (style == "auto" and out.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_role(role),
        structlog.processors.StackInfoRenderer(),
        *([] if console else [structlog.processors.format_exc_info]),
        redact,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [_in_a_thread(handler) if in_a_thread else handler]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class _Queued(QueueHandler):
    """Hands records over as they are; drops what does not fit."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Full):
            self.queue.put_nowait(record)


def _in_a_thread(handler: logging.Handler) -> logging.Handler:
    """A terminal that is stopped, or a pipe that nobody reads, must not stop the calls."""
    lines: Queue[logging.LogRecord] = Queue(_LINES_WAITING)
    listener = QueueListener(lines, handler)
    listener.start()
    atexit.register(listener.stop)
    return _Queued(lines)


def redact(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that takes secrets out: by name at any depth, and by what a text looks like."""
    for name, value in entry.items():
        entry[name] = _clean(name, value)
    return entry


def _clean(name: str, value: object) -> object:
    if _SECRET_NAME.search(name):
        return REDACTED
    if isinstance(value, str):
        for pattern in _SECRET_TEXT:
            value = pattern.sub(_hide, value)
        return value
    if isinstance(value, bytes):
        return _clean(name, value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(name, inner) for inner in value]
    return value


def _hide(match: re.Match[str]) -> str:
    return f"{match['name']}{REDACTED}"


def _with_role(role: str) -> Any:
    def add(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry.setdefault("role", role)
        return entry

    return add
