"""`python -m bench.media_phones COUNT [--codec NAME] [--secure KEY]`: that many phones in one process that all speak.

Says in a line of JSON on standard output at which ports they are; takes in a line of JSON on standard input at which
ports the worker is, one for each; then they speak, 20 ms a packet, a quarter of them every 5 ms, until standard input
ends. At the end it says what they sent and got. With `--gaps` each line on standard input is answered by one that says
how many packets with a sound each has got since the last.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np

from media import codec, rtp, tone
from media.srtp import Srtp
from media.wire import Codec, Sdes

HOST = "127.0.0.1"
SUITE = "AES_CM_128_HMAC_SHA1_80"
_QUARTER_S = 0.005
_QUARTERS = 4
_FRAME_S = 0.02
CODECS = {"G.711": Codec("PCMU", 0), "G.722": Codec("G722", 9), "Opus": Codec("opus", 96, 48000, 2)}
_SILENCE = 0xFF
"""of G.711"""
_SPOKEN = 50
"""packets of each phone that are made before, and said again and again"""


class Phones:
    """Sockets, and what is sent from them."""

    def __init__(self, count: int, spoken: Codec, key: bytes, gaps: bool = False) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        self.epoll = select.epoll()
        self.by_descriptor = {}
        for sock in self.sockets:
            sock.bind((HOST, 0))
            sock.setblocking(False)
            self.epoll.register(sock, select.EPOLLIN)
            self.by_descriptor[sock.fileno()] = sock.recv_into
        self.sent = self.got = 0
        self._codec, self._ticks = spoken, round(spoken.clock_rate_hz * _FRAME_S)
        self._payloads = [_payloads(number, spoken) for number in range(count)]
        self._protect: list[Callable[[bytes], bytes | None]] = [
            Srtp(Sdes(SUITE, key, key)).protect if key else bytes for _ in range(count)
        ]
        self._sequence = 0
        self._buffer = bytearray(4096)
        self._gaps = gaps
        self._heard_s: dict[int, float] = {}
        self._sounds_since = dict.fromkeys(self.by_descriptor, 0)
        self.silent_s: dict[int, float] = dict.fromkeys(self.by_descriptor, 0.0)
        """the longest time without a sound, of each that has heard any"""

    def point(self, ports: Sequence[int]) -> None:
        for sock, port in zip(self.sockets, ports, strict=True):
            sock.connect((HOST, port))

    def speak(self, quarter: int) -> None:
        """A packet of each phone of this quarter."""
        for number in range(quarter, len(self.sockets), _QUARTERS):
            head = rtp.header(self._codec.payload_type, self._sequence, self._sequence * self._ticks, number + 1)
            packet = self._protect[number](head + self._payloads[number][self._sequence % _SPOKEN])
            if packet is not None:
                try:
                    self.sockets[number].send(packet)
                except ConnectionRefusedError:
                    continue
                self.sent += 1

    def drain(self) -> None:
        while ready := self.epoll.poll(0, len(self.sockets)):
            for descriptor, _ in ready:
                try:
                    length = self.by_descriptor[descriptor](self._buffer)
                except ConnectionRefusedError:
                    continue  # The worker is not there yet, or any more.
                self.got += 1
                if self._gaps and self._buffer.count(_SILENCE, rtp.HEADER_BYTES, length) < length - rtp.HEADER_BYTES:
                    self._sounds(descriptor, time.monotonic())

    def _sounds(self, descriptor: int, now_s: float) -> None:
        silent_s = now_s - self._heard_s.get(descriptor, now_s)
        self._heard_s[descriptor] = now_s
        self._sounds_since[descriptor] += 1
        self.silent_s[descriptor] = max(self.silent_s[descriptor], silent_s)

    def run(self) -> None:
        """Until standard input ends."""
        deadline_s, quarter = time.monotonic(), 0
        while not self._is_over(max(0.0, deadline_s - time.monotonic())):
            self.speak(quarter)
            quarter = (quarter + 1) % _QUARTERS
            self._sequence += quarter == 0
            deadline_s += _QUARTER_S
            self.drain()

    def _is_over(self, wait_s: float) -> bool:
        """Wait for so long; answer what is asked meanwhile."""
        if not select.select([0], [], [], wait_s)[0]:
            return False
        if not os.read(0, 1024):
            return True
        print(json.dumps(list(self._sounds_since.values())), flush=True)
        self._sounds_since = dict.fromkeys(self._sounds_since, 0)
        return False


def _payloads(number: int, spoken: Codec) -> list[bytes]:
    """A second of a tone of a whole number of waves in each packet, another one for neighbours."""
    encoder = codec.encoder(spoken)
    rate_hz = encoder.sample_rate_hz
    samples = tone.tone(300.0 + 50 * (number % 40), _FRAME_S, rate_hz, level_dbfs=-26.0)
    return [encoder.encode(np.ascontiguousarray(samples)) for _ in range(_SPOKEN)]


def _first_line() -> bytes:
    """Nothing behind it is taken: what is read into a buffer cannot be waited for."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return line


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--codec", choices=CODECS, default="G.711")
    parser.add_argument("--secure", default="", help="SRTP with this key, in hex, both ways")
    parser.add_argument("--gaps", action="store_true", help="say how long each heard nothing; of G.711 in the clear")
    wanted = parser.parse_args(argv)
    phones = Phones(wanted.count, CODECS[wanted.codec], bytes.fromhex(wanted.secure), wanted.gaps)
    print(json.dumps([sock.getsockname()[1] for sock in phones.sockets]), flush=True)
    phones.point(json.loads(_first_line()))
    phones.run()
    silent_ms = [1000 * one for one in phones.silent_s.values()]
    print(json.dumps({"sent": phones.sent, "got": phones.got, "silent_ms": silent_ms}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
