"""`switchlog ready` against a real command socket: what it asks, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from adapters.command.local import Command, CommandServer
from domain.refusal import Refusal
from switchlog.cli import app as cli
from switchlog.setting.folder import HANDLE, LOCK, PROJECTOR_SOCKET, SESSIONS_SOCKET


def works(command: Command) -> dict[str, Any]:
    return {}


def waits(command: Command) -> dict[str, Any]:
    raise Refusal("unavailable", "ClickHouse cannot be reached")


@contextmanager
def parts(folder: Path, **pings: Callable[[Command], Any]) -> Iterator[None]:
    """Parts that answer `ping` in this way, on a loop of their own."""
    sockets: Mapping[str, str] = {"sessions": SESSIONS_SOCKET, "projector": PROJECTOR_SOCKET}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    (folder / LOCK).write_text(" ".join(pings))
    servers = [CommandServer(folder / sockets[part], {"ping": ping, "metrics": works}) for part, ping in pings.items()]
    try:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield
    finally:
        for server in servers:
            asyncio.run_coroutine_threadsafe(server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def api(folder: Path, status: int, answer: bytes) -> Iterator[list[str]]:
    """An API that answers so, once; yields the paths that it is asked for."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Not on stderr, which is asserted."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        (folder / LOCK).write_text("api")
        (folder / HANDLE).write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "key": "k"}))
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield asked
        thread.join()


def ready(folder: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["ready", "--data", str(folder), *words])
    return int(ended.value.code or 0)


def test_parts_that_answer_are_ready(tmp_path: Path) -> None:
    with parts(tmp_path, sessions=works, projector=works):
        assert ready(tmp_path) == 0
        assert ready(tmp_path, "sessions") == 0


def test_only_those_that_were_named_are_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with parts(tmp_path, sessions=works, projector=waits):
        assert ready(tmp_path, "sessions") == 0
        assert ready(tmp_path, "projector") == 1
        assert ready(tmp_path) == 1
    assert capsys.readouterr().err == 2 * "switchlog: projector: ClickHouse cannot be reached\n"


def test_who_waits_for_something_is_alive(tmp_path: Path) -> None:
    with parts(tmp_path, sessions=waits):
        assert ready(tmp_path, "sessions") == 1
        assert ready(tmp_path, "--alive", "sessions") == 0
    assert ready(tmp_path, "--alive", "sessions") == 1
    with api(tmp_path, 200, b"{}") as asked:
        assert ready(tmp_path, "--alive", "api") == 0
    assert asked == ["/healthz"]


def test_a_part_that_is_gone_or_was_never_there_is_not_ready(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ready(tmp_path) == 1
    assert ready(tmp_path, "sessions") == 1
    (tmp_path / LOCK).write_text("sessions analytics")
    (tmp_path / SESSIONS_SOCKET).touch()  # as a process leaves it that was killed: nobody listens there
    assert ready(tmp_path) == 1
    assert "nothing runs in" in (said := capsys.readouterr().err)
    assert said.count("sessions: the process behind sessions.sock does not answer") == 2


def test_a_part_that_hangs_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released = threading.Event()
    with parts(tmp_path, sessions=lambda command: released.wait(60)):
        assert ready(tmp_path, "--timeout", "0.1") == 1
        released.set()
    assert "sessions: no answer within 0.1 s" in capsys.readouterr().err


def test_an_unknown_part_is_a_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ready(tmp_path, "sesions") == 2
    assert "use sessions, projector, api" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "answer", "code", "said"),
    [
        (200, b'{"status":"ok"}', 0, ""),
        (503, b'{"detail":"live: not loaded yet"}', 1, "switchlog: api: live: not loaded yet\n"),
        (503, b"<html>", 1, "does not answer"),
    ],
)
def test_the_api_is_asked_where_it_says_that_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int, answer: bytes, code: int, said: str
) -> None:
    with api(tmp_path, status, answer) as asked:
        assert ready(tmp_path) == code
    assert asked == ["/readyz?part=live"]
    assert said in (err := capsys.readouterr().err)
    assert bool(err) is bool(said)


def test_an_api_that_is_gone_is_not_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / LOCK).write_text("api")
    assert ready(tmp_path) == 1
    (tmp_path / HANDLE).write_text('{"url": "http://127.0.0.1:1", "key": "k"}')
    assert ready(tmp_path) == 1
    said = capsys.readouterr().err
    assert "api: it does not run" in said
    assert "api: http://127.0.0.1:1 does not answer" in said
