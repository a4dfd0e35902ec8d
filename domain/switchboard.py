"""What a protocol adapter may ask of the shards: the one door between signalling and the calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol
from uuid import UUID

from domain.call.call import Call
from domain.call.input import Input
from domain.registering import Register
from domain.routing.directory import Directory
from domain.values import Contact


class NotOwned(Exception):
    """The shard is not owned here at the moment: say nothing, or 503 with Retry-After."""


class Switchboard(Protocol):
    """Synchronous: a decision is made and submitted before the method returns; `done` is called once it is durable.

    If the append fails, `lost` is called instead: say nothing, but listen when the peer repeats itself. `handle` and
    `register` raise JournalFull when there is no room for more work, and NotOwned.
    """

    @property
    def directory(self) -> Directory:
        """Who exists now."""

    def contacts(self, tenant: str, number: str) -> tuple[Contact, ...]:
        """The bindings of an extension that hold now."""

    def owns(self, shard: int) -> bool:
        """Whether what is not found in this shard is not there at all."""

    def home(self, sip_call_id: str) -> int:
        """The shard of a new call with this Call-ID, if what it is for has none of its own."""

    def left(self, branch: str) -> int | None:
        """The shard of a live call that was here with such an offer, and went with its shard to another owner."""

    def find(self, call: UUID) -> Call | None:
        """The live call, or None if there is none here. To be read, never changed."""

    def knows(self, stream: UUID) -> bool:
        """Whether there is such a call or subscription here."""

    def find_offers(self, branch: str) -> tuple[Call, ...]:
        """The live calls of which one of `offers` had this branch: peers choose it, and not all choose well."""

    def calls_of(self, tenant: str, device: str) -> Iterator[Call]:
        """The live calls of which a party is a device, by its digest user name. Looks at all that are live."""

    def handle(self, call: UUID, inp: Input, done: Callable[[bool], None], lost: Callable[[], None] = ...) -> None:
        """Let the call decide on `inp`; `done(True)` if that made an event, `done(False)` if it meant nothing."""

    def register(
        self, ask: Register, done: Callable[[tuple[Contact, ...]], None], lost: Callable[[], None] = ...
    ) -> None:
        """Change bindings; `done` gets those that hold then. Raises RegisterRefused."""
