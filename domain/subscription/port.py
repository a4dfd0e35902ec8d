"""What a protocol adapter may ask about subscriptions: the door between signalling and the shards that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol
from uuid import UUID

from domain.subscription.input import Input, Subscribe
from domain.subscription.subscription import Subscription


class TooMany(Exception):
    """No more phones are told of this number."""


class Subscriptions(Protocol):
    """Synchronous as `domain.switchboard.Switchboard` is, with `done` once it is durable and `lost` if it never is.

    `begin` and `handle` raise JournalFull, JournalError and NotOwned.
    """

    def resume(self) -> None:
        """Shards were taken: those in them end in time."""

    def new(self, tenant: str, number: str) -> UUID:
        """The id of one that begins now."""

    def find(self, stream: UUID) -> Subscription | None:
        """One that goes on, or has ended a moment ago; None if there is none here. To be read, never changed."""

    def all(self) -> Iterable[Subscription]:
        """Those of all shards that are owned here."""

    def of(self, tenant: str, number: str) -> Iterable[Subscription]:
        """Those to a number."""

    def epoch(self, subscription: Subscription) -> int:
        """The term in which it is owned here. Raises NotOwned."""

    def begin(
        self, stream: UUID, inp: Subscribe, done: Callable[[Subscription], None], lost: Callable[[], None] = ...
    ) -> None:
        """A phone subscribes; one of its that this one takes the place of is over. Raises TooMany."""

    def handle(
        self, stream: UUID, inp: Input, done: Callable[[Subscription], None], lost: Callable[[], None] = ...
    ) -> None:
        """Let it decide on `inp`; `done` gets it as it is then. If there is none, nothing is done."""

    def forget(self, subscription: Subscription) -> None:
        """It has ended, and its phone knows."""
