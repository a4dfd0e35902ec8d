"""`python -m bench.proof [JOURNAL]...`: what is derived from the journal is the same each time it is derived.

CALLS calls (100,000) are played by the real core into a journal, `sqlite` and `kafka` unless others are named. A real
server follows it, rebuilds its tables twice into fresh generations, and is started once more with the address of a
ClickHouse server that has none: the hashes of all tables must be equal, by tenant and month, in all four. Prints the
hashes and how fast each was; exit status 1 when one differs, when calls are missing, or when nothing could be shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from adapters.analytics.client import Warehouse, WarehouseError
from adapters.analytics.endpoint import Endpoint
from adapters.journal.codec import decode
from adapters.journal.kafka.address import Address
from adapters.journal.kafka.journal import KafkaJournal
from adapters.journal.sqlite import SqliteJournal
from bench import kafka
from bench.courses import varied
from bench.history import write_calls
from cluster.jars import Unavailable
from domain.ports import Journal
from projections.generation import LIVE, Generations, Hashes
from projections.projection import PROJECTIONS
from switchlog.setting.folder import JOURNAL
from switchlog.store.warehouse import schema
from tests.fixtures import clickhouse
from tests.fixtures.server import ADMIN_KEY, Server

WIDTH = 150
REBUILDS = 2
_PASSWORD = "for-the-proof-alone"
_SAY_EVERY = 10_000
_ASK_S = 0.1
_FOLLOWED_S = 1800

Say = Callable[[str], None]


class Filled(NamedTuple):
    """One time that the tables were filled: how, which generation of them, what they hold then, how long it took."""

    name: str
    generation: int
    hashes: Hashes
    seconds: float

    @property
    def title(self) -> str:
        return f"{self.name}, generation {self.generation}"

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.hashes.values())


class Proof(NamedTuple):
    """What came of one journal."""

    journal: str
    calls: int
    records: int
    filled: Sequence[Filled]

    def differences(self) -> list[str]:
        """Where two of them are not the same, and what is missing; empty = all is well."""
        first, *others = self.filled
        found = [
            f"{other.name}: {table}, {tenant}, {month}"
            for other in others
            for table, tenant, month in sorted({*first.hashes, *other.hashes})
            if first.hashes.get((table, tenant, month)) != other.hashes.get((table, tenant, month))
        ]
        for table, wanted in (("cdr", self.calls), ("events", self.records)):
            rows = sum(rows for (name, *_), (rows, _) in first.hashes.items() if name == table)
            if rows != wanted:
                found.append(f"{first.name}: {rows} rows of {table} for {wanted}")
        return found


async def prove(
    name: str, journal: Journal, settings: Mapping[str, str], data: Path, calls: int, say: Say = lambda text: None
) -> Proof:
    """Write `calls` calls to `journal`, which a server in the folder `data` with these `settings` reads. Blocks.

    Raises RuntimeError when one of the parts does not work.
    """
    say(f"{name}: writing {calls:,} calls")
    begun = time.perf_counter()
    records = await asyncio.to_thread(write_calls, journal, varied(calls), _told(name, say))
    rate = records / (time.perf_counter() - begun)
    say(f"{name}: {records:,} records, {rate:,.0f} a second, the core's work included")
    filled: list[Filled] = []
    server = Server.at(data, CLICKHOUSE_PASSWORD=_PASSWORD, **settings)
    ours = Endpoint("127.0.0.1", server.clickhouse, "switchlog", _PASSWORD)
    begun = time.perf_counter()
    async with _serving(server):
        filled.append(await _followed("followed", begun, server, ours, say))
        for number in range(REBUILDS):
            filled.append(await _rebuilt(f"rebuilt {('once', 'twice')[number]}", server, ours, say))
    with _elsewhere(data / "elsewhere") as theirs:
        server.settings["CLICKHOUSE"] = clickhouse.url_of(theirs)
        begun = time.perf_counter()
        async with _serving(server):
            filled.append(await _followed("at a server's address", begun, server, theirs, say))
    return Proof(name, calls, records, filled)


@contextlib.asynccontextmanager
async def _serving(server: Server) -> AsyncIterator[None]:
    try:
        await server.start()
        yield
    except AssertionError as error:
        raise RuntimeError(f"the server does not work: {error}") from error
    finally:
        await server.stop()


@contextlib.contextmanager
def _elsewhere(folder: Path) -> Iterator[Endpoint]:
    """The address of the engine as a server that belongs to nobody."""
    folder.mkdir()
    process, running = clickhouse.start(folder)
    try:
        yield running.writer
    finally:
        clickhouse.stop(process)


async def _followed(name: str, begun: float, server: Server, at: Endpoint, say: Say) -> Filled:
    """The live tables once they have all that is in the journal; the server's start at `begun` counts."""
    told = -math.inf
    async with asyncio.timeout(_FOLLOWED_S), server.client() as client:
        while lag := max(one["lag"] for one in (await client.get("/v1/projections")).json()["items"]):
            if time.perf_counter() - told > 5:
                told = time.perf_counter()
                say(f"{name}: {lag:,} positions to go")
            await asyncio.sleep(_ASK_S)
    return await _hashed(name, at, time.perf_counter() - begun, say)


