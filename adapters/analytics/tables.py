"""The tables that analysts read, as data: each column with its type and what it means. No SQL is written elsewhere.

A table exists once per generation (`cdr_g3`); a rebuild fills the next generation beside the live one, and the views
(`cdr`) move over. Rows are replaced by rows of a higher `version` with the same key; a row that vanished is one with
`deleted` = 1. Nothing here reads the clock.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

TIME = "DateTime64(6, 'UTC')"
MAYBE_TIME = f"Nullable({TIME})"
WORD = "LowCardinality(String)"


class Column(msgspec.Struct, frozen=True):
    """`kind` is ClickHouse's type, `comment` what an analyst needs to know."""

    name: str
    kind: str
    comment: str


class Table(msgspec.Struct, frozen=True):
    """A table of one generation. `key` tells rows apart, `time` is the column whose month partitions them."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str
    version: str
    comment: str

    def at(self, generation: int) -> str:
        """The table's name in `generation`."""
        return f"{self.name}_g{generation}"

    def names(self) -> tuple[str, ...]:
        """All columns, in order: what to pass to `Warehouse.insert`."""
        return tuple(column.name for column in self.columns)

    def shown(self) -> tuple[Column, ...]:
        """The columns that views have."""
        return tuple(column for column in self.columns if column.name != "deleted")

    @property
    def deletes(self) -> bool:
        return "deleted" in self.names()


class View(msgspec.Struct, frozen=True):
    """What analysts read: the last version of each row of `table` for which `where` holds."""

    name: str
    table: Table
    where: str
    comment: str


TENANT = Column("tenant", WORD, "slug of the tenant")
CALL_ID = Column("call_id", "UUID", "the interaction: one id however often it is transferred")
VERSION = Column(
    "version",
    "UInt64",
    "sequence of the last event of the call that this row takes into account",
)
DELETED = Column("deleted", "UInt8", "1 = a later event undid this row")
SIP_STATUS = Column("sip_status", "Nullable(UInt16)", "final SIP status; null as long as there is none")
Q850_CAUSE = Column("q850_cause", "Nullable(UInt8)", "ITU-T Q.850 cause; null where none is known")

CDR = Table(
    "cdr",
    (
        TENANT,
        CALL_ID,
        Column("direction", WORD, "internal, inbound or outbound"),
        Column("from_number", "String", "number of the caller"),
        Column("from_name", "String", "display name of the caller"),
        Column("to_number", "String", "as dialled"),
        Column("answered_by", "String", "number that answered; empty where nobody did"),
        Column("started_at", TIME, "when the call was offered to us"),
        Column("rung_at", MAYBE_TIME, "when the first phone rang; null where none did"),
        Column("answered_at", MAYBE_TIME, "when it was answered; null where it was not"),
        Column("ended_at", MAYBE_TIME, "when it ended; null while it lasts"),
        Column(
            "pdd_ms",
            "Nullable(UInt64)",
            "post-dial delay: started to rung (or answered), in ms",
        ),
        Column(
            "ring_ms",
            "UInt64",
            "rung to answered or ended, in ms; 0 where it never rang",
        ),
        Column("talk_ms", "UInt64", "answered to ended, in ms; 0 where it was not answered"),
        Column("hold_ms", "UInt64", "of the talk time, on hold by either side, in ms"),
        Column(
            "disposition",
            WORD,
            "answered, voicemail, no_answer, busy, rejected, cancelled, failed, lost; empty while it lasts",
        ),
        Column("hangup_by", WORD, "caller, callee or system; empty while it lasts"),
        SIP_STATUS,
        Q850_CAUSE,
        Column("reason", "String", "why it ended, in words"),
        Column("route_rule", "String", "the rule that decided where it goes"),
        Column(
            "route_version",
            "UInt64",
            "version of the directory on which that was decided",
        ),
        Column("trunk", WORD, "trunk that it came from or went to; empty for none"),
        Column("legs", "UInt16", "how many legs it had, the caller's included"),
        Column(
            "takeovers",
            "UInt16",
            "how often another process took it over; > 0 marks times learned late",
        ),
        Column(
            "merged_into",
            "Nullable(UUID)",
            "the call that a transfer merged this one into; null for most",
        ),
        Column(
            "mos_x100",
            "Nullable(UInt16)",
            "the lowest opinion score (mos_x100) of its legs; null where none was measured",
        ),
        Column(
            "audio_losses",
            "UInt16",
            "how often audio was missing for three seconds, of all legs; counted up to 20",
        ),
        VERSION,
        Column("final", "Bool", "true = nothing can change it any more"),
        DELETED,
    ),
    ("tenant", "call_id"),
    "started_at",
    "version",
    "call records, one row a call",
)

