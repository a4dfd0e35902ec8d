"""A peer as the yardstick: Kamailio, which keeps bindings in memory and passes calls on, under the same load."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from bench import sipp
from bench.installation import Target, register, users
from bench.measure import TreeCpu, settle
from bench.signalling import Load, Measured, calls, registers, worst
from bench.sipp import Stats
from bench.table import Missing, Row
from tests.fixtures.ports import free_ports
from tests.fixtures.server import PASSWORD

Play = Callable[[Target, Load], Awaitable[Stats]]
Beside = Callable[[str | None, Path, str, Measured], Awaitable[Row | Missing]]

NO_KAMAILIO = "Kamailio is not installed (Debian: apt-get install kamailio)"
_START_S = 10
_STOP_S = 10
_IDLE_S = 2

# Each of the two children takes datagrams; calls are record-routed, so that ACK and BYE pass as well.
CONFIG = """#!KAMAILIO
listen=udp:127.0.0.1:{port}
alias="acme.example"
children=2
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
debug=0

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "auth.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"

modparam("usrloc", "db_mode", 0)

request_route {{
    if (!mf_process_maxfwd_header("70")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (has_totag()) {{
        if (loose_route() || (is_method("ACK") && t_check_trans())) t_relay();
        else if (!is_method("ACK")) sl_send_reply("481", "No Such Call");
        exit;
    }}
    if (is_method("ACK")) exit;
    if (!pv_www_authenticate("$fd", "{password}", "0", "$rm")) {{
        www_challenge("$fd", "1");
        exit;
    }}
    if ($au != $fU) {{
        sl_send_reply("403", "Forbidden");
        exit;
    }}
    consume_credentials();
    if (is_method("REGISTER")) {{
        save("location");
        exit;
    }}
    if (!lookup("location")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    record_route();
    t_relay();
}}
"""


class Peer(Target):
    """A started Kamailio; `pid` is the parent of its processes."""

    def __init__(self, udp: int, load: sipp.Load, pid: int) -> None:
        super().__init__(udp, load)
        self.pid = pid


def program() -> str | None:
    """The path of Kamailio if it is installed. Debian has it where only root looks."""
    return shutil.which("kamailio", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


def label(version: str) -> str:
    """The yardstick's name, from what the program says of its version."""
    found = re.search(r"kamailio (\d+\.\d+)", version)
    return f"Kamailio {found[1] if found else '(version unknown)'} (in memory, a proxy)"


async def register_row(kamailio: str | None, folder: Path, name: str, ours: Measured) -> Row | Missing:
    """The REGISTERs of `ours` beside the same ones to `kamailio`, a path."""
    return await _beside(kamailio, folder, name, ours, registers)


async def call_row(kamailio: str | None, folder: Path, name: str, ours: Measured) -> Row | Missing:
    """The calls of `ours` beside the same ones through `kamailio`, a path."""

    async def answered(at: Target, load: Load) -> Stats:
        async with at.callee():
            return await calls(at, load)

    return await _beside(kamailio, folder, name, ours, answered)


async def _beside(kamailio: str | None, folder: Path, name: str, ours: Measured, play: Play) -> Row | Missing:
    name = f"{name}, beside Kamailio"
    if kamailio is None:
        return Missing(name, NO_KAMAILIO)
    load, yardstick = ours.load, label(await _version(kamailio))
    async with running(kamailio, folder) as at:
        await play(at, Load(load.rate, load.rate))  # first uses, which do not count for ours either
        idle = TreeCpu(at.pid)
        await asyncio.sleep(_IDLE_S)
        idle_s = idle.seconds() / _IDLE_S
        cpu = TreeCpu(at.pid)
        stats = await play(at, load)
        await settle(cpu)
        theirs_s = cpu.seconds()
    return Row(
        name,
        ours.cpu_ms,
        "ms",
        yardstick,
        stats.each_ms(theirs_s),
        worst=worst(ours.stats) | {f"its {what}": value for what, value in worst(stats).items()},
        facts={"asked /s": load.rate, "its idle ms/s": idle_s * 1000},
    )


@asynccontextmanager
async def running(kamailio: str, folder: Path) -> AsyncIterator[Peer]:
    """A Kamailio that knows the users' passwords; all its processes have ended afterwards."""
    (port,) = free_ports(1)
    config, log = folder / "kamailio.cfg", folder / "kamailio.log"
    config.write_text(CONFIG.format(port=port, password=PASSWORD.format(username="$au")))
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            kamailio, "-DD", "-E", "-m", "256", "-f", str(config), "-Y", str(folder), "-w", str(folder),
            stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        await _ready(process, port, log)
        yield Peer(port, sipp.Load(folder), process.pid)
    finally:
        await _end(process)


async def _ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    number, *_ = users(count=1)[0]
    async with asyncio.timeout(_START_S):
        while process.returncode is None:
            try:
                await asyncio.to_thread(register, port, number, port)
                return
            except ConnectionError:
                await asyncio.sleep(0.05)
    raise RuntimeError(f"Kamailio did not start: {log.read_text(errors='replace')[:300]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the parent, which ends its children; all of them by force when it does not."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _version(kamailio: str) -> str:
    process = await asyncio.create_subprocess_exec(kamailio, "-v", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode(errors="replace")
