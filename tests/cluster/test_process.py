"""Processes that are ours alone: none outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from cluster.process import Process, tied
from tests.cluster.patience import PATIENCE_S, until

SLEEP = ("sleep", "600")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_it_ends_with_its_parent(log: Path) -> None:
    """Also when the parent is killed and can do nothing about it."""
    code = (
        "import sys, pathlib; from cluster.process import Process; "
        f"print(Process({SLEEP!r}, pathlib.Path(sys.argv[1])).pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        until(lambda: child.name() == "sleep", "begun")  # before that it sees for itself that its parent is gone
        parent.kill()
        child.wait(10)
    assert not child.is_running()


def test_one_whose_parent_is_gone_already_does_not_begin(log: Path) -> None:
    command = tied(("touch", str(log)))
    command[command.index(str(os.getpid()))] = "1"
    assert subprocess.run(command, check=False).returncode == 1
    assert not log.exists()


def test_it_is_started_by_a_thread_that_lasts(log: Path) -> None:
    said: list[Exception] = []

    def start() -> None:
        try:
            Process(SLEEP, log)
        except RuntimeError as error:
            said.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(PATIENCE_S)
    assert "in the main thread" in str(said)


def test_a_frozen_one_runs_and_is_ended_in_order(log: Path) -> None:
    one = Process(("sh", "-c", "trap 'echo ended; exit 3' TERM; echo ready; while :; do sleep 0.01; done"), log)
    until(lambda: "ready" in log.read_text(), "ready")
    one.freeze()
    os.waitid(os.P_PID, one.pid, os.WSTOPPED | os.WNOWAIT)
    assert psutil.Process(one.pid).status() == psutil.STATUS_STOPPED
    assert one.running
    assert one.end(10) == 3
    assert log.read_text() == "ready\nended\n"


def test_one_that_does_not_listen_is_killed(log: Path) -> None:
    one = Process(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"), log)
    until(lambda: "ready" in log.read_text(), "ready")
    assert one.end(0.1) == -signal.SIGKILL
    assert not one.running


def test_waiting_for_one_that_goes_on_says_so(log: Path) -> None:
    one = Process(SLEEP, log)
    with pytest.raises(TimeoutError, match="still runs"):
        one.wait(0.01)
    one.kill()
    assert not one.running


def test_on_a_full_disk_every_write_fails(log: Path, tmp_path: Path) -> None:
    go, file = tmp_path / "go", tmp_path / "file"
    os.mkfifo(go)
    one = Process(("sh", "-c", f"trap '' XFSZ; read x < {go}; echo one > {file} || exit 5"), log)
    one.fill_disk()
    go.write_text("go\n")  # opened by both
    assert one.wait(10) == 5
    assert file.read_text() == ""
