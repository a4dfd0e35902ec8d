"""Log lines: structured, with call and tenant, and never with a secret."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from switchlog.log import Line, configure_logging, later
from switchlog.log_thread import ThreadHandler
from tests.switchlog.logged import lines


def test_a_line_has_what_was_bound(stream: io.StringIO) -> None:
    structlog.get_logger("x").bind(call="c1", tenant="acme").info("ringing", legs=2)
    (line,) = lines(stream)
    expected = {"event": "ringing", "call": "c1", "tenant": "acme", "legs": 2, "role": "sessions", "level": "info"}
    assert {name: line[name] for name in expected} == expected
    assert line["timestamp"].endswith("Z")


def test_other_libraries_go_the_same_way(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("sent Authorization: Bearer abc-hidden")
    (line,) = lines(stream)
    assert line["role"] == "sessions"
    assert "hidden" not in stream.getvalue()


HIDDEN: list[dict[str, Any]] = [
    {"password": "hidden"},
    {"ha1": {"MD5": "hidden"}},
    {"Authorization": "Digest hidden"},
    {"headers": {"proxy-authorization": "hidden", "x": [{"api_key": "hidden"}]}},
    {"message": 'REGISTER sip:a\r\nAuthorization: Digest username="a", response="hidden"\r\nTo: x'},
    {"message": b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:hidden\r\n"},
    {"url": "clickhouse://switchlog:hidden@127.0.0.1:9000/switchlog"},
    {"body": '{"slug": "a", "password": "hidden words"}'},
    {"body": "number: '1001', password: hidden"},
    {"wire_token": "hidden"},
]


@pytest.mark.parametrize("values", HIDDEN)
def test_a_secret_is_never_written(stream: io.StringIO, values: dict[str, Any]) -> None:
    structlog.get_logger("x").info("heard", **values)
    later(logging.INFO, lambda: Line("heard", datetime(2026, 3, 1, tzinfo=UTC), values))
    assert len([line for line in lines(stream) if "[redacted]" in str(line)]) == 2
    assert "hidden" not in stream.getvalue()


def test_a_secret_in_a_traceback_is_not_written(stream: io.StringIO) -> None:
    try:
        raise ValueError("cannot use password=hidden")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    (line,) = lines(stream)
    assert "ValueError" in line["exception"]
    assert "=hidden" not in line["exception"]


def test_a_terminal_is_shown_no_variables_of_a_fault(stream: io.StringIO) -> None:
    """`stream` is here so that what logs before the test logs after it."""
    shown = io.StringIO()
    configure_logging("sessions", "console", shown)
    try:
        _fail("47" + "11")
    except LookupError:
        structlog.get_logger("x").exception("a fault")
    assert "cannot use password" in shown.getvalue()
    assert "4711" not in shown.getvalue()
    assert "hidden" not in shown.getvalue()


def _fail(pin: str) -> None:
    raise LookupError(f"cannot use password=hidden of {len(pin)} digits")


def test_what_is_no_secret_stays(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("REGISTER", uri="sip:1001@acme.example:5060", reason="a wrong password", count=3)
    (line,) = lines(stream)
    assert (line["uri"], line["reason"], line["count"]) == ("sip:1001@acme.example:5060", "a wrong password", 3)


def test_a_log_that_nobody_reads_does_not_stop_who_logs() -> None:
    script = (
        "import structlog, sys\n"
        "from switchlog.log import configure_logging\n"
        "configure_logging('sessions', 'json', in_a_thread=True)\n"
        "log = structlog.get_logger('x')\n"
        "for number in range(20_000):\n"
        "    log.info('a line', number=number)\n"
        "sys.stdout.write('done')\n"
        "sys.stdout.flush()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"done"  # its stderr is full and unread
        process.kill()


def test_lines_of_the_thread_are_written_before_the_process_ends() -> None:
    script = (
        "import structlog\n"
        "from switchlog.log import configure_logging\n"
        "configure_logging('sessions', 'json', in_a_thread=True)\n"
        "structlog.get_logger('x').error('the last word', password='hunter2')\n"
        "raise SystemExit(78)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert "the last word" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_name_that_is_no_text_does_not_cost_the_line(stream: io.StringIO) -> None:
    structlog.get_logger("x").info("heard", user="half a pair: \ud800")
    (line,) = lines(stream)
    assert line["user"] == "half a pair: \ud800"


def test_lines_that_do_not_fit_are_dropped_and_counted() -> None:
    out = io.StringIO()
    handler = ThreadHandler(logging.StreamHandler(out), limit=0)
    for number in range(5):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, f"line {number}", None, None))
    handler.close()
    assert out.getvalue() == "5 lines of the log were dropped: nobody read them in time\n"


def test_a_line_that_cannot_be_written_does_not_end_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    out = io.StringIO()
    handler = ThreadHandler(logging.StreamHandler(out))
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "%d apples", ("no",), None))
    handler.leave(logging.INFO, lambda: logging.LogRecord("x", logging.INFO, "", 0, "%d plums", ("no",), None))
    handler.leave(logging.INFO, lambda: logging.LogRecord("x", logging.INFO, "", 0, "pears", None, None))
    handler.close()
    assert out.getvalue() == "pears\n"
