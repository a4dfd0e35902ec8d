"""What stops the role `analytics` from starting is one clear line."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from adapters.analytics.gateway import Accounts
from adapters.analytics.process import AnalyticsRefused, serve
from tests.fixtures.clickhouse import start, stop


def refusal(folder: Path, listen: tuple[str, int], accounts: Accounts) -> str:
    with pytest.raises(AnalyticsRefused) as refused:
        asyncio.run(serve(folder, listen, accounts, asyncio.Event()))
    return str(refused.value)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    assert "cannot be written" in refusal(taken, ("127.0.0.1", 0), Accounts("x"))


def test_a_folder_serves_one_process(tmp_path: Path) -> None:
    process, _ = start(tmp_path)
    try:
        line = refusal(tmp_path, ("127.0.0.1", 0), Accounts("x"))
        assert "in use by another process: stop that one" in line
        assert "\n" not in line
    finally:
        assert stop(process) == 0


def test_a_port_in_use_is_named_before_the_engine_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot be served on 127.0.0.1:{port}" in refusal(tmp_path, ("127.0.0.1", port), Accounts("x"))