async def _rebuilt(name: str, server: Server, at: Endpoint, say: Say) -> Filled:
    """Everything rebuilt by the command that an operator has."""
    begun = time.perf_counter()
    await asyncio.to_thread(_command, server, "projections", "rebuild", "all")
    return await _hashed(name, at, time.perf_counter() - begun, say)


def _command(server: Server, *words: str) -> None:
    """`switchlog WORDS`, with its progress on our standard error. Raises RuntimeError when it says no."""
    address = {"SWITCHLOG_URL": f"http://127.0.0.1:{server.http}", "SWITCHLOG_API_KEY": ADMIN_KEY}
    done = subprocess.run([sys.executable, "-m", "switchlog", *words], env=server.environment | address, check=False)
    if done.returncode:
        raise RuntimeError(f"switchlog {' '.join(words)} ended with {done.returncode}; log: {server.log()}")


async def _hashed(name: str, at: Endpoint, seconds: float, say: Say) -> Filled:
    generation, hashes = await asyncio.to_thread(_hashes, at)
    filled = Filled(name, generation, hashes, seconds)
    say(f"{filled.title}: {filled.rows:,} rows in {seconds:.1f} s, {filled.rows / seconds:,.0f} a second")
    return filled


def _hashes(at: Endpoint) -> tuple[int, Hashes]:
    """The generation of the live tables, and what all of them hold."""
    found: dict[tuple[str, str, int], tuple[int, str]] = {}
    with Warehouse(at) as warehouse:
        generations = Generations(warehouse, schema(), WarehouseError)
        live = [state for state in generations.states() if state.state == LIVE]
        for state in live:
            projection = PROJECTIONS[state.name](decode, lambda stream: ())
            found |= generations.hashes(projection.tables, state.generation)
    return max(state.generation for state in live), found


def _told(name: str, say: Say) -> Callable[[int], None]:
    def written(count: int) -> None:
        if count % _SAY_EVERY == 0:
            say(f"{name}: {count:,} calls are written")

    return written


def report(proof: Proof) -> Table:
    """The hashes by table, tenant and month, and in how many fillings each is the same."""
    shown = Table(title=f"{proof.calls:,} calls on {proof.journal}, {proof.records:,} records", title_justify="left")
    for column in ("table", "tenant", "month", "rows", "hash", *(one.title for one in proof.filled[1:])):
        shown.add_column(column, justify="right" if column == "rows" else "left", overflow="fold")
    first, *others = proof.filled
    for (table, tenant, month), (rows, digest) in sorted(first.hashes.items()):
        same = ("equal" if one.hashes.get((table, tenant, month)) == (rows, digest) else "DIFFERS" for one in others)
        shown.add_row(table, tenant, str(month), f"{rows:,}", digest, *same)
    return shown


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[Journal, Mapping[str, str]]]:
    yield SqliteJournal(folder / JOURNAL), {}


@contextlib.contextmanager
def _kafka(folder: Path) -> Iterator[tuple[Journal, Mapping[str, str]]]:
    with kafka.broker(folder / "broker") as broker:
        bootstrap = broker.bootstrap
        yield KafkaJournal(Address((bootstrap,), "proof"), "proof"), {"JOURNAL": f"kafka://{bootstrap}?prefix=proof"}


JOURNALS: Mapping[str, Any] = {"sqlite": _sqlite, "kafka": _kafka}


def _proof(name: str, calls: int, place: Path) -> Proof:
    with (
        tempfile.TemporaryDirectory(prefix="proof-", dir=place) as folder,
        JOURNALS[name](Path(folder)) as (journal, settings),
    ):
        return asyncio.run(prove(name, journal, settings, Path(folder), calls, say))


def say(text: str) -> None:
    """Progress, for people."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> int:
    """0 when all hashes are equal, 1 when not, 2 when used wrongly."""
    if unknown := sorted({*argv} - {*JOURNALS}):
        print(f"no journal is called {', '.join(unknown)}; there are {', '.join(JOURNALS)}", file=sys.stderr)
        return 2
    calls, place = int(os.environ.get("CALLS", "100000")), Path("build")
    place.mkdir(exist_ok=True)
    failures = []
    for name in argv or JOURNALS:
        try:
            proof = _proof(name, calls, place)
        except (RuntimeError, Unavailable) as error:
            failures.append(f"{name}: {error}")
            continue
        Console(width=WIDTH).print(report(proof))
        failures += [f"{name}: {one}" for one in proof.differences()]
        print(f"{name}: {'not equal' if proof.differences() else 'all hashes are equal'}")
    for line in failures:
        print(f"proof: {line}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
