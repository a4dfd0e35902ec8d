"""Phones for an engine in the same process: each speaks a tone and keeps what it hears. Time is in the test's hand."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from media import g711, rtp, tone
from media.batch import Network
from media.engine import TICK_S, Engine
from media.pcm import Samples
from media.port import PortTakenError, open_pair
from media.wire import Codec, Context, FromWorker, Leg, Put

HOST = "127.0.0.1"
PCMU, PCMA = Codec("PCMU", 0), Codec("PCMA", 8)
FRAME = 160
RATE_HZ = 8000
LEVEL_DBFS = -13.0


@dataclass
class Phone:
    """Speaks G.711 from a socket of its own, 20 ms a packet."""

    port: int
    """of the leg, at the worker"""
    codec: Codec = PCMU
    frequency_hz: float = 0.0
    """0 speaks silence"""
    level_dbfs: float = LEVEL_DBFS
    ssrc: int = 7
    sequence: int = 65530
    timestamp: int = (1 << 32) - 480
    sock: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    got: list[rtp.Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sock.bind((HOST, 0))
        self.sock.setblocking(False)
        self._sound = (
            tone.tone(self.frequency_hz, 1.0, RATE_HZ, self.level_dbfs)
            if self.frequency_hz
            else np.zeros(RATE_HZ, np.int16)
        )
        self._at = 0

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()
        return host, port

    def leg(self, name: str, **changes: object) -> Leg:
        """As a context would have it."""
        return Leg(name, self.port, self.address, (self.codec,), **changes)  # type: ignore[arg-type]

    def packet(self, payload: bytes | None = None, payload_type: int | None = None) -> bytes:
        """The next 20 ms."""
        if payload is None:
            payload = self.law.encode(np.take(self._sound, range(self._at, self._at + FRAME), mode="wrap")).tobytes()
        kind = self.codec.payload_type if payload_type is None else payload_type
        packet = rtp.header(kind, self.sequence, self.timestamp, self.ssrc) + payload
        self._at = (self._at + FRAME) % RATE_HZ
        self.sequence += 1
        self.timestamp += FRAME
        return packet

    def speak(self, packet: bytes | None = None) -> None:
        self.sock.sendto(self.packet() if packet is None else packet, (HOST, self.port))

    def listen(self) -> None:
        """Keep what has come."""
        while True:
            try:
                packet = rtp.parse(self.sock.recv(4096))
            except BlockingIOError:
                return
            assert packet is not None
            self.got.append(packet)

    @property
    def law(self) -> g711.Law:
        return g711.MU_LAW if self.codec.name == "PCMU" else g711.A_LAW

    def heard(self, last_s: float | None = None) -> Samples:
        """All that was heard, or the end of it."""
        payload = b"".join(packet.payload for packet in self.got)
        samples = self.law.decode(np.frombuffer(payload, np.uint8))
        return samples if last_s is None else samples[-round(last_s * RATE_HZ) :]

    def tones(self, last_s: float = 0.5) -> tuple[float, ...]:
        """Frequencies that were heard lately, in order."""
        return tuple(sorted(round(hz, -1) for hz in tone.tones(self.heard(last_s), RATE_HZ)))


@dataclass
class Stage:
    """An engine, its phones and its clock."""

    engine: Engine
    network: Network
    now_s: float = 1000.0
    said: list[FromWorker] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)

    def phone(self, codec: Codec = PCMU, frequency_hz: float = 0.0, **more: object) -> Phone:
        one = Phone(free_port(), codec, frequency_hz, **more)  # type: ignore[arg-type]
        self.phones.append(one)
        return one

    def put(self, legs: Iterable[Leg], context: str = "room", rev: int = 1, epoch: int = 1) -> FromWorker:
        """Put a context; what the worker says about it."""
        self.engine.put(Put(context, rev, epoch, Context(tuple(legs))), self.now_s)
        return self.take()[-1]

    def run(self, seconds: float, silent: Iterable[Phone] = ()) -> None:
        """Let all phones speak and listen for so long, but those that are silent."""
        speaking = [phone for phone in self.phones if phone not in list(silent)]
        for _ in range(round(seconds / TICK_S)):
            for phone in speaking:
                phone.speak()
            self.tick()

    def tick(self) -> None:
        self.now_s += TICK_S
        self.engine.tick(self.now_s)
        self.take()
        for phone in self.phones:
            phone.listen()

    def take(self) -> list[FromWorker]:
        """What was said since the last time."""
        new = self.engine.said[:]
        self.engine.said.clear()
        self.said += new
        return new


@contextmanager
def stage(rows: int = 16, seed: int = 1) -> Iterator[Stage]:
    network = Network(HOST, rows)
    engine = Engine(network, random.Random(seed).getrandbits, rows)
    made = Stage(engine, network)
    try:
        yield made
    finally:
        engine.close()
        for phone in made.phones:
            phone.sock.close()


def free_port() -> int:
    """The lower of two ports that nobody uses now, below those that the system gives to clients."""
    while True:
        number = random.randrange(10_000, 30_000, 2)
        try:
            open_pair(HOST, number, False).close()
        except PortTakenError:
            continue
        return number
