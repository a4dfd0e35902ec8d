"""The jitter buffer of one leg: packets in as they arrive, one frame out whenever one is to be heard.

What may live here: when a packet is played. Payloads stay encoded, time is an argument, nothing here knows sockets or
sound.

Positions are RTP timestamps that do not wrap, in ticks of the codec's clock; `media.playout` says when each is due.
What is missing when it is due, and what follows it is due too, was lost. Being behind what is due is made good by
leaving a frame out, being ahead of it by waiting for one, both where it is quiet. So clock drift, a change of route, a
stall and a first guess that was wrong are all the same case.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from media.playout import WINDOW_MS, Playout
from media.rtp import Packet

FRAME_MS: Final = 20
JUMP_MS: Final = 200
"""So far behind what is due, a leg is not eased any more, it jumps."""

STRANGE_MS: Final = 2500
"""A packet whose transit is so far from the others' is of another time line, if more of its kind follow."""
_STRANGE_PACKETS: Final = 3
_WINDOW_PACKETS: Final = 256
_MOST_PACKETS: Final = 256
_MOST_BYTES: Final = 8192
_CONCEALED_FRAMES: Final = 10
"""After so many missing frames on end there is nothing to conceal, there is silence."""
_NOISE_FRAMES: Final = 500
_PATIENCE_FRAMES: Final = 100
"""How long an excess of one frame is borne where it is never quiet; a greater one is borne shorter in proportion."""


class Absent(Enum):
    """Why there is no payload."""

    LOST = "it is missing though the party sends: conceal it"
    NOISE = "the party is silent, and said how its silence sounds: see `JitterBuffer.noise`"
    SILENCE = "nothing is to be heard"


