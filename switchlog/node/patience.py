"""What cannot be served just now, put off: nobody owns its shard, or its node cannot be reached.

A phone on a connection says a thing once, and takes a 503 to its BYE for the end of the call (RFC 3261 15.1.1): the
other phone would be left alone in it. So for the time that a shard takes to come to another node, requests wait. (Who
uses UDP repeats them by itself.) Answers wait, too: that it rings is said only once (17.2.1), by UDP as well.

What may live here: what waits or may have to, and for how long. Sans-IO: the clock is given, somebody else calls
`retry`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

import structlog

from adapters.sip.message.message import Request, Response
from domain.values import Flow

_log = structlog.get_logger(__name__)
WAIT_S = 24.0
"""Longer than a dead node goes unnoticed and its shards take to be claimed; a phone waits for 32 s (timers B and F)."""
MOST = 1_000
_KEPT_S = 32.0
"""After that a phone does not wait for an answer any more (timers B and F)."""
_Asked = tuple[Flow, str, str]
"""the phone's flow, branch and method"""


class _PassedOn(NamedTuple):
    at: float
    node: str
    request: Request


class _Waiting(NamedTuple):
    until: float
    ready: Callable[[], bool]
    again: Callable[[], None]


class Patience:
    """Of one node, on the loop's thread. `later()` has `retry` called in some moments."""

    def __init__(self, clock: Callable[[], float], later: Callable[[], None]) -> None:
        self._clock, self._later = clock, later
        self._waiting: list[_Waiting] = []
        self._until: OrderedDict[Hashable, float] = OrderedDict()
        """of each message, from its first time on; in this order"""

    def __len__(self) -> int:
        return len(self._waiting)

    def put_off(self, key: Hashable, ready: Callable[[], bool], again: Callable[[], None]) -> bool:
        """Call `again` once it is `ready`, or when the message of that `key` has waited for long enough.

        False if it has already, and if too many wait.
        """
        now = self._clock()
        self._forget(now)
        if len(self._waiting) >= MOST:  # nor is it kept in mind
            return False
        until = self._until.setdefault(key, now + WAIT_S)
        if now >= until:
            return False
        self._waiting.append(_Waiting(until, ready, again))
        self._later()
        return True

    def retry(self) -> None:
        """See what can be served by now."""
        now, waiting, self._waiting = self._clock(), self._waiting, []
        for one in waiting:
            if now < one.until and not one.ready():
                self._waiting.append(one)
            else:
                _serve(one)
        if self._waiting:
            self._later()

    def _forget(self, now: float) -> None:
        while self._until and next(iter(self._until.values())) + WAIT_S < now:
            self._until.popitem(last=False)


def _serve(one: _Waiting) -> None:
    try:
        one.again()
    except Exception:  # noqa: BLE001  boundary: one message's fault is not the others', which would wait for ever
        _log.exception("a message that had waited was not handled; this is a fault of ours: report these lines")


class Unanswered:
    """What was passed on for phones on connections, until it is answered: of a node that dies, its heir is asked.

    What was written to it is lost, or was read and is not answered any more; the same again does no harm.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[_Asked, _PassedOn] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, flow: Flow, branch: str, node: str, request: Request) -> None:
        """A request, as it goes to `node`; `branch` is the phone's."""
        now = self._clock()
        while self._kept and (len(self._kept) >= MOST or next(iter(self._kept.values())).at + _KEPT_S < now):
            self._kept.popitem(last=False)
        self._kept[flow, branch, request.method] = _PassedOn(now, node, request)

    def answered(self, flow: Flow, response: Response) -> None:
        """Something goes back to a phone."""
        if response.status >= 200:
            self._kept.pop((flow, response.via.branch, response.cseq.method), None)

    def of(self, node: str) -> list[Request]:
        """What a node owes an answer to; it is not kept any more."""
        found = [(asked, kept.request) for asked, kept in self._kept.items() if kept.node == node]
        for asked, _ in found:
            del self._kept[asked]
        return [request for _, request in found]