LEGS = Table(
    "cdr_legs",
    (
        TENANT,
        CALL_ID,
        Column("leg", "String", "the leg's id, unique in the world"),
        Column("sip_call_id", "String", "Call-ID of its SIP dialog"),
        Column("side", WORD, "caller or callee"),
        Column("number", "String", "number of the party"),
        Column("device", "String", "user name of the device; empty where unknown"),
        Column("user_agent", "String", "what the device calls itself; empty where unknown"),
        Column("started_at", TIME, "when the leg came or was dialled"),
        Column("rung_at", MAYBE_TIME, "when it rang; null where it did not"),
        Column("answered_at", MAYBE_TIME, "when it was answered; null where it was not"),
        Column("ended_at", MAYBE_TIME, "when it ended; null while it lasts"),
        SIP_STATUS,
        Q850_CAUSE,
        Column("reason", "String", "why it ended, in words"),
        Column("codec", WORD, "codec of its audio; empty, and what follows null, where that did not go through us"),
        Column("packets_received", "Nullable(UInt64)", "packets of audio that came from the phone"),
        Column("packets_sent", "Nullable(UInt64)", "packets of audio that went to it"),
        Column("packets_lost", "Nullable(UInt64)", "packets from the phone that never came"),
        Column("packets_discarded", "Nullable(UInt64)", "packets from the phone that came too late to be heard"),
        Column("packets_lost_by_phone", "Nullable(UInt64)", "packets to the phone that it says never came (RTCP)"),
        Column("jitter_ms", "Nullable(UInt32)", "how unevenly packets came from the phone (RFC 3550), in ms"),
        Column("round_trip_ms", "Nullable(UInt32)", "to the phone and back, in ms; null where it did not tell (RTCP)"),
        Column(
            "mos_x100", "Nullable(UInt16)", "opinion score of what came from it times 100, 100 to 450 (ITU-T G.107)"
        ),
        Column("silent_ms", "Nullable(UInt64)", "how long nothing came from it that should have come, in ms"),
        Column("audio_losses", "UInt16", "how often its audio was missing for three seconds"),
        VERSION,
        DELETED,
    ),
    ("tenant", "call_id", "leg"),
    "started_at",
    "version",
    "the legs of each call: one row a phone that called or was rung",
)

SEGMENTS = Table(
    "segments",
    (
        TENANT,
        CALL_ID,
        Column("segment", "UInt32", "counted from 1 within the call"),
        Column("leg_a", "String", "leg of party_a"),
        Column("leg_b", "String", "leg of party_b"),
        Column("party_a", "String", "number of the one"),
        Column("party_b", "String", "number of the other"),
        Column("started_at", TIME, "from when they heard each other"),
        Column("ended_at", MAYBE_TIME, "until when; null while it lasts"),
        VERSION,
        DELETED,
    ),
    ("tenant", "call_id", "segment"),
    "started_at",
    "version",
    "who talked with whom, and when",
)

EVENTS = Table(
    "events",
    (
        TENANT,
        CALL_ID,
        Column("sequence", "UInt64", "place in the call's stream, from 1"),
        Column("type", WORD, "type and version of the event, such as call.connected.1"),
        Column("time", TIME, "when it happened (or was learned, after a take-over)"),
        Column("node", WORD, "node that wrote it"),
        Column("epoch", "UInt64", "term of the shard's owner that wrote it"),
        Column("actor", "String", "who caused it"),
        Column("data", "String", "the event as JSON"),
        Column("position", "UInt64", "place in the journal's partition"),
    ),
    ("tenant", "call_id", "sequence"),
    "time",
    "position",
    "every event of every call, as the journal has it",
)

REGISTRATIONS = Table(
    "registrations",
    (
        TENANT,
        Column("aor", "String", "address-of-record: the extension's number at the tenant"),
        Column("contact", "String", "URI at which the device can be reached"),
        Column("device", "String", "user name of the device"),
        Column("user_agent", "String", "what the device calls itself"),
        Column("transport", WORD, "udp, tcp, tls or wss"),
        Column("source", "String", "host:port from which it registered"),
        Column("instance", "String", "+sip.instance of the device; empty where it has none"),
        Column("bound_at", TIME, "when this binding began"),
        Column("expires_at", TIME, "until when it holds unless refreshed"),
        Column("ended_at", MAYBE_TIME, "when it ended; null while it holds"),
        Column("cause", WORD, "unregistered, expired or replaced; empty while it holds"),
        Column(
            "version",
            "UInt64",
            "sequence of the last event of the registration taken into account",
        ),
        DELETED,
    ),
    ("tenant", "aor", "contact", "bound_at"),
    "bound_at",
    "version",
    "bindings of devices, past and present",
)

TABLES = (CDR, LEGS, SEGMENTS, EVENTS, REGISTRATIONS)

