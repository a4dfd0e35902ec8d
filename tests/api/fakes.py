"""Hand-written stand-ins for what the API needs: a few rows of two tenants, recorded commands, one key a role."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from api.ports import Brought, CdrFilter, EventFilter, EventPage, Item, RecordingFilter, Scope
from domain.apikey import Principal, Role
from domain.ports import PARTITION, Cursor
from domain.refusal import Refusal

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
TENANTS = ("acme", "globex")
_ALICE = {"leg": "x0", "side": "caller", "number": "1001", "device": "1001"}
_BOB = {"leg": "x1", "side": "callee", "number": "1002", "device": "desk"}
STORY: dict[str, Any] = {
    "parties": [_ALICE, _BOB],
    "steps": [
        {
            "time": START,
            "takeover": False,
            "node": "a",
            "epoch": 1,
            "heard": {"leg": "x0", "line": "INVITE", "raw": ""},
            "events": [{"sequence": 1, "type": "call.offered", "summary": "1001 asks for 1002"}],
            "said": [{"leg": "x1", "line": "INVITE", "raw": "INVITE sip:1002@acme.example SIP/2.0\r\n\r\n"}],
        }
    ],
    "wire": [],
}


MEMBER: dict[str, Any] = {
    "member": "x1", "call_id": str(UUID(int=1)), "number": "1001", "name": "Alice", "standing": "inside",
    "moderator": False, "muted": True, "deaf": False,
}  # fmt: skip


MEDIA_WORKER: dict[str, Any] = {"there": True, "draining": False, "legs": 3, "pressure": 0.2, "contexts": 1}


def key_of(role: Role, tenant: str | None = None) -> str:
    return f"key-{role}-{tenant or 'all'}"


class FakeMessages:
    """Files that hold their names."""

    def __init__(self) -> None:
        self.brought: list[bytes] = []
        self.discarded: list[str] = []

    def audio(self, file: str, key: bytes) -> Bytes:
        assert key == bytes(32)
        return Bytes(file.encode())

    def bring(self, tenant: str, content: bytes) -> Brought:
        self.brought.append(content)
        return Brought("m", f"{tenant}/voicemail/m", bytes(32), "ab", 1000)

    def discard(self, file: str) -> None:
        self.discarded.append(file)


class FakeKeys:
    """Knows `key_of(role, tenant)` for every role and tenant."""

    def __init__(self) -> None:
        self._known = {
            key_of(role, tenant): Principal(f"{role}-{tenant}", role, tenant)
            for role in Role
            for tenant in (None, *TENANTS)
        }

    def principal(self, key: str) -> Principal | None:
        return self._known.get(key)


class FakeQueries:
    """Ten calls and ten events a tenant, in turn; `down` = ClickHouse does not answer."""

    def __init__(self) -> None:
        self.down = False
        self.rows: list[dict[str, Any]] = [
            {
                "tenant": TENANTS[at % 2],
                "call_id": UUID(int=at + 1),
                "from_number": "1001",
                "to_number": f"10{at:02}",
                "started_at": START + timedelta(minutes=at),
                "disposition": "answered",
                "talk_ms": 61_000,
            }
            for at in range(20)
        ]

    def _of(self, scope: Scope, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if scope.tenant in (None, row["tenant"])]

    async def calls(self, scope: Scope) -> Sequence[Item]:
        return self._of(scope, self.rows[:4])

    async def registrations(self, scope: Scope) -> Sequence[Item]:
        return self._of(scope, [{"tenant": tenant, "number": "1001", "contact": "sip:x"} for tenant in TENANTS])

    async def cdr(
        self, scope: Scope, wanted: CdrFilter, limit: int, before: tuple[datetime, UUID] | None
    ) -> Sequence[Item]:
        if self.down:
            raise Refusal("unavailable", "ClickHouse does not answer: call records come later")
        rows = [
            row
            for row in reversed(self._of(scope, self.rows))
            if (before is None or (row["started_at"], row["call_id"]) < before)
            and (wanted.since is None or row["started_at"] >= wanted.since)
            and (wanted.until is None or row["started_at"] < wanted.until)
            and (wanted.number is None or wanted.number in (row["from_number"], row["to_number"]))
        ]
        return rows[:limit]

    async def events(self, scope: Scope, wanted: EventFilter, after: Cursor | None, limit: int) -> EventPage:
        place = len(self.rows) if after is None else after.get(PARTITION, 0)
        all_events = [
            {
                "partition": PARTITION,
                "position": at + 1,
                "tenant": row["tenant"],
                "type": "call.offered.1",
                "stream": row["call_id"],
            }
            for at, row in enumerate(self.rows)
        ]
        found = [
            event
            for event in self._of(scope, all_events)
            if event["position"] > place
            and (wanted.stream in (None, event["stream"]))
            and (wanted.type is None or str(event["type"]).startswith(wanted.type))
        ]
        more = len(found) > limit
        position = found[limit - 1]["position"] if more else len(self.rows)
        return EventPage(found[:limit], {PARTITION: position}, more)

    async def story(self, scope: Scope, call: UUID) -> Item | None:
        found = [row for row in self._of(scope, self.rows) if row["call_id"] == call]
        return {**STORY, "call_id": call, "tenant": found[0]["tenant"]} if found else None

    async def health(self, parts: Collection[str] = ()) -> Mapping[str, str]:
        known = {"journal": "ok", "clickhouse": "does not answer" if self.down else "ok"}
        return {name: words for name, words in known.items() if not parts or name in parts}

    async def gauges(self) -> Mapping[str, float]:
        return {"calls": 4, "registrations": 2}


class FakeCommands:
    """Records what it is asked and answers like the owners would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str, str]] = []
        self.refusal: Refusal | None = None
        self.states: list[dict[str, Any]] = []
        self.left = 0
        """shards that a drained node has still"""
        self.draining: set[int] = set()
        """media workers that have something still"""

    def _operated(self, name: str, args: Mapping[str, Any]) -> Any:
        match name:
            case "nodes":
                return [{"name": "a", "link": "", "draining": False, "shards": 65, "calls": 2, "lag": 0}]
            case "media":
                return [{**MEDIA_WORKER, "worker": one, "draining": one in self.draining} for one in (1, 2)]
            case "media.drain":
                return {**MEDIA_WORKER, "worker": args["worker"], "draining": True}
        return {"name": args["name"], "draining": name == "nodes.drain", "shards": self.left}

    async def call(self, name: str, args: Mapping[str, Any], actor: str, command_id: str) -> Any:
        self.asked.append((name, dict(args), actor, command_id))
        if self.refusal is not None:
            raise self.refusal
        match name:
            case "apply":
                row = {"kind": "tenant", "tenant": "acme", "name": "acme", "outcome": "created"}
                return {"rows": [row], "warnings": [], "version": 3}
            case "export":
                return {"tenants": [{"slug": args["tenant"] or "acme", "extensions": []}]}
            case "keys.create":
                return {"id": "k1", "key": "switchlog_k1_x", "role": args["role"], "tenant": args["tenant"]}
            case "nodes" | "nodes.drain" | "nodes.resume" | "media" | "media.drain":
                return self._operated(name, args)
            case "conferences" | "conferences.change" | "recordings.steer" | "recordings.erase":
                return _steered(args)
            case "projections.list":
                return [{"name": "cdr", "cursor": "gQ", "lag": 0, "state": "live"}]
            case "projections.start":
                return {"job": 1}
            case "projections.progress":
                if not self.states:
                    raise Refusal("unavailable", "the projector is gone")
                return self.states.pop(0)
        return _mailbox(name, args)


