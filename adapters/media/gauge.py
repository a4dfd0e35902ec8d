"""What media workers measure of streams, in the words of calls.

What may live here: what was said last of each stream that goes on, so that it is known when its worker is killed; and
whose audio is missing. Nothing here depends on what kind of context a stream is in: a leg's name says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from adapters.media.stream import ACTOR, cause_of
from domain.call.input import AudioLost, AudioRestored, Input
from domain.call.input import Measured as StreamMeasured
from domain.call.measure import Figures, Way
from domain.ids import call_of_leg, shard_of
from media.wire import Measured, Silent


class _Gauge(NamedTuple):
    """What was said last of a stream, and by which process of which worker."""

    worker: str
    run: str
    last: Measured


class Gauges:
    """Of all streams of all workers. What calls are to decide on waits for `flush`."""

    def __init__(self, there: Callable[[str], bool]) -> None:
        """`there` says whether a worker is."""
        self._there = there
        self._inputs: list[tuple[UUID, Input]] = []
        self._runs: dict[str, str] = {}
        """worker -> its process, as far as it said"""
        self._last: dict[str, _Gauge] = {}
        self._missing: dict[str, dict[Way, bool]] = {}
        """leg -> whether its audio is missing, each way, as its call was told"""
        self._counts = dict.fromkeys(("audio_lost", "streams_measured", "packets_received", "packets_lost"), 0)

    def metrics(self) -> Mapping[str, float]:
        """Numbers for `/metrics`."""
        totals = {f"media_{name}_total": float(count) for name, count in self._counts.items()}
        now = {
            "media_streams": len(self._last),
            "media_audio_missing": sum(any(ways.values()) for ways in self._missing.values()),
        }
        return totals | {name: float(count) for name, count in now.items()}

    def arrived(self, worker: str, run: str) -> None:
        """A worker says which process it is. What another one measured in its place is all that is known of that."""
        self._runs[worker] = run
        for leg in [leg for leg, one in self._last.items() if one.worker == worker and one.run != run]:
            self._end(self._last.pop(leg).last, whole=False)

    def died(self, worker: str) -> None:
        """A worker is no more. Its streams go on at another one, as others; what it said last of them counts."""
        for leg in [leg for leg, one in self._last.items() if one.worker == worker]:
            self._end(self._last.pop(leg).last, whole=False)

    def heard(self, worker: str, message: Measured | Silent) -> None:
        """A worker says what a stream is like, or was; or that its audio is missing, or is there again."""
        if isinstance(message, Silent):
            way = Way.TO_PHONE if message.unheard else Way.FROM_PHONE
            self._tell_missing(message.leg, way, message.since_ms)
            return
        run = self._runs.get(worker, "")
        before = self._last.pop(message.leg, None)
        if before is not None and (before.worker, before.run) != (worker, run):
            self._end(before.last, whole=False)
        if not message.so_far:
            self._missing.pop(message.leg, None)
            self._end(message)
            return
        self._last[message.leg] = _Gauge(worker, run, message)
        known = self._missing.get(message.leg, {})
        for way, missing_ms in ((Way.FROM_PHONE, message.missing_ms), (Way.TO_PHONE, message.unheard_ms)):
            # Again and again while it is missing: at first its call may not have been answered.
            if missing_ms > 0 or (missing_ms == 0 and known.get(way) is not False):
                self._tell_missing(message.leg, way, missing_ms)

    def left(self, leg: str) -> None:
        """A leg's stream is to end. If its worker is not there to say what it was like, what it said last counts."""
        self._missing.pop(leg, None)
        gauge = self._last.get(leg)
        if gauge is not None and not self._there(gauge.worker):
            self._end(self._last.pop(leg).last, whole=False)

    def forget(self, shard: int) -> None:
        """Its calls are not ours any more."""
        stores: tuple[dict[str, Any], ...] = (self._last, self._missing)
        for kept in stores:
            for leg in [one for one in kept if shard_of(call_of_leg(one)) == shard]:
                del kept[leg]

    def flush(self, tell: Callable[[UUID, Input], None]) -> None:
        """Let calls decide."""
        while self._inputs:
            inputs, self._inputs = self._inputs, []
            for call, inp in inputs:
                tell(call, inp)

    def _tell_missing(self, leg: str, way: Way, missing_ms: int) -> None:
        cause, missing = cause_of(leg), missing_ms > 0
        ways = self._missing.setdefault(leg, {})
        self._counts["audio_lost"] += missing and not ways.get(way, False)
        ways[way] = missing
        if missing:
            self._tell(AudioLost(cause, ACTOR, leg, way, missing_ms))
        else:
            self._tell(AudioRestored(cause, ACTOR, leg, way))

    def _end(self, message: Measured, whole: bool = True) -> None:
        self._counts["streams_measured"] += 1
        self._counts["packets_received"] += message.received
        self._counts["packets_lost"] += message.lost
        self._tell(StreamMeasured(cause_of(message.leg), ACTOR, message.leg, _figures(message, whole)))

    def _tell(self, inp: StreamMeasured | AudioLost | AudioRestored) -> None:
        self._inputs.append((call_of_leg(inp.leg), inp))


def _figures(message: Measured, whole: bool) -> Figures:
    return Figures(
        codec=message.codec,
        received=message.received,
        sent=message.sent,
        lost=message.lost,
        discarded=message.discarded,
        jitter_us=message.jitter_us,
        remote_lost=_known(message.remote_lost),
        round_trip_ms=_known(message.round_trip_ms),
        mos_x100=message.mos_x100 or None,
        silent_ms=message.silent_ms,
        whole=whole,
    )


def _known(value: int) -> int | None:
    return value if value >= 0 else None
