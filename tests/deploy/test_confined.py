"""A server as containers and units run it: process 1, not root, without capabilities, all read-only but its data.

No container engine is needed for that: the kernel's namespaces are what one is made of. Needs root, as in CI.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fixtures.server import Server

USER = "10001"
MOUNT = "/mnt"
"""Where the data are inside: there on every machine, and not below a folder that only root may enter."""
SCRATCH = "/media"
"""What /tmp is in a container, and empty; here the checkout may be below /tmp."""
_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
_CONFINED = [*_USER, "--no-new-privs", sys.executable, "-m", "switchlog"]
_PREPARE = """
set -e
mount --make-rprivate /
mount -t proc -o subset=pid proc /proc
mount --bind "$1" {mount}
mount -t tmpfs tmpfs {scratch}
mount -o remount,bind,ro /
chmod 1777 {scratch}
shift
cd {mount}
exec "$@"
"""


def impossible() -> str:
    """Why it cannot be done here, empty if it can."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "nsenter"))):
        return "needs root, and util-linux"
    tried = subprocess.run(["unshare", "--mount", "mount", "--make-rprivate", "/"], capture_output=True, check=False)
    if tried.returncode:
        return "needs mount namespaces"
    reads = subprocess.run([*_CONFINED, "--version"], cwd="/", capture_output=True, check=False)
    return "the checkout is where only root may look" if reads.returncode else ""


class Confined:
    """One server in namespaces of its own."""

    def __init__(self, server: Server, outer: asyncio.subprocess.Process) -> None:
        self.server, self._outer = server, outer

    @property
    def first(self) -> int:
        """The process that is number 1 inside."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
        return int(children[0])

    async def ask(self, *words: str) -> int:
        """`switchlog WORDS` inside, as a probe does it; returns the exit code."""
        into = ["nsenter", f"--target={self.first}", "--mount", "--pid"]
        run = await asyncio.create_subprocess_exec(*into, *_CONFINED, *words, env=self.server.environment)
        return await run.wait()

    async def stop(self) -> int:
        if self._outer.returncode is None:
            os.kill(self.first, 15)
        async with asyncio.timeout(60):
            return await self._outer.wait()


@pytest.fixture
async def confined(tmp_path: Path) -> AsyncIterator[Confined]:
    if reason := impossible():
        pytest.skip(reason)
    server = Server.at(Path(MOUNT) / "data")
    volume = tmp_path / "volume"
    volume.mkdir(mode=0o755)
    os.chown(volume, int(USER), int(USER))
    script = _PREPARE.format(mount=MOUNT, scratch=SCRATCH)
    with (tmp_path / "server.log").open("wb") as log:
        outer = await asyncio.create_subprocess_exec(
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"),
            *(str(volume), *_CONFINED, "serve"),
            env=server.environment | {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": SCRATCH},
            stdout=log,
            stderr=log,
        )
    one = Confined(server, outer)
    server.process = outer
    try:
        try:
            await server.ready()
        except AssertionError as error:
            raise AssertionError((tmp_path / "server.log").read_text()[-3000:]) from error
        yield one
    finally:
        await one.stop()


async def test_it_runs_as_process_1_of_nobody_with_nothing_but_its_data(confined: Confined, tmp_path: Path) -> None:
    status = Path(f"/proc/{confined.first}/status").read_text()
    values = dict(line.split(":\t", 1) for line in status.splitlines())
    assert values["NSpid"].split()[-1] == "1"
    assert set(values["Uid"].split()) == {USER}
    assert {int(values[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}
    assert await confined.ask("ready") == 0
    assert await confined.ask("ready", "sessions") == 0
    await confined.server.apply(
        {
            "slug": "acme",
            "name": "Acme",
            "domains": ["acme.example"],
            "country": "GB",
            "timezone": "Europe/London",
            "extensions": [],
        }
    )
    assert await confined.stop() == 0
    assert (tmp_path / "volume/data/journal.db").stat().st_uid == int(USER)
    log = (tmp_path / "server.log").read_text()
    assert "Read-only" not in log and "Traceback" not in log, log
