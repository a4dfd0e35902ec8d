"""A desk phone of which only the lamp is looked at: Debian's baresip with its module `mwi`, which subscribes.

The other baresip (`baresip_phone`) is built without that module.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

_MODULES = Path("/usr/lib/baresip/modules")
_TOLD = "----- MWI for "
has_lamps = pytest.mark.skipif(
    shutil.which("baresip") is None or not (_MODULES / "mwi.so").exists(),
    reason="baresip is not installed with its module mwi (Debian: baresip-core)",
)
_CONFIG = """module_path {modules}
sip_listen 127.0.0.1:{port}
module stdio.so
module g711.so
module_app account.so
module_app mwi.so
module_app menu.so
"""


class Lamp:
    """What the phone has written."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._written = asyncio.Condition()

    async def write(self, line: str) -> None:
        async with self._written:
            self.lines.append(line)
            self._written.notify_all()

    async def summary(self, words: str, timeout_s: float = 10) -> None:
        """The newest summary of messages has these words."""
        try:
            async with asyncio.timeout(timeout_s), self._written:
                await self._written.wait_for(lambda: words in self._newest())
        except TimeoutError:
            raise AssertionError("\n".join((f"not told: {words}", *self.lines))) from None

    def _newest(self) -> str:
        told = [place for place, line in enumerate(self.lines) if line.startswith(_TOLD)]
        return "\n".join(self.lines[told[-1] : told[-1] + 4]) if told else ""


@asynccontextmanager
async def lamp(folder: Path, username: str, password: str, port: int, proxy_port: int) -> AsyncIterator[Lamp]:
    """A phone that listens at `port`, registers at `acme.example` and subscribes. It knows MD5 only."""
    folder.mkdir()
    (folder / "config").write_text(_CONFIG.format(modules=_MODULES, port=port))
    account = f'auth_pass={password};outbound="sip:127.0.0.1:{proxy_port}";regint=60;mwi=yes'
    (folder / "accounts").write_text(f"<sip:{username}@acme.example;transport=udp>;{account}\n")
    process = await asyncio.create_subprocess_exec(
        *("stdbuf", "-oL", "baresip", "-f", str(folder), "-4"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown = Lamp()
    reading = asyncio.create_task(_read(process, shown))
    try:
        yield shown
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


async def _read(process: asyncio.subprocess.Process, shown: Lamp) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        await shown.write(line.decode(errors="replace").strip())
