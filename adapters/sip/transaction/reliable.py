"""Provisional responses that must be acknowledged (RFC 3262 section 3), as a server: repeated until their PRACK comes.

What may live here: when which response is sent again, and when it is given up. Its content, and what a PRACK means, are
the call's. The pace is the RFC's own: T1, doubled each time without a limit, for 64*T1, over every transport.
"""

from __future__ import annotations

import heapq

import msgspec

from adapters.sip.transaction.key import ServerKey
from adapters.sip.transaction.timer import Timers
from domain.values import Flow


class Waiting(msgspec.Struct):
    """One response that waits for its PRACK."""

    key: ServerKey
    tag: str
    flow: Flow
    wire: bytes
    interval_s: float
    until: float


class ReliableResponses:
    """All that wait, of one worker: one for each early dialog (To tag) of an INVITE. Times are monotonic seconds."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._waiting: dict[ServerKey, dict[str, Waiting]] = {}
        self._queue: list[tuple[float, int, Waiting]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self, key: ServerKey, tag: str, flow: Flow, wire: bytes, now: float) -> None:
        """Repeat `wire` from now on. One that is repeated already goes on as it was, by `flow`."""
        tags = self._waiting.setdefault(key, {})
        known = tags.get(tag)
        if known is not None and known.wire == wire:
            known.flow = flow
            return
        interval_s = self._timers.t1_s
        tags[tag] = Waiting(key, tag, flow, wire, interval_s, now + self._timers.limit_s)
        self._push(now + interval_s, tags[tag])

    def confirmed(self, key: ServerKey, tag: str) -> None:
        """The PRACK came."""
        tags = self._waiting.get(key)
        if tags is not None:
            tags.pop(tag, None)
            if not tags:
                del self._waiting[key]

    def finished(self, key: ServerKey) -> None:
        """The INVITE has its final response, or is gone."""
        self._waiting.pop(key, None)

    def next_timer(self) -> float | None:
        """When `on_timer` has something to do."""
        queue = self._queue
        while queue and not self._waits(queue[0][2]):
            heapq.heappop(queue)
        return queue[0][0] if queue else None

    def on_timer(self, now: float, outbox: list[tuple[Flow, bytes]]) -> list[ServerKey]:
        """Puts what is to be sent again into `outbox`; returns the INVITEs whose responses are given up."""
        given_up = []
        while (at := self.next_timer()) is not None and at <= now:
            one = heapq.heappop(self._queue)[2]
            if at >= one.until:
                self.finished(one.key)
                given_up.append(one.key)
            else:
                outbox.append((one.flow, one.wire))
                one.interval_s *= 2
                self._push(min(at + one.interval_s, one.until), one)
        return given_up

    def _waits(self, one: Waiting) -> bool:
        return self._waiting.get(one.key, {}).get(one.tag) is one

    def _push(self, at: float, one: Waiting) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, one))