class JitterBuffer:
    """One leg's: `put` what arrives, `take` a frame for each 20 ms.

    With `frame_bytes` (of 20 ms: G.711, G.722, L16) packets of any length are cut and joined to frames of that size.
    Without, each payload is handed out whole (Opus), `measure` gives its length in ticks, and the caller takes the next
    one when it has played it; in place of a lost one it plays 20 ms.
    """

    def __init__(
        self, clock_rate_hz: int, frame_bytes: int = 0, measure: Callable[[bytes], int] = lambda payload: 0
    ) -> None:
        self.payload_type = -1
        """of the frame that was taken last"""
        self.noise = b""
        """what describes the party's silence (RFC 3389)"""
        self.late = 0
        """packets that came when their turn was over"""
        self.repeated = 0
        """packets that were here already"""
        self.overflowed = 0
        """packets that there was no room for, or no sense in"""
        self.skipped = 0
        """frames that were here and were left out, to be less behind"""
        self.missed = 0
        """frames in whose place the answer was LOST"""
        self._frame_bytes = frame_bytes
        self._measure = measure
        self._per_ms = clock_rate_hz / 1000
        self._frame = clock_rate_hz * FRAME_MS // 1000
        self._half = self._frame // 2
        self._borne = self._frame * 2
        """Where it is never quiet, less than this is not worth a frame left out."""
        self._quicker = -JUMP_MS * self._per_ms
        self._slower = STRANGE_MS * self._per_ms
        self._ssrc = -1
        self._begin(0, 0.0, 0.0)

    def _begin(self, at: int, transit: float, now_ms: float) -> None:
        """Nothing of before counts: the first packet of a time line is at `at`."""
        self._packets: dict[int, tuple[bytes, int, int]] = {}
        """Payload, its type and its length in ticks (0 for comfort noise), by position."""
        self._newest = at
        self._next = at
        """Where the next packet to play starts; what is left of the one before is `_rest`."""
        self._rest = b""
        self._rest_type = -1
        self._rest_ticks = 0
        self._started = False
        self._missing = _CONCEALED_FRAMES
        self._noise_frames = 0
        self._excess = 0.0
        self._strange = 0
        """Packets in order that fit nothing, and where the last one was."""
        self._strange_at = at
        self._window: list[float] = []
        self._window_end_ms = now_ms + WINDOW_MS
        self._playout = Playout(transit, self._per_ms)

    @property
    def target_ms(self) -> float:
        """How much later than the quickest packet everything is to be played."""
        return self._playout.target / self._per_ms

    @property
    def waiting_ms(self) -> float:
        """How much sound is here and was not taken yet."""
        return (sum(ticks for _, _, ticks in self._packets.values()) + self._rest_ticks) / self._per_ms

    def put(self, packet: Packet, now_ms: float, noise: bool = False) -> None:
        """A packet arrived at `now_ms`; `noise` says that it describes silence. Another SSRC begins afresh."""
        payload_type, _, _, timestamp, ssrc, payload = packet
        step = (timestamp - self._newest) & 0xFFFFFFFF
        if step & 0x80000000:
            step -= 0x100000000
        at = self._newest + step
        transit = now_ms * self._per_ms - at
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._begin(at, transit, now_ms)
        if not self._quicker < transit - self._playout.base < self._slower and not self._believe(at, transit, now_ms):
            return
        if step > 0:
            self._newest = at
        if len(payload) == self._frame_bytes and not noise:
            ticks = self._frame
        else:
            payload, ticks = (payload, 0) if noise else self._measured(payload)
        if at in self._packets:
            self.repeated += 1
        elif at < self._next and self._started:
            self.late += 1
            self._playout.too_late(transit)
        elif (ticks < self._per_ms and not noise) or len(payload) > _MOST_BYTES or len(self._packets) >= _MOST_PACKETS:
            self.overflowed += 1
        else:
            self._packets[at] = (payload, payload_type, ticks)
            if at < self._next:
                self._next = at
        self._window.append(transit)
        if now_ms >= self._window_end_ms or len(self._window) >= _WINDOW_PACKETS:
            self._learn(now_ms)

    def usual(self, now_ms: float) -> bytes | None:
        """As `take` where nothing is out of the ordinary, be it quiet or not; None where `take` has to see to it."""
        held = self._packets.get(self._next)
        if held is None or held[2] != self._frame or self._rest_ticks:
            return None
        if not -self._half <= now_ms * self._per_ms - self._playout.due - self._next < self._frame:
            return None
        del self._packets[self._next]
        self._next += self._frame
        self._missing = 0
        self._started = True
        self.payload_type = held[1]
        return held[0]

    def take(self, now_ms: float, quiet: bool = False) -> bytes | Absent:
        """The payload of which the first sample is heard at `now_ms`, or why there is none.

        `quiet` says that the frame before held nothing that anyone would miss: here one may be left out or put in.
        """
        payload = self.usual(now_ms)
        return self._take_with_care(now_ms * self._per_ms - self._playout.due, quiet) if payload is None else payload

    def redundancy(self) -> bytes | None:
        """After LOST: the payload that follows the missing one, if it is here, for the copy inside it (Opus FEC).

        The missing one is then done with.
        """
        held = self._packets.get(self._next + self._frame)
        if held is None or not held[2]:
            return None
        self._next += self._frame
        return held[0]

    # --- what is played

    def _take_with_care(self, due: float, quiet: bool) -> bytes | Absent:
        """As `take`; `due` is the position that is to be heard now."""
        behind = due - self._next + self._rest_ticks
        if behind > JUMP_MS * self._per_ms:
            self._jump(due)
            behind = 0.0
        elif behind < -self._half and (quiet or self._missing):
            return self._absent()
        payload = self._pull(due)
        if payload is None:
            return self._absent()
        if behind >= (self._frame if quiet else self._borne) and self._out_of_patience(behind, quiet):
            after = self._pull(due)
            if after is not None:
                self.skipped += 1
                payload = after
        self._missing = 0
        return payload

    def _pull(self, due: float) -> bytes | None:
        """The next frame; None if it is not whole and what follows the gap is not due."""
        while self._rest_ticks < self._frame or not self._frame_bytes:
            held = self._packets.pop(self._next, None)
            if held is None:
                if not self._step_over(due):
                    return None
                continue
            self._started = True
            payload, payload_type, ticks = held
            if not ticks:
                self._fall_silent(payload)
                return None
            self._next += ticks
            if not self._frame_bytes:
                self.payload_type = payload_type
                return payload
            if payload_type != self._rest_type:
                self._rest, self._rest_ticks, self._rest_type = b"", 0, payload_type
            self._rest += payload
            self._rest_ticks += ticks
        frame, self._rest = self._rest[: self._frame_bytes], self._rest[self._frame_bytes :]
        self._rest_ticks -= self._frame
        self.payload_type = self._rest_type
        return frame

    def _step_over(self, due: float) -> bool:
        """Go on behind a gap, if what is there is due."""
        while self._packets:
            following = min(self._packets)
            if following - self._rest_ticks > due + self._half:
                return False
            if following >= self._next:
                self._next = following
                return True
            # Packets that overlap: this one's time was taken up by the one before.
            del self._packets[following]
            self.overflowed += 1
        return False

    def _jump(self, due: float) -> None:
        """Leave out all that should have been heard long ago, but not the newest packet."""
        self._rest, self._rest_ticks = b"", 0
        for at in sorted(self._packets)[:-1]:
            if at >= due - self._half:
                break
            self.skipped += 1
            del self._packets[at]

    def _out_of_patience(self, behind: float, quiet: bool) -> bool:
        self._excess += behind
        if not quiet and self._excess < _PATIENCE_FRAMES * self._frame:
            return False
        self._excess = 0.0
        return True

    def _absent(self) -> Absent:
        if not self._missing:
            self._noise_frames = 0
        if self._noise_frames:
            self._noise_frames -= 1
            return Absent.NOISE
        if self._missing >= _CONCEALED_FRAMES:
            return Absent.SILENCE
        self._missing += 1
        self.missed += 1
        return Absent.LOST

    def _fall_silent(self, noise: bytes) -> None:
        self.noise = noise
        self._noise_frames = _NOISE_FRAMES
        self._missing = _CONCEALED_FRAMES
        self._rest, self._rest_ticks = b"", 0

    def _believe(self, at: int, transit: float, now_ms: float) -> bool:
        """Whether a packet that is far from the time of all others is taken.

        A much quicker one is, a stall is over. One that fits nothing is not, before more have come that follow it.
        """
        if -self._slower < transit - self._playout.base < 0:
            self._playout.quicker(transit)
            return True
        self._strange = self._strange + 1 if at > self._strange_at else 1
        self._strange_at = at
        if self._strange < _STRANGE_PACKETS:
            self.overflowed += 1
            return False
        self._begin(at, transit, now_ms)
        return True

    def _learn(self, now_ms: float) -> None:
        self._playout.learn(self._window)
        self._window.clear()
        self._window_end_ms = now_ms + WINDOW_MS
        self._strange = 0

    def _measured(self, payload: bytes) -> tuple[bytes, int]:
        """A payload without the part of a sample at its end, and its length in ticks."""
        if not self._frame_bytes:
            return payload, self._measure(payload)
        per_tick = self._frame_bytes // self._frame
        ticks = len(payload) // per_tick
        return payload[: ticks * per_tick], ticks
