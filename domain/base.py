"""The base of every aggregate and event: `eventsourcing`'s machinery with time and identity as required arguments.

What may live here: nothing that knows a particular aggregate. The library reads the clock and makes ids when they are
not given; these bases refuse instead, because the core has no clock and no chance of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn, TypeVar, dataclass_transform
from uuid import UUID

import msgspec
from eventsourcing.domain import AggregateEvent, BaseAggregate, CanInitAggregate
from eventsourcing.utils import resolve_topic


class Context(msgspec.Struct, frozen=True):
    """Who and what stands behind an event.

    `interaction` groups the streams of one conversation, `cause` names the input or command, `actor` the one who
    gave it (`sip:1001`, `api:<key id>`, `system`), `node` and `epoch` the writer and its term of ownership.
    """

    tenant: str
    interaction: str
    cause: str
    actor: str
    node: str
    epoch: int


_E = TypeVar("_E", bound=type[AggregateEvent])


@dataclass_transform(frozen_default=True)
def fact(event: _E) -> _E:
    """Tells type checkers that an event is a frozen dataclass, which the library's metaclass has made of it already.

    `@dataclass` would make it once more, at every start of every process.
    """
    return event


@fact
class Event(AggregateEvent):
    """A fact about one aggregate. Fields are values that encode to JSON and decode to equals."""

    context: Context

    @classmethod
    def create_timestamp(cls) -> NoReturn:
        """Refuse the library's clock: time is an argument."""
        raise TypeError(f"{cls.__qualname__} needs an explicit timestamp: the domain has no clock")


@fact
class Created(CanInitAggregate[UUID], Event):
    """The first fact about an aggregate; `originator_topic` names the aggregate's class."""

    originator_topic: str

    def mutate(self, aggregate: None) -> Aggregate:  # type: ignore[override]
        """As the library's, which looks each time at what an `__init__` wants: ours want nothing."""
        assert aggregate is None
        kind: type[Aggregate] = resolve_topic(self.originator_topic)
        made = kind.__new__(kind)
        made.__base_init__(self.originator_id, self.originator_version, self.timestamp)
        kind.__init__(made)
        self.apply(made)
        return made


class Aggregate(BaseAggregate[UUID]):
    """A consistency boundary whose state is the fold of its events.

    Subclasses declare their fields in an `__init__` without parameters and change them in `Event.apply` only.
    """

    Event = Event
    """The base of events that the library looks for."""

    def __init_subclass__(cls) -> None:
        """All aggregates share one base of events: for one of its own the library would make each event once more."""
        cls.Event = Event
        super().__init_subclass__()


class Step(msgspec.Struct, frozen=True):
    """Everything that the next events of one stream have in common; `version` is the stream's before them."""

    stream: UUID
    version: int
    at: datetime
    context: Context
