"""What both phone drivers share: JSON lines on stdin and stdout, and the time of what they saw.

A driver is a process that is one phone. Its first line on stdin is the options; each line after that is a
command `{"id": n, "do": name, ...}`, answered by `{"re": n, "ok": true, ...}` or `{"re": n, "ok": false,
"error": text}`. Whatever happens is a line `{"event": name, "monotonic_s": ..., "utc": ..., ...}`:
`ready`, `registration` (status, reason), `incoming` (call, remote, sip_call_id), `state` (call, state, by,
status, reason), `summary` (text). Standard output is kept for these lines alone: what a stack prints goes to stderr.
"""

import json
import os
import sys
import time
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np

from media.pcm import Samples
from media.tone import tone
from tests.fixtures.ports import PHONE_PORTS

CLOCK_RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class Options:
    """How a phone is set up. `proxy` is host:port of the outbound proxy, None for direct calls by URI.

    `srtp` encrypts media with keys from the SDP, `srtp_wish` does if the other side has keys too, `dtls` with those of
    a handshake (baresip only). `codecs` are those that it has, the preferred one first, of
    PCMU, PCMA, G722 and opus (baresip only).
    `keys` says how pressed keys are told: "event" in RTP (RFC 4733), "info" in SIP, or "sound" alone (pjsua only).
    `summaries` has it subscribe to how many messages there are (RFC 3842; pjsua only).
    `outbound` asks for flows (RFC 5626); `prack` requires that progress be acknowledged (RFC 3262), and `session_s`
    lets sessions last that long (RFC 4028; 0 leaves them alone). These are pjsua's only.
    """

    username: str
    password: str
    domain: str
    proxy: str | None
    transport: str
    port: int
    srtp: bool
    srtp_wish: bool
    dtls: bool
    tls_ca: str | None
    tone_hz: float
    expires_s: int
    auto_answer: str | None
    register: bool
    folder: str
    outbound: bool
    prack: bool
    session_s: int
    codecs: tuple[str, ...]
    keys: str
    summaries: bool

    @property
    def own_address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def rtp_ports(self) -> tuple[int, int]:
        """The first and the last one for audio."""
        return self.port + 2, self.port + PHONE_PORTS - 1

    def target(self, number: str) -> str:
        """A number as a URI of the phone's own domain; a URI is taken as it is."""
        return number if number.startswith(("sip:", "sips:")) else f"sip:{number}@{self.domain}"


class Line:
    """The driver's end of the line to the test: one JSON object a line."""

    def __init__(self) -> None:
        # A private copy of stdout; file descriptor 1 then means stderr for everybody else.
        self._out: TextIO = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def send(self, message: Mapping[str, object]) -> None:
        self._out.write(json.dumps(message) + "\n")

    def event(self, name: str, **fields: object) -> None:
        stamp = {"monotonic_s": time.monotonic(), "utc": datetime.now(UTC).isoformat()}
        self.send({"event": name, **stamp, **fields})

    def reply(self, command: int, **fields: object) -> None:
        self.send({"re": command, "ok": True, **fields})

    def refuse(self, command: int, error: str) -> None:
        self.send({"re": command, "ok": False, "error": error})


def read_options() -> Options:
    return Options(**json.loads(sys.stdin.readline()))


def write_wav(path: Path, samples: Samples, clock_rate_hz: int = CLOCK_RATE_HZ) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(clock_rate_hz)
        out.writeframes(samples.astype("<i2").tobytes())


def read_wav(path: Path) -> Samples:
    """The samples of a mono 16-bit file; none when nothing was written yet."""
    if not path.exists() or path.stat().st_size <= 44:
        return np.zeros(0, np.int16)
    with wave.open(str(path), "rb") as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.int16)


def has_length(path: Path) -> bool:
    """Whether the header of a WAV says how long it is: the writer has closed it."""
    with path.open("rb") as wav:
        header = wav.read(44)
    return len(header) == 44 and header[40:44] != bytes(4)


def looped_tone(frequency_hz: float, duration_s: int = 1) -> Samples:
    """Whole seconds, that loop without a click for a whole frequency."""
    return tone(frequency_hz, duration_s, CLOCK_RATE_HZ)
