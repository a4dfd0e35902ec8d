"""The media rows: CPU of one core that a leg costs, beside a bare loop of the same socket calls and the bare mix.

The phones are a process of their own, and its CPU does not count. Figure and yardstick have the same phones.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.measure import percentile
from bench.media_phones import CODECS, HOST, SUITE
from bench.table import Row
from media.wire import Context, Frames, Leg, Put, Ready, Sdes, Span, frame, from_worker
from tests.fixtures.ports import free_pairs

YARDSTICK = "bare loop: same socket calls, bare numpy mix"
UNIT = "% of a core"
SETTLE_S = 6.0
"""Until legs are where they stay, and all caches are warm."""
_KEY = bytes(range(30))


class Shape(NamedTuple):
    """What is measured: so many legs in so many contexts."""

    legs: int
    rooms: int
    secure: bool = False
    relayed: bool = False
    codec: str = "G.711"

    @property
    def name(self) -> str:
        if self.relayed:
            return f"relayed leg, {self.legs} legs"
        kind = "SRTP" if self.secure else self.codec
        return f"conference leg, {kind}, {self.legs} legs in {self.rooms} room{'s' * (self.rooms > 1)}"


class Cost(NamedTuple):
    """Per cent of a core for a leg; milliseconds of ticks; the share of packets that never came, in per cent."""

    percent: float
    ticks_ms: Sequence[float]
    lost_percent: float


def row(shape: Shape, seconds: float, floor_percent: float) -> Row:
    """One row of the table; `floor_percent` is `floor` of as many legs."""
    cost = worker(shape, seconds)
    return Row(
        shape.name,
        cost.percent,
        UNIT,
        YARDSTICK,
        floor_percent,
        worst=_worst(cost),
        facts={"legs": shape.legs, "contexts": shape.rooms, "seconds": seconds},
    )


def worker(shape: Shape, seconds: float) -> Cost:
    """What a worker takes for these legs."""
    with tempfile.TemporaryDirectory() as folder, phones(shape) as (speakers, remotes):
        control = Path(folder) / "control"
        words = [sys.executable, "-m", "bench.media_worker", "--control", str(control)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            try:
                ports = free_pairs(len(remotes))
                with connected(control) as client:
                    put(client, shape, ports, remotes)
                    begin(speakers, ports)
                    time.sleep(SETTLE_S)
                    _ticks(process)
                    percent = _watched([process.pid], seconds, shape.legs)
                    ticks_ms = _ticks(process)
                lost_percent = _lost(speakers)
            finally:
                process.terminate()
        return Cost(percent, ticks_ms, lost_percent)


def shared(shape: Shape, seconds: float, floor_percent: float) -> Row:
    """One room over two workers, which exchange their sums; `floor_percent` is of as many legs as each has."""
    with tempfile.TemporaryDirectory() as folder, phones(shape) as (speakers, remotes), ExitStack() as opened:
        ports, half = free_pairs(len(remotes)), shape.legs // 2
        (room,) = contexts(shape, ports, remotes).values()
        names = ("one.sock", "two.sock")
        processes = [opened.enter_context(_started(Path(folder) / name)) for name in names]
        for number, name in enumerate(names):
            legs = room.legs[number * half : (number + 1) * half]
            span = Span(number == 0, tuple(other for other in names if other != name))
            client = opened.enter_context(connected(Path(folder) / name))
            _put_all(client, {"room0": Context(legs, clock_rate_hz=8000, span=span)})
        begin(speakers, ports)
        time.sleep(SETTLE_S)
        for process in processes:
            _ticks(process)
        percent = _watched([process.pid for process in processes], seconds, shape.legs)
        ticks_ms = [one for process in processes for one in _ticks(process)]
        lost_percent = _lost(speakers)
    return Row(
        f"conference leg, {shape.codec}, {shape.legs} legs in 1 room over 2 workers",
        percent,
        UNIT,
        YARDSTICK,
        floor_percent,
        worst=_worst(Cost(percent, ticks_ms, lost_percent)),
        facts={"legs": shape.legs, "contexts": 1, "workers": 2, "seconds": seconds},
    )


@contextmanager
def _started(control: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "bench.media_worker", "--control", str(control)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _worst(cost: Cost) -> dict[str, float]:
    return {
        "tick p99 ms": percentile(cost.ticks_ms, 0.99),
        "tick max ms": percentile(cost.ticks_ms, 1.0),
        "lost %": cost.lost_percent,
    }


def floor(legs: int, seconds: float) -> float:
    """What the bare loop takes for as many legs, in per cent of a core for each."""
    with phones(Shape(legs, 1)) as (speakers, remotes):
        words = [sys.executable, "-m", "bench.media_floor"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                ports = free_pairs(len(remotes))
                process.stdin.write(json.dumps([ports, remotes]) + "\n")
                process.stdin.flush()
                process.stdout.readline()
                begin(speakers, ports)
                time.sleep(SETTLE_S / 3)
                return _watched([process.pid], seconds, legs)
            finally:
                process.kill()


@contextmanager
def phones(shape: Shape, gaps: bool = False) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """The phones' process, and their ports; with `gaps` they say in the end how long each heard nothing."""
    words = [sys.executable, "-m", "bench.media_phones", str(shape.legs), "--codec", shape.codec]
    words += ["--secure", _KEY.hex()] if shape.secure else []
    words += ["--gaps"] if gaps else []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def begin(phones: subprocess.Popen[str], ports: Sequence[int]) -> None:
    """Let them speak to these ports."""
    assert phones.stdin is not None
    phones.stdin.write(json.dumps(ports) + "\n")
    phones.stdin.flush()


