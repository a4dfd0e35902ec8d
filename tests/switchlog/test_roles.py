"""Which processes are started, and who may."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from domain.refusal import Refusal
from switchlog import roles
from switchlog.early import FIRST
from switchlog.role.api import Router
from switchlog.role.life import RoleError
from switchlog.roles import NICE, ROLES, serve
from switchlog.setting.folder import LOCK, roles_of, socket_name
from switchlog.setting.settings import load
from switchlog.start import first_child


def test_an_unknown_role_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match="there is no role king: use api, sessions, media, projector, analytics"):
        serve(load(environment={}, data=tmp_path / "data"), ("api", "king"))
    assert not (tmp_path / "data").exists()


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    held = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(RoleError, match=f"another Switchlog runs on the data folder {tmp_path}; stop it first"):
        serve(load(environment={}, data=tmp_path))
    os.close(held)


def test_a_folder_says_which_roles_it_has(tmp_path: Path) -> None:
    assert roles_of(tmp_path) == frozenset()
    lock = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    for these in (["sessions", "projector"], ["api"]):
        roles._say_which(lock, these)
        assert roles_of(tmp_path) == set(these)
    os.close(lock)


@pytest.mark.parametrize("depth", [1, 20])
def test_a_socket_is_found_however_long_its_name(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["folder"] * depth)
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(socket_name(folder / "s")))
        listener.listen()
        client.connect(str(socket_name(folder / "s")))
    assert (folder / "s").is_socket()


async def test_an_api_without_the_others_says_where_to_ask() -> None:
    with pytest.raises(Refusal, match="the sessions role is not beside"):
        await Router({}).call("apply", {}, "api:1", "1")
    with pytest.raises(Refusal, match="the projector role is not beside"):
        await Router({}).call("projections.list", {}, "api:1", "2")


def test_what_takes_work_from_outside_ends_first_and_what_is_written_to_last() -> None:
    assert ROLES == ("api", "sessions", "media", "projector", "analytics")


def test_calls_come_first() -> None:
    assert FIRST in ROLES
    assert set(NICE) == set(ROLES) - {FIRST, "media"}
    assert all(value > 0 for value in NICE.values())


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("switchlog.start", "asyncio structlog typer pydantic"),
        ("switchlog.child", "asyncio structlog typer pydantic"),
        ("switchlog.servant", "pydantic"),
        (
            "switchlog.role.sessions",
            "fastapi uvicorn httpx clickhouse_driver chdb pandas numpy typer pydantic cryptography.x509 aiosmtplib",
        ),
        ("switchlog.role.media", "asyncio numpy structlog typer pydantic media"),
        ("media.__main__", "asyncio structlog rich"),
        ("switchlog.role.api", "chdb pandas numpy typer aiosmtplib"),
        ("switchlog.role.projector", "fastapi uvicorn httpx chdb pandas numpy typer"),
        ("switchlog.role.analytics", "fastapi uvicorn httpx clickhouse_driver pandas typer"),
        ("switchlog.cli.app", "fastapi uvicorn httpx clickhouse_driver chdb pandas numpy pydantic_settings"),
    ],
)
def test_nothing_is_loaded_that_a_start_does_not_need(module: str, strangers: str) -> None:
    """A start is to be short: what is slow to load is loaded by whoever needs it."""
    code = f"import sys, {module}; print(*sys.modules.keys() & set({strangers.split()!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "words", [[], ["calls"], ["serve", "--role", "api"], ["serve", "--role=api"], ["serve", "--help"]]
)
def test_no_child_is_begun_for_what_may_not_want_one(words: list[str]) -> None:
    assert first_child(words) is None
