"""Which processes are started, and who may."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from switchlog.role import RoleError
from switchlog.roles import LOCK, ROLES, serve
from switchlog.settings import load


def test_an_unknown_role_is_named(tmp_path: Path) -> None:
    with pytest.raises(RoleError, match="there is no role media: use api, sessions, projector, analytics"):
        serve(load(environment={}, data=tmp_path / "data"), ("api", "media"))
    assert not (tmp_path / "data").exists()


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    held = os.open(tmp_path / LOCK, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(RoleError, match=f"another Switchlog runs on the data folder {tmp_path}; stop it first"):
        serve(load(environment={}, data=tmp_path))
    os.close(held)


def test_what_takes_work_from_outside_ends_first_and_what_is_written_to_last() -> None:
    assert ROLES == ("api", "sessions", "projector", "analytics")
