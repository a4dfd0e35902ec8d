"""What the HTTP API needs of the rest, as protocols; the process that serves it hands in the concrete ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from domain.apikey import Principal
from domain.ports import Cursor

Item = Mapping[str, Any]
"""One thing of a list; values encode to JSON (datetimes and UUIDs too)."""


class Scope(msgspec.Struct, frozen=True):
    """Whose data a query may see. Every query takes one, so that none can forget it."""

    tenant: str | None

    @classmethod
    def all(cls) -> Scope:
        """Every tenant's."""
        return cls(None)

    @classmethod
    def of(cls, tenant: str) -> Scope:
        """One tenant's only."""
        return cls(tenant)

    def narrowed(self, tenant: str | None) -> Scope | None:
        """This scope, and of it only `tenant` if given; None if nothing is left."""
        if tenant is None or tenant == self.tenant:
            return self
        return Scope(tenant) if self.tenant is None else None


class CdrFilter(msgspec.Struct, frozen=True):
    """Calls that started in [since, until), with `number` on either side; None = no limit."""

    since: datetime | None = None
    until: datetime | None = None
    number: str | None = None


class RecordingFilter(msgspec.Struct, frozen=True):
    """Recordings that began in [since, until), of one call; None = no limit."""

    since: datetime | None = None
    until: datetime | None = None
    call: UUID | None = None


class EventFilter(msgspec.Struct, frozen=True):
    """Events of one stream and one type (`call.connected`, with or without its version); None = any."""

    stream: UUID | None = None
    type: str | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Events in the order of each partition. `cursor` is how far was looked; `more` says whether more are there now."""

    items: Sequence[Item]
    cursor: Cursor
    more: bool


class Queries(Protocol):
    """Reads of projections. Every method may raise Refusal(`unavailable`) for what it reads from."""

    async def calls(self, scope: Scope) -> Sequence[Item]:
        """Live calls, oldest first."""

    async def registrations(self, scope: Scope) -> Sequence[Item]:
        """Bindings that hold now, ordered by tenant and number."""

    async def cdr(
        self, scope: Scope, wanted: CdrFilter, limit: int, before: tuple[datetime, UUID] | None
    ) -> Sequence[Item]:
        """Rows of the view `cdr`, newest first by (started_at, call_id), those before `before`; at most `limit`."""

    async def events(self, scope: Scope, wanted: EventFilter, after: Cursor | None, limit: int) -> EventPage:
        """Records after a place (None = the journal's end), each with `partition`, `position`, `stream`, `sequence`,
        `type`, `tenant`, `time`, `data`. Raises Refusal(`invalid`) for a place in another journal."""

    async def story(self, scope: Scope, call: UUID) -> Item | None:
        """A call's whole story: `call_id`, `tenant`, `parties`, `steps` (events, the SIP heard before and said after
        each), and `wire`, the messages that the trace still has. None if there is no such call in scope."""

    async def health(self, parts: Collection[str] = ()) -> Mapping[str, str]:
        """Part -> `ok` or what is wrong with it; the service is ready when all are ok. Asks those named, or all."""

    async def gauges(self) -> Mapping[str, float]:
        """Numbers for `/metrics`: name without prefix -> value."""


class Sound(Protocol):
    """The bytes of a WAV, read where they are. `read` blocks; what fails there ends the answer before its end."""

    def __len__(self) -> int: ...

    def read(self, start: int, length: int) -> bytes:
        """Fewer at its end."""


class Recordings(Protocol):
    """Recordings of calls. Every method may raise Refusal(`unavailable`) for what it reads from."""

    async def recordings(
        self, scope: Scope, wanted: RecordingFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[Item]:
        """`recording`, `tenant`, `call_id`, `layout`, `by`, `from_number`, `to_number`, `started_at`, and of those that
        are over `stopped_at`, `file`, `sha256`, `duration_ms`, `reason`. The newest first by (started_at, recording),
        those before `before`; at most `limit`. None that was erased."""

    async def recording(self, scope: Scope, recording: str) -> Item:
        """One of them. Raises Refusal(`missing`)."""

    def audio(self, scope: Scope, recording: str) -> Sound:
        """Blocks. Raises Refusal(`missing`)."""


class Commands(Protocol):
    """The way to those who own what is to be changed."""

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        """The command's result as plain data. Raises Refusal.

                `apply` {documents: [{source, text}], tenant}, `export` {tenant, secrets}, `keys.create` {role, tenant};
                `projections.list` {}, `projections.start` {kind: rebuild | verify, name} -> {job},
                `projections.progress` {job} -> {state: waiting | running | done | failed, phase, done, total, detail,
                differences}.
        `conferences` {tenant}, `conferences.change` {tenant, number, what: lock | unlock, or with a member mute |
        unmute | deafen | undeafen | kick, member} -> {changed}. `tenant` None = all.
        `recordings.steer` {tenant, call_id, wish: start | stop | pause | resume | mask | unmask} -> {changed};
        `recordings.erase` {tenant, recording} -> {erased}.
        `mailboxes` {tenant}, `mailboxes.messages` {tenant, number}, `mailboxes.audio` {tenant, number, message} ->
        {file, key}, `mailboxes.change` {tenant, number, message, what: heard | new | delete} -> {changed};
        `mailboxes.greetings` {tenant, number}, `mailboxes.greeting` {tenant, number, greeting: busy | away | none} ->
        {file, key}, `mailboxes.greet` {tenant, number, greeting, message, file, key, sha256, duration_ms} ->
        {changed, message}, `mailboxes.ungreet` {tenant, number, greeting} -> {changed}.
        """


class Brought(msgspec.Struct, frozen=True):
    """A greeting in the storage: what it is called, its file there, the key with which that is sealed, SHA-256 of the
    WAV as it is served, and its length."""

    message: str
    file: str
    key: bytes
    sha256: str
    duration_ms: int


class Messages(Protocol):
    """What was said in messages, and greetings that are brought. All of it blocks, and may raise Refusal."""

    def audio(self, file: str, key: bytes) -> Sound:
        """The WAV that a file holds which is sealed with this key."""

    def bring(self, tenant: str, content: bytes) -> Brought:
        """Keep a WAV in the storage. Refusal(`invalid`) for what is none, or too long."""

    def discard(self, file: str) -> None:
        """What was brought is not wanted after all."""


class KeyCheck(Protocol):
    """Whose key it is."""

    def principal(self, key: str) -> Principal | None:
        """None for an unknown key. May block for a look-up on disk."""
