"""Digits: as telephone-events in RTP (RFC 4733), and as pairs of tones in the sound (ITU-T Q.23, Q.24).

What may live here: digits to packets or samples, and back. No clock, no sockets.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final, NamedTuple

from media.pcm import Samples
from media.rtp import Packet, timestamp_difference
from media.tone import mix, tone

DIGITS: Final = "0123456789*#ABCD"
"""By their codes as events (RFC 4733 table 3)."""

LENGTH_MS: Final = 100
PAUSE_MS: Final = 80
TICK_MS: Final = 20
LAPSE_MS: Final = 200
"""An event of which nothing more came for so long has ended, though its end was lost."""

MOST_AT_ONCE: Final = 40
MOST_PER_MS: Final = 0.012
"""A dialler takes 80 ms for each (Q.24), and nobody is faster; to tell of one costs more than its packet."""

_EVENT = Struct("!BBH")
_END, _VOLUME = 0x80, 0x3F
_LONGEST: Final = 0xFFFF
_ENDS: Final = 3
_VOLUME_DBM0: Final = 10

ROWS_HZ: Final = (697, 770, 852, 941)
COLUMNS_HZ: Final = (1209, 1336, 1477, 1633)
KEYS: Final = ("123A", "456B", "789C", "*0#D")
_ROW_DBFS, _COLUMN_DBFS = -10.0, -8.0


class Digit(NamedTuple):
    digit: str
    duration_ms: int


class EventReceiver:
    """The digits that one leg's telephone-events say, each once, when it has ended."""

    def __init__(self, clock_rate_hz: int = 8000) -> None:
        self._per_ms = clock_rate_hz / 1000
        self._ssrc = -1
        self._timestamp: int | None = None
        """Of the event under way or the last one; an older one is a repetition."""
        self._code = 0
        self._before = 0
        """Length of the segments that went before (RFC 4733 2.5.1.3)."""
        self._duration = 0
        self._under_way = False
        self._heard_ms = self._told_ms = 0.0
        self._allowed: float = MOST_AT_ONCE

    @property
    def under_way(self) -> bool:
        """Whether a digit has begun and not ended."""
        return self._under_way

    def receive(self, packet: Packet, now_ms: float) -> tuple[Digit, ...]:
        """What ended with a packet: its own event, and one before it of which the end was lost."""
        if len(packet.payload) < _EVENT.size:
            return ()
        code, flags, duration = _EVENT.unpack_from(packet.payload)
        if code >= len(DIGITS):
            return ()
        ended: tuple[Digit, ...] = ()
        if packet.ssrc != self._ssrc or self._timestamp is None or self._is_newer(packet.timestamp):
            goes_on = self._goes_on(packet, code)
            self._before = self._before + self._duration if goes_on else 0
            ended = () if goes_on else self._finish()
            self._ssrc, self._timestamp, self._code, self._duration = packet.ssrc, packet.timestamp, code, 0
            self._under_way = True
        elif packet.timestamp != self._timestamp or not self._under_way:
            return ()
        self._duration = max(self._duration, duration)
        self._heard_ms = now_ms
        return ended + self._finish() if flags & _END else ended

    def lapse(self, now_ms: float) -> tuple[Digit, ...]:
        """What has ended because nothing more comes of it. To be asked now and then while there are digits."""
        return self._finish() if now_ms - self._heard_ms >= LAPSE_MS else ()

    def _is_newer(self, timestamp: int) -> bool:
        return self._timestamp is not None and timestamp_difference(timestamp, self._timestamp) > 0

    def _goes_on(self, packet: Packet, code: int) -> bool:
        """Whether this is the next segment of an event that is too long for one."""
        return (
            self._under_way
            and packet.ssrc == self._ssrc
            and code == self._code
            and not packet.marker
            and self._timestamp is not None
            and timestamp_difference(packet.timestamp, self._timestamp) == _LONGEST
        )

    def _finish(self) -> tuple[Digit, ...]:
        if not self._under_way:
            return ()
        self._under_way = False
        self._allowed = min(self._allowed + (self._heard_ms - self._told_ms) * MOST_PER_MS, MOST_AT_ONCE)
        self._told_ms = self._heard_ms
        if self._allowed < 1:
            return ()
        self._allowed -= 1
        return (Digit(DIGITS[self._code], round((self._before + self._duration) / self._per_ms)),)


class Event(NamedTuple):
    """One packet of a digit; its sequence number is the stream's next."""

    payload: bytes
    timestamp: int
    marker: bool


class EventSender:
    """Digits to one leg, one packet a tick of 20 ms in the sound's place, each digit's end three times."""

    def __init__(self, clock_rate_hz: int = 8000) -> None:
        self._tick = clock_rate_hz * TICK_MS // 1000
        self._per_ms = clock_rate_hz // 1000
        self._waiting: deque[tuple[int, int]] = deque()
        """Codes and lengths in ticks of the clock."""
        self._start = 0
        self._sent = 0
        """Packets of the digit under way."""
        self._pause = 0

    def send(self, digits: str, length_ms: int = LENGTH_MS) -> None:
        """Digits behind those that wait. Raises ValueError for what is no digit, or a length of no whole ticks."""
        if length_ms % TICK_MS or not 2 * TICK_MS <= length_ms <= _LONGEST // self._per_ms:
            raise ValueError(f"a digit cannot last {length_ms} ms: take a multiple of {TICK_MS}, 40 or more")
        wrong = [digit for digit in digits.upper() if digit not in DIGITS]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no digit: there are {DIGITS}")
        self._waiting += [(DIGITS.index(digit), length_ms * self._per_ms) for digit in digits.upper()]

    @property
    def busy(self) -> bool:
        """Whether there are digits to send: `tick` then has to be asked in every tick."""
        return bool(self._waiting) or self._pause > 0

    def tick(self, timestamp: int) -> Event | None:
        """What is sent in place of sound in the tick whose sound would have `timestamp`; None in the pause between."""
        if self._pause:
            self._pause -= 1
            return None
        if not self._waiting:
            return None
        code, length = self._waiting[0]
        if not self._sent:
            self._start = timestamp
        self._sent += 1
        duration = min(self._sent * self._tick, length)
        ends = self._sent * self._tick >= length
        marker = self._sent == 1
        if self._sent >= length // self._tick + _ENDS - 1:
            self._waiting.popleft()
            self._sent = 0
            self._pause = PAUSE_MS // TICK_MS - (_ENDS - 1)
        return Event(_EVENT.pack(code, (_END if ends else 0) | _VOLUME_DBM0, duration), self._start, marker)


def dual_tone(digit: str, duration_ms: int = LENGTH_MS, sample_rate_hz: int = 8000) -> Samples:
    """The sound of a digit. Raises ValueError if there is no such digit."""
    for row_hz, keys in zip(ROWS_HZ, KEYS, strict=True):
        if len(digit) == 1 and digit.upper() in keys:
            column_hz = COLUMNS_HZ[keys.index(digit.upper())]
            seconds = duration_ms / 1000
            return mix(
                tone(row_hz, seconds, sample_rate_hz, _ROW_DBFS), tone(column_hz, seconds, sample_rate_hz, _COLUMN_DBFS)
            )
    raise ValueError(f"{digit!r} is no digit: there are {DIGITS}")
