"""`python -m bench.media_floor COUNT`: what cannot be done without, as the yardstick of a media worker.

A bare loop of the same socket calls, on the same deadlines, with the bare mix of one room in numpy: decode, sum, minus
own, encode. No headers are read, nothing is lost, late or counted, everybody gets what is in the matrix. It speaks as a
worker does with `bench.media`: its ports in, then it goes on until standard input ends.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections.abc import Sequence

import numpy as np

from bench.media_phones import HOST
from media import g711

_TICK_S = 0.02
_HEADER, _PACKET = 12, 172


class Floor:
    """Connected sockets and one matrix."""

    def __init__(self, ports: Sequence[int], remotes: Sequence[int]) -> None:
        count = len(ports)
        self._packets = np.zeros((count, _PACKET), np.uint8)
        self._epoll = select.epoll()
        self._read = {}
        self._send = []
        self._sockets = []
        for number, (port, remote) in enumerate(zip(ports, remotes, strict=True)):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((HOST, port))
            sock.connect((HOST, remote))
            sock.setblocking(False)
            self._epoll.register(sock, select.EPOLLIN)
            self._read[sock.fileno()] = (sock.recv_into, memoryview(self._packets[number]))
            self._send.append(sock.send)
            self._sockets.append(sock)

    def tick(self) -> None:
        while ready := self._epoll.poll(0, len(self._send)):
            for descriptor, _ in ready:
                read, view = self._read[descriptor]
                read(view)
        spoken = g711.MU_LAW.decode(self._packets[:, _HEADER:])
        heard = spoken.sum(axis=0, dtype=np.int32) - spoken
        packets = self._packets.copy()
        packets[:, _HEADER:] = g711.MU_LAW.encode(np.clip(heard, -32768, 32767).astype(np.int16))
        data = packets.tobytes()
        for number, send in enumerate(self._send):
            send(data[number * _PACKET : (number + 1) * _PACKET])

    def run(self) -> None:
        deadline_s = time.monotonic()
        while not select.select([sys.stdin], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            self.tick()
            deadline_s += _TICK_S


def main() -> None:
    ports, remotes = json.loads(sys.stdin.readline())
    floor = Floor(ports, remotes)
    print("ready", flush=True)
    floor.run()


if __name__ == "__main__":
    main()
