"""Phones for an engine in the same process: each speaks a tone and keeps what it hears. Time is in the test's hand."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from media import codec as codecs
from media import rtp, tone
from media.batch import Network
from media.cycle import TICK_S
from media.demux import Kind, kind
from media.engine import Engine
from media.pcm import Samples
from media.play import Library
from media.rate import sample_rate_hz
from media.record import Recorder
from media.source import Sources
from media.srtp import Srtp
from media.ties import Ties
from media.wire import Codec, Context, FromWorker, Leg, Measured, Put, Sdes
from tests.fixtures.ports import HOST as HOST
from tests.fixtures.ports import free_pair

PCMU, PCMA, G722 = Codec("PCMU", 0), Codec("PCMA", 8), Codec("G722", 9)
OPUS, L16 = Codec("opus", 96, 48000, 2), Codec("L16", 97, 16000)
LEVEL_DBFS = -13.0
_LONGEST_PACKET = 4096
Word = TypeVar("Word")


@dataclass
class Phone:
    """Speaks one codec from a socket of its own, 20 ms a packet."""

    port: int
    """of the leg, at the worker"""
    codec: Codec = PCMU
    frequency_hz: float = 0.0
    """0 speaks silence"""
    level_dbfs: float = LEVEL_DBFS
    ssrc: int = 7
    sequence: int = 65530
    timestamp: int = (1 << 32) - 480
    keys: Sdes | None = None
    """the phone's own, as those of the leg are the other way round"""
    sock: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    got: list[rtp.Packet] = field(default_factory=list)
    other: list[bytes] = field(default_factory=list)
    """datagrams that were no RTP"""

    def __post_init__(self) -> None:
        self.host = HOST if self.sock.family is socket.AF_INET else "::1"
        self.sock.bind((self.host, free_pair()))
        self.sock.setblocking(False)
        self.srtp = Srtp(self.keys) if self.keys is not None else None
        self._at = 0
        self.speak_as(self.codec)

    def speak_as(self, codec: Codec) -> None:
        """Use this codec from now on."""
        self.codec = codec
        self.rate_hz = sample_rate_hz(codec)
        self._encoder = codecs.encoder(codec)
        self.decoder = codecs.decoder(codec)
        silence = np.zeros(self.rate_hz, np.int16)
        tuned = self.frequency_hz
        self._sound = tone.tone(tuned, 1.0, self.rate_hz, self.level_dbfs) if tuned else silence

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()[:2]
        return host, port

    def leg(self, name: str, **changes: object) -> Leg:
        """As a context would have it."""
        wanted = {"codecs": (self.codec,), "secure": theirs(self.keys), **changes}
        return Leg(name, self.port, self.address, **wanted)  # type: ignore[arg-type]

    def packet(self, payload: bytes | None = None, payload_type: int | None = None) -> bytes:
        """The next 20 ms."""
        samples = self.rate_hz // 50
        if payload is None:
            payload = self._encoder.encode(np.take(self._sound, range(self._at, self._at + samples), mode="wrap"))
        kind = self.codec.payload_type if payload_type is None else payload_type
        packet = rtp.header(kind, self.sequence, self.timestamp, self.ssrc) + payload
        self._at = (self._at + samples) % self.rate_hz
        self.sequence += 1
        self.timestamp += self.codec.clock_rate_hz // 50
        return packet

    def speak(self, packet: bytes | None = None) -> None:
        plain = self.packet() if packet is None else packet
        wire = self.srtp.protect(plain) if self.srtp is not None else plain
        assert wire is not None
        self.send(wire)

    def send(self, datagram: bytes) -> None:
        self.sock.sendto(datagram, (self.host, self.port))

    def listen(self) -> None:
        """Keep what has come."""
        while True:
            try:
                data = self.sock.recv(_LONGEST_PACKET)
            except BlockingIOError:
                return
            if kind(data) is not Kind.RTP:
                self.other.append(data)
                continue
            plain = data if self.srtp is None else self.srtp.unprotect(data)
            packet = rtp.parse(plain) if plain is not None else None
            if packet is not None:
                self.got.append(packet)

    def heard(self, last_s: float | None = None) -> Samples:
        """All that was heard in its codec, or the end of it."""
        decoder = codecs.decoder(self.codec)
        payloads = [packet.payload for packet in self.got if packet.payload_type == self.codec.payload_type]
        samples = np.concatenate([np.zeros(0, np.int16), *map(decoder.decode, payloads)])
        return samples if last_s is None else samples[-round(last_s * self.rate_hz) :]

    def tones(self, last_s: float = 0.5) -> tuple[float, ...]:
        """Frequencies that were heard lately, in order."""
        return tuple(sorted(round(hz, -1) for hz in tone.tones(self.heard(last_s), self.rate_hz)))

    def levels(self, *frequencies_hz: float, last_s: float = 0.5) -> tuple[float, ...]:
        """How loud these were lately, in dBFS."""
        return tone.levels(self.heard(last_s), self.rate_hz, frequencies_hz)


@dataclass
class Stage:
    """An engine, its phones and its clock."""

    engine: Engine
    network: Network
    now_s: float = 1000.0
    said: list[FromWorker] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)

    def phone(self, codec: Codec = PCMU, frequency_hz: float = 0.0, **more: object) -> Phone:
        one = Phone(free_pair(), codec, frequency_hz, **more)  # type: ignore[arg-type]
        self.phones.append(one)
        return one

    def put(
        self, legs: Iterable[Leg], context: str = "room", rev: int = 1, epoch: int = 1, **more: object
    ) -> FromWorker:
        """Put a context; what the worker says about it."""
        desired = Context(tuple(legs), **more)  # type: ignore[arg-type]
        self.engine.put(Put(context, rev, epoch, desired), self.now_s)
        return self.take()[-1]

    def run(self, seconds: float, silent: Iterable[Phone] = ()) -> None:
        """Let all phones speak and listen for so long, but those that are silent."""
        quiet = list(silent)
        for _ in range(round(seconds / TICK_S)):
            for phone in self.phones:
                if phone not in quiet:
                    phone.speak()
            self.tick()

    def tick(self) -> None:
        self.now_s += TICK_S
        self.engine.idle(self.now_s)
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

    def words(self, kind: type[Word]) -> list[Word]:
        """What of this kind was said by now."""
        return [word for word in self.said if isinstance(word, kind)]

    def ends(self) -> list[Measured]:
        """What legs were like that are gone by now."""
        return [word for word in self.words(Measured) if not word.so_far]


@contextmanager
def stage(rows: int = 16, seed: int = 1, ties: Ties | None = None, host: str = HOST) -> Iterator[Stage]:
    network = Network(host, rows)
    engine = Engine(network, random.Random(seed).getrandbits, rows, Library(Sources().load), Recorder(), ties)
    made = Stage(engine, network)
    try:
        yield made
    finally:
        engine.close(made.now_s)
        for phone in made.phones:
            phone.sock.close()


def theirs(keys: Sdes | None) -> Sdes | None:
    """The keys of the other side."""
    return None if keys is None else Sdes(keys.suite, keys.remote_key, keys.local_key)