def _lost(phones: subprocess.Popen[str]) -> float:
    """End the phones; how much less they got than they sent, for each hears 50 packets a second and sends as many."""
    out, _ = phones.communicate()
    told = json.loads(out)
    return float(100 * (1 - told["got"] / told["sent"]))


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        while client.connect_ex(str(path)):
            time.sleep(0.05)
        yield client


def contexts(shape: Shape, ports: Sequence[int], remotes: Sequence[int]) -> dict[str, Context]:
    """The legs shared out among the rooms."""
    secure = Sdes(SUITE, _KEY, _KEY) if shape.secure else None
    legs = [
        Leg(str(number), port, (HOST, remote), (CODECS[shape.codec],), secure=secure)
        for number, (port, remote) in enumerate(zip(ports, remotes, strict=True))
    ]
    size = shape.legs // shape.rooms
    parts = (tuple(legs[number * size : (number + 1) * size]) for number in range(shape.rooms))
    return {f"room{number}": Context(members, relayed=shape.relayed) for number, members in enumerate(parts)}


def put(client: socket.socket, shape: Shape, ports: Sequence[int], remotes: Sequence[int]) -> None:
    """Share the legs out among the rooms, and wait until all are ready."""
    _put_all(client, contexts(shape, ports, remotes))


def _put_all(client: socket.socket, wanted: Mapping[str, Context]) -> None:
    for name, context in wanted.items():
        client.sendall(frame(Put(name, 1, 1, context)))
    frames, ready = Frames(), 0
    while ready < len(wanted):
        for body in frames.feed(client.recv(1 << 16)):
            ready += isinstance(from_worker.decode(body), Ready)


def _watched(pids: Sequence[int], seconds: float, legs: int) -> float:
    """Per cent of a core for each leg, from now on for so long."""
    before, begun_s = sum(map(_cpu_s, pids)), time.monotonic()
    time.sleep(seconds)
    return 100 * (sum(map(_cpu_s, pids)) - before) / (time.monotonic() - begun_s) / legs


def _cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _ticks(process: subprocess.Popen[str]) -> list[float]:
    """Milliseconds of the ticks since the last time."""
    assert process.stdout is not None
    os.kill(process.pid, signal.SIGUSR1)
    return [float(one) for one in json.loads(process.stdout.readline())]
