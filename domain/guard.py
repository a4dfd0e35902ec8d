"""The aggregate `Guard`: what was tried on a tenant, as counted facts (one a minute at most, whatever comes).

An attacker must not write the journal: single attempts are counted in memory and a count is written while they go on.
No address, user name or password is in an event: an address is personal data, and what was typed as a name may be a
password. The log names addresses, and is thrown away sooner.

A stream lasts for a day and a term of ownership, so that nobody needs to read one to go on writing it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.base import Aggregate, Context, Created, Event, fact
from domain.ids import named_stream_id

WINDOW = timedelta(minutes=1)
MOST_SOURCES = 256
"""Sources told apart in one window; this many means as many or more."""


class Guard(Aggregate):
    """One tenant's attempts of one day, as one owner saw them."""

    TOPIC = "guard"

    def __init__(self) -> None:
        self.tenant = ""
        self.day = ""
        self.failures = 0

    @fact
    class Opened(Created):
        """The first attempt of a day; `day` is its date in UTC."""

        TOPIC = "guard.opened.1"

        day: str

        def apply(self, aggregate: Guard) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.day = self.day

    @fact
    class AuthenticationsFailed(Event):
        """`count` requests came with credentials that are wrong, from `since` to before `until`, from `sources`
        addresses (IPv6: networks of /64)."""

        TOPIC = "guard.authentications_failed.1"

        since: datetime
        until: datetime
        count: int
        sources: int

        def apply(self, aggregate: Guard) -> None:
            aggregate.failures += self.count


EVENTS: tuple[type[Event], ...] = (Guard.Opened, Guard.AuthenticationsFailed)


@dataclass(frozen=True, slots=True)
class Failures:
    """What one tenant saw in one window."""

    tenant: str
    since: datetime
    until: datetime
    count: int
    sources: int


class _Window:
    __slots__ = ("count", "since", "sources")

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.count = 0
        self.sources: set[str] = set()


class FailureCount:
    """Counts failed authentications by tenant; bounded by the number of tenants."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def note(self, tenant: str, source: str, now: datetime) -> None:
        """One more."""
        window = self._windows.get(tenant)
        if window is None:
            window = self._windows[tenant] = _Window(now)
        window.count += 1
        if len(window.sources) < MOST_SOURCES:
            window.sources.add(source)

    def due(self, now: datetime, *, all_of_them: bool = False) -> tuple[Failures, ...]:
        """The windows that are over, each once; with `all_of_them` also those that are not, at the end."""
        over = [
            Failures(tenant, window.since, min(window.since + WINDOW, now), window.count, len(window.sources))
            for tenant, window in self._windows.items()
            if all_of_them or now >= window.since + WINDOW
        ]
        for failures in over:
            del self._windows[failures.tenant]
        return tuple(over)


class GuardStreams:
    """The streams that this process writes: which one is a tenant's now, and how far it is."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._at: dict[tuple[str, int], tuple[int, str, int]] = {}

    def events(self, failures: Failures, shard: int, epoch: int, now: datetime) -> tuple[Event, ...]:
        """The events of one window, in the stream of its tenant, day and term. They must be appended to `shard`."""
        tenant, day = failures.tenant, now.date().isoformat()
        term, last_day, version = self._at.get((tenant, shard), (epoch, day, 0))
        if term != epoch or last_day < day:
            version = 0
        else:
            day = last_day  # a clock that was set back does not reopen an earlier stream
        stream = named_stream_id(shard, "guard", tenant, day, str(epoch))
        cause = f"window:{failures.since.isoformat()}"
        context = Context(tenant, str(stream), cause, "system", self._node, epoch)
        events: list[Event] = []
        if not version:
            version = 1
            events.append(Guard.Opened(stream, version, now, context, originator_topic=Guard.TOPIC, day=day))
        version += 1
        events.append(
            Guard.AuthenticationsFailed(
                stream,
                version,
                now,
                context,
                since=failures.since,
                until=failures.until,
                count=failures.count,
                sources=failures.sources,
            )
        )
        self._at[tenant, shard] = (epoch, day, version)
        return tuple(events)