def _mailbox(name: str, args: Mapping[str, Any]) -> Any:
    """One with one message; to mark it as new changes nothing."""
    if name == "mailboxes":
        return [{"tenant": args["tenant"] or "acme", "number": "1002", "new": 1, "heard": 0}]
    if name == "mailboxes.audio":
        return {"file": f"{args['tenant']}/voicemail/{args['message']}", "key": "00" * 32}
    if name == "mailboxes.change":
        return {"changed": args["what"] != "new"}
    if name in _GREETINGS:
        return _GREETINGS[name](args)
    assert name == "mailboxes.messages", f"nobody asks for {name}"
    caller = {"number": "1001", "name": "Alice", "left_at": START.isoformat()}
    return [{"message": "m1", **caller, "duration_ms": 2500, "heard": False}]


def _greet(args: Mapping[str, Any]) -> Any:
    if args["number"] == "1003":
        raise Refusal("missing", "there is no mailbox 1003", field="number")
    if args["greeting"] == "none":
        raise Refusal("unavailable", "the shard of the mailbox 1002 is being claimed: ask again")
    return {"changed": True, "message": "m" if args["greeting"] == "busy" else "former"}


_GREETINGS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "mailboxes.greetings": lambda args: [{"greeting": "busy", "since": START.isoformat(), "duration_ms": 1000}],
    "mailboxes.greeting": lambda args: {"file": f"{args['tenant']}/voicemail/{args['greeting']}", "key": "00" * 32},
    "mailboxes.greet": _greet,
    "mailboxes.ungreet": lambda args: {"changed": True},
}
"""One is recorded; of those that are brought `busy` is taken, `away` was taken before, and of `none` nobody knows; none
is taken by 1003."""


def _steered(args: Mapping[str, Any]) -> Any:
    """The list of conferences, or what became of a wish; `unlock` and `stop` change nothing."""
    if "recording" in args:
        return {"erased": True}
    if "wish" in args:
        return {"changed": args["wish"] != "stop"}
    if "what" in args:
        return {"changed": args["what"] != "unlock"}
    return [{"tenant": args["tenant"] or "acme", "number": "7000", "locked": False, "members": [MEMBER]}]


class Bytes:
    """`api.ports.Sound` of these bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]


SOUND = bytes(range(200))


class FakeRecordings:
    """Three recordings of each tenant, a minute apart, of the same sound."""

    def __init__(self) -> None:
        self._items: list[dict[str, Any]] = [
            {
                "recording": f"{UUID(int=number)}-1",
                "tenant": tenant,
                "call_id": UUID(int=number),
                "started_at": START + timedelta(minutes=number),
            }
            for number, tenant in enumerate(TENANTS * 3)
        ][::-1]

    async def recordings(
        self, scope: Scope, wanted: RecordingFilter, limit: int, before: tuple[datetime, str] | None
    ) -> Sequence[Item]:
        def fits(item: Item) -> bool:
            return (
                scope.tenant in (None, item["tenant"])
                and (wanted.since is None or item["started_at"] >= wanted.since)
                and (wanted.until is None or item["started_at"] < wanted.until)
                and wanted.call in (None, item["call_id"])
                and (before is None or (item["started_at"], item["recording"]) < before)
            )

        return [item for item in self._items if fits(item)][:limit]

    async def recording(self, scope: Scope, recording: str) -> Item:
        return self._one(scope, recording)

    def audio(self, scope: Scope, recording: str) -> Bytes:
        self._one(scope, recording)
        return Bytes(SOUND)

    def _one(self, scope: Scope, recording: str) -> Item:
        for item in self._items:
            if item["recording"] == recording and scope.tenant in (None, item["tenant"]):
                return item
        raise Refusal("missing", f"there is no recording {recording}")
