"""All transactions that live: found by name, by the stream they wait on, by the ACK they wait for; and their bound.

What may live here: the books that must agree with each other, and who makes room for whom. No transitions, no messages.

At the limit the oldest answered non-INVITE transaction makes room, since it only waits for repetitions. If there is
none, what is new is refused, but an eighth more is kept free for what belongs to something under way: a full table
must not keep anybody from hanging up.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip.transaction.key import Key, ServerKey, as_server
from adapters.sip.transaction.live import Live
from adapters.sip.transaction.table import State
from adapters.sip.transaction.timer import Timer, TimerQueues
from domain.values import Flow

Awaited = tuple[str, int, str]
"""What an ACK of a 2xx names: Call-ID, CSeq number, To tag."""
_RESERVED_PART = 8


class Living:
    """At most `limit` that others began, and a part more for what belongs to something; ours are never refused."""

    def __init__(self, limit: int, running: TimerQueues[Live]) -> None:
        self.limit = limit
        self.reserve = limit // _RESERVED_PART
        self._running = running
        self._live: dict[Key, Live] = {}
        self._by_flow: dict[Flow, set[Key]] = {}
        self._awaiting_ack: dict[Awaited, ServerKey] = {}

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, key: Key) -> bool:
        return key in self._live

    def get(self, key: Key) -> Live | None:
        return self._live.get(key)

    def add(self, live: Live) -> Live:
        self._live[live.key] = live
        if live.reliable and not isinstance(live.key, ServerKey):
            self._by_flow.setdefault(live.flow, set()).add(live.key)
        return live

    def remove(self, live: Live) -> None:
        del self._live[live.key]
        live.state = State.TERMINATED  # so that no timer of its own counts any more
        if live.awaiting_ack is not None:
            self._awaiting_ack.pop(live.awaiting_ack, None)
        keys = self._by_flow.get(live.flow) if live.reliable else None
        if keys is not None:
            keys.discard(live.key)
            if not keys:
                del self._by_flow[live.flow]

    @property
    def streams(self) -> tuple[Flow, ...]:
        """Those on which client transactions wait."""
        return tuple(self._by_flow)

    def abandon(self, which: Callable[[Key], bool]) -> int:
        """Another node goes on with these: nothing of them is repeated here or told any more. Returns how many."""
        theirs = [live for key, live in self._live.items() if which(key)]
        for live in theirs:
            self.remove(live)
        return len(theirs)

    def waiting_on(self, flow: Flow) -> list[Live]:
        """The client transactions that wait on a stream."""
        return [self._live[key] for key in sorted(self._by_flow.get(flow, ()))]

    def await_ack(self, live: Live, awaited: Awaited) -> None:
        """A 2xx was sent: its ACK is another transaction (13.2.2.4) and finds this one by what it names."""
        live.awaiting_ack = awaited
        self._awaiting_ack[awaited] = as_server(live.key)

    def awaiting(self, awaited: Awaited) -> ServerKey | None:
        return self._awaiting_ack.get(awaited)

    def has_room(self, belongs: Callable[[], bool]) -> bool:
        """Whether a peer's request may begin another one; `belongs` is asked only if that decides."""
        if len(self._live) < self.limit:
            return True
        if (oldest := self._running.oldest(Timer.J)) is not None:
            self.remove(oldest)
            return True
        return len(self._live) < self.limit + self.reserve and belongs()
