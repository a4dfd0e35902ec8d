"""The row on mouth to ear: clicks through a room of two, from the packet that holds one to that which brings it.

Eight pairs of phones, each with its packets at another moment of the worker's tick. What a packet takes to be spoken is
not in the figure; what it waits for the tick, in the jitter buffer and on its way is.
"""

from __future__ import annotations

import heapq
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.measure import mean, percentile
from bench.media import Shape, connected, put
from bench.media_phones import HOST
from bench.table import Row
from media import g711, rtp
from tests.fixtures.ports import free_pairs

PAIRS = 8
WANTED_MS = 60.0
_FRAME_S = 0.02
_FRAME = 160
_CLICK_EVERY = 25
_SETTLE_CLICKS = 4
_SILENCE = g711.MU_LAW.encode(np.zeros(_FRAME, np.int16)).tobytes()
_CLICK = g711.MU_LAW.encode(np.concatenate([np.full(8, 20000, np.int16), np.zeros(_FRAME - 8, np.int16)])).tobytes()
_LOUD = 8000


class Pair:
    """One phone that clicks and one that listens."""

    def __init__(self) -> None:
        self.speaker, self.listener = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self.speaker, self.listener):
            sock.bind((HOST, 0))
            sock.setblocking(False)
        self.took_ms: list[float] = []
        self._sequence = 0
        self._clicked_s = 0.0

    def speak(self) -> None:
        """The next packet of both, with a click now and then."""
        self._sequence += 1
        for sock, payload in ((self.speaker, self._payload()), (self.listener, _SILENCE)):
            sock.send(rtp.header(0, self._sequence, self._sequence * _FRAME, sock.fileno()) + payload)

    def _payload(self) -> bytes:
        if self._sequence % _CLICK_EVERY:
            return _SILENCE
        self._clicked_s = time.perf_counter()
        return _CLICK

    def listen(self) -> None:
        """Take what has come, and see whether it clicks."""
        now_s = time.perf_counter()
        samples = g711.MU_LAW.decode(np.frombuffer(self.listener.recv(2048), np.uint8)[rtp.HEADER_BYTES :])
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _LOUD)
        if len(loud) and self._clicked_s:
            self.took_ms.append((now_s - self._clicked_s + int(loud[0]) / 8000) * 1000)
            self._clicked_s = 0.0


def row(seconds: float) -> Row:
    """Milliseconds from packet to packet."""
    pairs = [Pair() for _ in range(PAIRS)]
    sockets = [sock for pair in pairs for sock in (pair.speaker, pair.listener)]
    with tempfile.TemporaryDirectory() as folder:
        control = Path(folder) / "control"
        with subprocess.Popen([sys.executable, "-m", "media", "--control", str(control)]) as worker:
            try:
                with connected(control) as client:
                    ports = free_pairs(len(sockets))
                    put(client, Shape(len(sockets), PAIRS), ports, [sock.getsockname()[1] for sock in sockets])
                    for sock, port in zip(sockets, ports, strict=True):
                        sock.connect((HOST, port))
                    _talk(pairs, seconds)
            finally:
                worker.terminate()
                for sock in sockets:
                    sock.close()
    took_ms = [one for pair in pairs for one in pair.took_ms[_SETTLE_CLICKS:]]
    return Row(
        "mouth to ear through a room, beyond the packet time",
        mean(took_ms),
        "ms",
        "wanted at most",
        WANTED_MS,
        worst={"p99 ms": percentile(took_ms, 0.99), "max ms": percentile(took_ms, 1.0)},
        facts={"clicks": len(took_ms), "phases of the tick": PAIRS},
    )


def _talk(pairs: Sequence[Pair], seconds: float) -> None:
    """Let all speak at their own moments, and listen between them."""
    begun_s = time.perf_counter()
    due = [(begun_s + number * _FRAME_S / len(pairs), number) for number in range(len(pairs))]
    listening = {pair.listener: pair for pair in pairs}
    while due[0][0] < begun_s + seconds:
        due_s, number = due[0]
        ready, _, _ = select.select(list(listening), [], [], max(0.0, due_s - time.perf_counter()))
        for sock in ready:
            listening[sock].listen()
        if time.perf_counter() >= due_s:
            pairs[number].speak()
            heapq.heapreplace(due, (due_s + _FRAME_S, number))
