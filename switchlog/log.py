"""Structured logs to stderr: JSON lines for machines, colours for a terminal; never a secret.

Code logs by `structlog.get_logger(__name__)`, binds `call` and `tenant`, and names values by keys, so that `redact` can
tell a secret from the rest. Words for people are the event, values are keys.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TextIO

import msgspec
import structlog

from switchlog.log_thread import ThreadHandler

REDACTED = "[redacted]"
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
    # Tracebacks are plain: pretty ones show what every variable holds, and some hold keys and PINs.
    pretty = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = pretty if console else structlog.processors.JSONRenderer(_json)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
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
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _with_role(role),
                redact,  # every line goes this way, whoever wrote it
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [ThreadHandler(handler) if in_a_thread else handler]
    root.setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)


class Line(NamedTuple):
    """A line of the log, with the moment of what it tells."""

    event: str
    at: datetime
    values: dict[str, Any]


def later(level: int, make: Callable[[], Line]) -> None:
    """The cheap way in, for lines that come by the thousand: `make` is called in the log's thread, if there is one."""
    root = logging.getLogger()
    if not root.isEnabledFor(level):
        return
    for handler in root.handlers:
        if isinstance(handler, ThreadHandler):
            handler.leave(level, lambda: _record(level, make()))
        else:
            handler.handle(_record(level, make()))


def _record(level: int, line: Line) -> logging.LogRecord:
    """The line as structlog's own loggers hand it over."""
    name = logging.getLevelName(level).lower()
    moment = f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    entry = {**line.values, "event": line.event, "level": name, "timestamp": moment}
    record = logging.LogRecord("switchlog", level, "", 0, entry, None, None)
    record._logger, record._name = logging.getLogger(), name
    return record


def redact(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that takes secrets out: by name at any depth, and by what a text looks like."""
    for name, value in entry.items():
        entry[name] = _clean(name, value)
    return entry


def _clean(name: str, value: object) -> object:
    if _names_a_secret(name):
        return REDACTED
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, bytes):
        return _clean(name, value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(name, inner) for inner in value]
    return value


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _clean_text(text: str) -> str:
    if ":" not in text and "=" not in text and "earer" not in text.lower():
        return text  # none of the patterns can match
    for pattern in _SECRET_TEXT:
        text = pattern.sub(_hide, text)
    return text


def _hide(match: re.Match[str]) -> str:
    return f"{match['name']}{REDACTED}"


def _with_role(role: str) -> Any:
    def add(logger: object, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        entry.setdefault("role", role)
        return entry

    return add


def _json(entry: object, default: Any = None, **_: object) -> str:
    try:
        return msgspec.json.encode(entry, enc_hook=default).decode()
    except (TypeError, ValueError, OverflowError):  # such as half a surrogate pair in a name from the network
        return json.dumps(entry, default=default)
