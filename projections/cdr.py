"""A call record as a pure function of one call's stream. What may live here: the definitions of its figures.

- `started_at` is the offer, `rung_at` the first leg that rang, `answered_at` the connection, `ended_at` the end.
- `pdd_ms` offered to first ringing, or to the answer of a call that never rang; null while neither came.
- `ring_ms` rung to answered, or to the end of a call that was not; 0 until then and where it never rang.
- `talk_ms` answered to ended; `hold_ms` the part of it in which either side held the other. Both count what is over:
  a period that still runs adds nothing, because a record must not depend on when it is computed.
- `disposition`, `hangup_by`, `sip_status`, `q850_cause`, `reason` are those of the end; empty or null until then.
- `disposition` is `voicemail` where a mailbox took the call, whether a message was left there or not.
- `legs` counts the caller's and every dialled leg; `takeovers` how often the writer (node, epoch) changed.
- `mos_x100` and the other figures of audio are those of `projections.audio`; `audio_losses` counts `AudioLost`.
- `final` is set by the end, or by the last of what that said is still to come, or that it never came.
- `version` is the stream's: a higher one replaces a lower one.
- A dialled leg ends by its failure, by the answer of another, or with the call; a late answer only changes why.

Clocks that step back give 0, never a negative time. Events that mean nothing to a record only raise its version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from domain.base import Event
from domain.call.call import Call
from domain.call.event.media import Renegotiated
from domain.call.event.redirect import Redirected
from domain.values import ANSWERED_ELSEWHERE, MAILBOX, NO_ANSWER, Cause
from projections.audio import Audio
from projections.excerpt import Seen, table
from projections.row import CdrRow, LegRow, SegmentRow

DISPOSITIONS = frozenset({"answered", "voicemail", "no_answer", "busy", "rejected", "cancelled", "failed", "lost"})
_MILLISECOND = timedelta(milliseconds=1)
_UINT8, _UINT16 = 0xFF, 0xFFFF


class CallRecord(NamedTuple):
    """The rows of one call; all of the same version."""

    cdr: CdrRow
    legs: tuple[LegRow, ...]
    segments: tuple[SegmentRow, ...]


def fold_cdr(events: Iterable[Seen]) -> CallRecord | None:
    """The record of a call after `events` of its one stream, in order; None before the offer."""
    fold = CallFold()
    for event in events:
        fold.apply(event)
    return fold.record()


class _Leg:
    """A leg so far."""

    __slots__ = (
        "answered_at", "audio", "device", "ended_at", "leg", "number", "rung_at", "side", "sip_call_id", "started_at",
        "user_agent", "why",
    )  # fmt: skip

    def __init__(self, leg: str, side: str, number: str, user_agent: str, dialog: Any, started_at: datetime) -> None:
        self.leg, self.side, self.number, self.user_agent = leg, side, number, user_agent
        self.sip_call_id, self.device = dialog.call_id, dialog.device
        self.started_at = started_at
        self.rung_at: datetime | None = None
        self.answered_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.why: Cause | None = None
        self.audio = Audio()

    def end(self, at: datetime, why: Cause) -> None:
        """Only the first end counts."""
        if self.ended_at is None:
            self.ended_at, self.why = at, why


class CallFold:
    """The record of one call, event by event: the state between events of `fold_cdr`. Skips what it has seen."""

    def __init__(self) -> None:
        self.version = 0
        self.call_id: UUID | None = None
        self.tenant = self.from_number = self.from_name = self.to_number = ""
        self.started_at: datetime | None = None
        self.rung_at: datetime | None = None
        self.answered_at: datetime | None = None
        self.callee = ""
        self.caller = ""
        self.held_by: tuple[str, ...] = ()
        self.legs: dict[str, _Leg] = {}
        self.ended: Any = None
        self._expected: frozenset[str] = frozenset()
        self._held_since: datetime | None = None
        self._hold = timedelta()
        self._mailbox = ""
        self._rule, self._route_version = "", 0
        self._writer: tuple[str, int] | None = None
        self._takeovers = 0

    def apply(self, event: Seen) -> None:
        """Take the next event in; one that was taken in before changes nothing."""
        if event.originator_version <= self.version:
            return
        self.version = event.originator_version
        writer = (event.context.node, event.context.epoch)
        if writer != self._writer:
            self._takeovers += self._writer is not None
            self._writer = writer
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def record(self) -> CallRecord | None:
        """The rows as of the last event; None before the offer."""
        if self.call_id is None or self.started_at is None:
            return None
        legs = tuple(self._leg_row(self.call_id, leg) for leg in self.legs.values())
        return CallRecord(self._cdr_row(self.call_id, self.started_at), legs, self._segments(self.call_id))

    @property
    def state(self) -> str:
        """`ringing`, `talking`, `held` or `ended`."""
        if self.ended is not None:
            return "ended"
        if self.answered_at is None:
            return "ringing"
        return "held" if self.held_by else "talking"

    @property
    def final(self) -> bool:
        """Whether nothing can follow that the record would show."""
        return self.ended is not None and not self._expected

    # --- events

    def _offered(self, event: Call.Offered) -> None:
        self.call_id, self.tenant = event.originator_id, event.context.tenant
        self.from_number, self.from_name, self.to_number = event.extension, event.name, event.dialled
        self.started_at = event.timestamp
        self.caller = event.leg
        self.legs = {
            event.leg: _Leg(event.leg, "caller", event.extension, event.user_agent, event.dialog, event.timestamp)
        }

    def _routed(self, event: Call.Routed) -> None:
        self._rule, self._route_version = event.plan.rule, event.plan.version

    def _dialed(self, event: Call.LegsDialed) -> None:
        for leg in event.legs:
            self.legs[leg.leg] = _Leg(leg.leg, "callee", leg.number, leg.user_agent, leg.dialog, event.timestamp)
            self.legs[leg.leg].device = leg.device

            if leg.kind == MAILBOX:
                self._mailbox = leg.leg

    def _turned(self, event: Call.TurnedToMailbox) -> None:
        for name in event.withdrawn:
            if leg := self.legs.get(name):
                leg.end(event.timestamp, NO_ANSWER)

    def _ringing(self, event: Call.LegRinging) -> None:
        self.rung_at = self.rung_at or event.timestamp
        if leg := self.legs.get(event.leg):
            leg.rung_at = leg.rung_at or event.timestamp
            leg.user_agent = event.user_agent or leg.user_agent

    def _failed(self, event: Call.LegsFailed) -> None:
        for name in event.legs:
            if leg := self.legs.get(name):
                leg.end(event.timestamp, event.why)

    def _redirected(self, event: Redirected) -> None:
        if leg := self.legs.get(event.leg):
            leg.end(event.timestamp, event.why)

    def _connected(self, event: Call.Connected) -> None:
        self.answered_at, self.callee = event.timestamp, event.callee
        for name in (event.caller, event.callee):
            if leg := self.legs.get(name):
                leg.answered_at = event.timestamp
        if callee := self.legs.get(event.callee):
            callee.user_agent = event.user_agent or callee.user_agent
        for name in event.cancelled:
            if leg := self.legs.get(name):
                leg.end(event.timestamp, ANSWERED_ELSEWHERE)

    def _renegotiated(self, event: Renegotiated) -> None:
        self._hold += self._held_until(event.timestamp)
        self.held_by = event.held_by
        self._held_since = event.timestamp if event.held_by else None

    def _hung_up(self, event: Call.LegHungUp) -> None:
        if leg := self.legs.get(event.leg):
            leg.end(event.timestamp, event.why)
            leg.why = event.why

    def _ended(self, event: Call.Ended) -> None:
        self._hold += self._held_until(event.timestamp)
        self._held_since = None
        self.ended, self._expected = event, frozenset(event.expected)
        for leg in self.legs.values():
            leg.end(event.timestamp, event.why)

    def _closed(self, event: Call.Closed) -> None:
        self._expected = frozenset()

    def _measured(self, event: Call.LegMeasured) -> None:
        self._expected -= {event.leg}
        if leg := self.legs.get(event.leg):
            leg.audio.streams = (*leg.audio.streams, event.figures)

    def _audio_lost(self, event: Call.AudioLost) -> None:
        if leg := self.legs.get(event.leg):
            leg.audio.losses += 1

    def _held_until(self, at: datetime) -> timedelta:
        return timedelta() if self._held_since is None else max(at - self._held_since, timedelta())

    # --- rows

    def _cdr_row(self, call_id: UUID, started_at: datetime) -> CdrRow:
        ended = self.ended
        ended_at = ended.timestamp if ended else None
        sip_status, q850_cause, reason = _cause(ended.why if ended else None)
        callee = self.legs.get(self.callee)
        opinions = [leg.audio.mos_x100 for leg in self.legs.values() if leg.audio.streams]
        return CdrRow(
            tenant=self.tenant,
            call_id=call_id,
            direction="internal",
            from_number=self.from_number,
            from_name=self.from_name,
            to_number=self.to_number,
            answered_by=callee.number if callee else "",
            started_at=started_at,
            rung_at=self.rung_at,
            answered_at=self.answered_at,
            ended_at=ended_at,
            pdd_ms=_between(started_at, self.rung_at or self.answered_at),
            ring_ms=_between(self.rung_at, self.answered_at or ended_at) or 0,
            talk_ms=_between(self.answered_at, ended_at) or 0,
            hold_ms=self._hold // _MILLISECOND,
            disposition=self._disposition(ended.outcome) if ended else "",
            hangup_by=ended.by if ended else "",
            sip_status=sip_status,
            q850_cause=q850_cause,
            reason=reason,
            route_rule=self._rule,
            route_version=max(self._route_version, 0),
            trunk="",
            legs=min(len(self.legs), _UINT16),
            takeovers=min(self._takeovers, _UINT16),
            merged_into=None,
            mos_x100=min((one for one in opinions if one is not None), default=None),
            audio_losses=min(sum(leg.audio.losses for leg in self.legs.values()), _UINT16),
            version=self.version,
            final=self.final,
        )

    def _disposition(self, outcome: str) -> str:
        if outcome == "answered" and self.callee == self._mailbox:
            return "voicemail"
        return outcome if outcome in DISPOSITIONS else "failed"

    def _leg_row(self, call_id: UUID, leg: _Leg) -> LegRow:
        sip_status, q850_cause, reason = _cause(leg.why)
        heard = leg.audio.heard
        return LegRow(
            tenant=self.tenant,
            call_id=call_id,
            leg=leg.leg,
            sip_call_id=leg.sip_call_id,
            side=leg.side,
            number=leg.number,
            device=leg.device,
            user_agent=leg.user_agent,
            started_at=leg.started_at,
            rung_at=leg.rung_at,
            answered_at=leg.answered_at,
            ended_at=leg.ended_at,
            sip_status=sip_status,
            q850_cause=q850_cause,
            reason=reason,
            codec=heard.codec,
            packets_received=heard.packets_received,
            packets_sent=heard.packets_sent,
            packets_lost=heard.packets_lost,
            packets_discarded=heard.packets_discarded,
            packets_lost_by_phone=heard.packets_lost_by_phone,
            jitter_ms=heard.jitter_ms,
            round_trip_ms=heard.round_trip_ms,
            mos_x100=heard.mos_x100,
            silent_ms=heard.silent_ms,
            audio_losses=min(leg.audio.losses, _UINT16),
            version=self.version,
        )

    def _segments(self, call_id: UUID) -> tuple[SegmentRow, ...]:
        callee = self.legs.get(self.callee)
        if self.answered_at is None or callee is None:
            return ()
        ended_at = self.ended.timestamp if self.ended else None
        return (
            SegmentRow(
                tenant=self.tenant,
                call_id=call_id,
                segment=1,
                leg_a=self.caller,
                leg_b=callee.leg,
                party_a=self.from_number,
                party_b=callee.number,
                started_at=self.answered_at,
                ended_at=ended_at,
                version=self.version,
            ),
        )


_EVENTS: Mapping[type[Event], Callable[[CallFold, Any], None]] = {
    Call.Offered: CallFold._offered,
    Call.Routed: CallFold._routed,
    Call.LegsDialed: CallFold._dialed,
    Call.LegRinging: CallFold._ringing,
    Call.TurnedToMailbox: CallFold._turned,
    Call.LegsFailed: CallFold._failed,
    Call.Redirected: CallFold._redirected,
    Call.Connected: CallFold._connected,
    Call.Renegotiated: CallFold._renegotiated,
    Call.LegHungUp: CallFold._hung_up,
    Call.Ended: CallFold._ended,
    Call.Closed: CallFold._closed,
    Call.LegMeasured: CallFold._measured,
    Call.AudioLost: CallFold._audio_lost,
}
_HANDLERS = table(_EVENTS)


def _between(start: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds, None if either is missing."""
    if start is None or end is None:
        return None
    return max((end - start) // _MILLISECOND, 0)


def _cause(why: Cause | None) -> tuple[int | None, int | None, str]:
    """A cause as columns; numbers that no peer should have sent become null."""
    if why is None:
        return None, None, ""
    sip_status = why.sip_status if 0 < why.sip_status <= _UINT16 else None
    return sip_status, why.q850 if 0 < why.q850 <= _UINT8 else None, why.reason
