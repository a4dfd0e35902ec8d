"""The roles by name, and `serve`: a parent with one process a role.

The order is the order in which they are ended: what takes work from outside first, what the others write to last.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from switchlog.early import EarlyChild
from switchlog.node.worker import SESSIONS, parts_of, role_of, seated
from switchlog.role.life import RoleError
from switchlog.setting.folder import LOCK
from switchlog.supervisor import Supervisor

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

ROLES = ("api", "sessions", "media", "projector", "analytics")
NICE: Mapping[str, int] = {"api": 5, "projector": 5, "analytics": 5}
"""How much a role gives way (nice(2)): calls come before their records, also while everything starts at once."""
_VITAL = SESSIONS
"""Without this one nobody can call; the others may fail as long as they like."""


async def run_role(part: str, settings: Settings) -> None:
    """Run a role, or one of the processes that share one, in this process until SIGTERM.

    Raises RoleError when it cannot.
    """
    await importlib.import_module(f"switchlog.role.{role_of(part)}").run(seated(settings, part))


def load_role(part: str) -> None:
    """Load what a role consists of, the slow part of its start. An unknown name is left for others to refuse."""
    if (role := role_of(part)) in ROLES:
        importlib.import_module(f"switchlog.role.{role}")


def serve(settings: Settings, roles: Sequence[str] = (), early: EarlyChild | None = None) -> int:
    """Run the roles (all that the settings need, if none is named) until SIGTERM; returns the exit code.

    `early` is a child that was started before the settings were known, for one of the roles; it may be for nothing.

    Raises RoleError when the data folder or a role's name cannot be used.
    """
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise RoleError(f"there is no role {unknown[0]}: use {', '.join(ROLES)}")
    wanted = [role for role in ROLES if role in (roles or _needed(settings))]
    lock = _own(settings.data)
    try:
        _say_which(lock, wanted)
        parts = [part for role in wanted for part in parts_of(role, settings)]
        if early is not None and early.role not in parts:
            early.abandon()
            early = None
        return asyncio.run(_supervise(parts, settings, early))
    finally:
        os.close(lock)


def _needed(settings: Settings) -> tuple[str, ...]:
    needless = {"analytics": settings.clickhouse != "embedded", "media": settings.media_range is None}
    return tuple(role for role in ROLES if not needless.get(role))


async def _supervise(parts: Sequence[str], settings: Settings, early: EarlyChild | None) -> int:
    vital = [part for part in parts if role_of(part) == _VITAL]
    supervisor = Supervisor(parts, settings.model_dump_json(), early, vital)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    return await supervisor.run()


def _say_which(lock: int, roles: Sequence[str]) -> None:
    """For who must know what runs here (`folder.roles_of`). Raises RoleError."""
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, " ".join(roles).encode(), 0)
    except OSError as error:
        raise RoleError(f"the data folder cannot be written: {error.strerror}; see to its disk") from error


def _own(folder: Path) -> int:
    """Make the data folder and hold its lock; the descriptor keeps it. Raises RoleError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RoleError(f"the data folder {folder} cannot be used: {error.strerror}; choose another one") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RoleError(f"another Switchlog runs on the data folder {folder}; stop it first") from error
    return lock