VIEWS = (
    View("cdr", CDR, "merged_into IS NULL", "call records, one row an interaction"),
    View(
        "cdr_all",
        CDR,
        "",
        "call records, also of calls that a transfer merged into another",
    ),
    View("cdr_legs", LEGS, "", LEGS.comment),
    View("cdr_segments", SEGMENTS, "", SEGMENTS.comment),
    View("call_events", EVENTS, "", EVENTS.comment),
    View("registrations", REGISTRATIONS, "", REGISTRATIONS.comment),
)

STATE = Table(
    "projection_state",
    (
        Column("name", WORD, "projection"),
        Column("generation", "UInt32", "generation of its tables"),
        Column(
            "cursor",
            "String",
            "position after the last record taken in, as JSON: partition to position",
        ),
        Column("state", WORD, "building, live, behind, failed or retired"),
        Column("detail", "String", "why, where something is wrong"),
        Column("rows", "UInt64", "rows written so far"),
        Column("updated_at", TIME, "time of the last record taken in"),
        Column("revision", "UInt64", "counts the writes of this row; the highest holds"),
    ),
    ("name", "generation"),
    "updated_at",
    "revision",
    "how far each projection is",
)

PARKED = Table(
    "projection_parked",
    (
        Column("name", WORD, "projection"),
        Column("generation", "UInt32", "generation of its tables"),
        Column("partition", "String", "partition of the journal"),
        Column("position", "UInt64", "place in that partition"),
        Column("stream", "UUID", "stream of the record"),
        Column("sequence", "UInt64", "place in the stream"),
        Column("type", WORD, "type of the record"),
        Column("reason", "String", "why it could not be taken in"),
        Column("time", TIME, "time of the record"),
    ),
    ("name", "generation", "partition", "position"),
    "time",
    "position",
    "records that a projection could not take in and set aside",
)

BOOKS = (STATE, PARKED)
"""Bookkeeping; not of a generation."""


def quoted(text: str) -> str:
    """A string literal of ClickHouse's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _on(cluster: str) -> str:
    return f" ON CLUSTER {quoted(cluster)}" if cluster else ""


def create_table(table: Table, name: str, *, partitioned: bool = True, cluster: str = "") -> str:
    """The statement that creates `table` under `name` unless it is there.

    With `cluster` (a name, or a macro such as `{cluster}`) on all its hosts, replicated where the servers' own
    `default_replica_path` says; then every row goes to every replica, whichever of them takes it.
    """
    columns = ",\n    ".join(f"`{c.name}` {c.kind} COMMENT {quoted(c.comment)}" for c in table.columns)
    partition = f"PARTITION BY toYYYYMM({table.time})\n" if partitioned else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {name}{_on(cluster)} (\n    {columns}\n)\n"
        f"ENGINE = {'Replicated' if cluster else ''}ReplacingMergeTree(`{table.version}`)\n{partition}"
        f"ORDER BY ({', '.join(table.key)})\nCOMMENT {quoted(table.comment)}"
    )


def add_columns(table: Table, generation: int, known: Collection[str], *, cluster: str = "") -> tuple[str, ...]:
    """The statement that gives a table of an earlier version the columns that are not `known`; none if it has all."""
    missing = [column for column in table.columns if column.name not in known]
    added = ", ".join(
        f"ADD COLUMN IF NOT EXISTS `{one.name}` {one.kind} COMMENT {quoted(one.comment)}" for one in missing
    )
    return (f"ALTER TABLE {table.at(generation)}{_on(cluster)} {added}",) if missing else ()


def create_view(view: View, generation: int, *, cluster: str = "") -> str:
    """The statement that lets `view` show `generation`, at once for every reader of a host."""
    shown = view.table.shown()
    columns = ", ".join(f"`{c.name}` {c.kind} COMMENT {quoted(c.comment)}" for c in shown)
    conditions = [view.where] if view.where else []
    conditions += ["deleted = 0"] if view.table.deletes else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    names = ", ".join(f"`{c.name}`" for c in shown)
    return (
        f"CREATE OR REPLACE VIEW {view.name}{_on(cluster)} ({columns}) AS "
        f"SELECT {names} FROM {view.table.at(generation)} FINAL{where} COMMENT {quoted(view.comment)}"
    )


def drop_table(table: Table, generation: int, *, cluster: str = "") -> str:
    """The statement that drops `generation`; returns when it is gone."""
    return f"DROP TABLE IF EXISTS {table.at(generation)}{_on(cluster)} SYNC"


def hash_rows(table: Table, generation: int) -> str:
    """The statement that sums up `generation`: (tenant, month, rows, hash), in whatever order rows are."""
    row = f"tuple({', '.join(f'`{c.name}`' for c in table.shown())})"
    digest = f"concat(hex(sum(cityHash64(toString({row})))), hex(groupBitXor(sipHash64(toString({row})))))"
    where = " WHERE deleted = 0" if table.deletes else ""
    return (
        f"SELECT tenant, toYYYYMM({table.time}) AS month, count(), {digest} "
        f"FROM {table.at(generation)} FINAL{where} GROUP BY tenant, month ORDER BY tenant, month"
    )
