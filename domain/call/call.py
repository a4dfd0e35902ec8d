"""The aggregate `Call` and its events. State changes in `apply` only; what may happen when is decided in `turn`."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from domain.base import Aggregate, Created, Event, fact
from domain.call.event import early, ending, media, passing, progress, quality, recording, redirect, relay, session
from domain.call.leg import Leg, LegState
from domain.call.measure import Way
from domain.call.presentation import OPEN, Presentation
from domain.call.recording import Recording
from domain.call.relay import Detour, Relay
from domain.call.state import CallState, DialedLeg, EarlyChange, EndedLeg, Fork, Refresh, Renegotiation, Voicemail
from domain.call.terms import ENDLESS, Terms
from domain.routing.plan import RoutePlan
from domain.values import MEDIA, OVERTAKEN, PLAIN, ROOM, Ability, Cause, Dialog, Transaction, Venue

__all__ = ["EVENTS", "Call", "CallState", "DialedLeg", "EndedLeg", "Fork", "Renegotiation"]


class Call(Aggregate):
    """One interaction: a caller, the legs dialled for it, and how they are joined."""

    TOPIC = "call"

    def __init__(self) -> None:
        self.state = CallState.NEW
        self.tenant = self.domain = self.name = ""
        self.shown, self.secure = OPEN, False
        self.voicemail, self.redirects = Voicemail(), 0
        self.alternatives: tuple[str, ...] = ()
        """Numbers that a redirect named and that are not called yet, in order."""
        self.caller_leg = self.callee_leg = ""
        self.legs: dict[str, Leg] = {}
        self.venue: Venue | None = None
        """Where the call is joined to our own media; None in a call of phones only."""
        self.relay: Relay | None = None
        """Media that go through us, or did; None: the phones have always heard each other directly."""
        self.recordings: tuple[Recording, ...] = ()
        """Those whose files are not where they are to stay; all but the last are over."""
        self.recorded = 0
        """How many recordings have begun."""
        self.ring_until: datetime | None = None
        self.answered_at: datetime | None = None
        self.agreed_at: datetime | None = None
        """When the first offer was answered: at the answer, or later if the callee made the offer."""
        self.late_offer = False
        """The caller left the offer to the callee."""
        self.unaccepted = False
        """A leg answered, but the caller is not told before it has confirmed the leg's progress with its media."""
        self.answer_owed = ""
        """The leg that was sent an offer in an answer, and is to answer it in its acknowledgement."""
        self.ended_at: datetime | None = None
        self.end_cause: Cause | None = None
        self.concluding: tuple[tuple[str, Transaction], ...] = ()
        self.hang_ups: tuple[EndedLeg, ...] = ()
        self.unanswered: EndedLeg | None = None
        """The leg whose offer was never answered: it is confirmed all the same before it is hung up."""
        self.forks: tuple[Fork, ...] = ()
        self.late_at: datetime | None = None
        self.early: EarlyChange | None = None
        self.renegotiation: Renegotiation | None = None
        self.refresh: Refresh | None = None
        self.first_terms = ENDLESS
        """The terms of the caller's session as it is told with the answer."""
        self.held_by: frozenset[str] = frozenset()
        self.expected: tuple[str, ...] = ()
        """After the end: the legs of which it is still to be told what their audio was like."""
        self.audio_lost: tuple[tuple[str, Way], ...] = ()
        """Legs whose audio should go through our media in this direction and does not."""
        self.audio_losses = 0

    @property
    def caller(self) -> Leg:
        return self.legs[self.caller_leg]

    @property
    def callee(self) -> Leg:
        """The leg that answered; KeyError before that."""
        return self.legs[self.callee_leg]

    @property
    def is_relayed(self) -> bool:
        """Whether its media go through us on their way: not if they end at our own media anyway."""
        return self.relay is not None and not self.relay.over and not (self.callee_leg and self.callee.media)

    @property
    def unreached(self) -> bool:
        """Nobody was asked yet, although legs are named: our ends of the media are to be open before."""
        return self.relay is not None and self.relay.place is None and not self.callee_leg

    @property
    def detour(self) -> Detour | None:
        """A change of the way of its media that is under way."""
        return self.relay.detour if self.relay is not None else None

    @property
    def recorded_now(self) -> Recording | None:
        """The recording that goes on."""
        return next((one for one in self.recordings if not one.over), None)

    def hears_us(self, leg: str) -> bool:
        """Whether a leg's phone is told of our end instead of the other phone."""
        relay = self.relay
        return relay is not None and relay.place is not None and self.is_relayed and leg not in relay.direct

    @property
    def talked(self) -> tuple[str, ...]:
        """The legs that were joined; empty before an answer."""
        return (self.caller_leg, self.callee_leg) if self.callee_leg else ()

    @property
    def streams(self) -> tuple[str, ...]:
        """The legs whose phones send their audio through media of our own now: each is measured when that ends."""
        if not self.callee_leg:
            return ()
        if self.relay is not None and self.relay.place is not None:
            return tuple(leg for leg in self.talked if leg not in self.relay.direct)
        return (self.caller_leg,) if self.callee.media else ()

    def phone_of(self, leg: str) -> str:
        """The leg of the phone at a stream that media of our own call `leg`: they may name their end of it."""
        here = self.legs.get(leg)
        if self.relay is not None and self.callee_leg:  # whichever device took the call: the end towards it is one
            return self.caller_leg if leg == self.caller_leg else self.callee_leg
        return self.caller_leg if here is not None and here.media else leg

    @property
    def display(self) -> str:
        """The caller's name as callees see it."""
        return self.shown.display(self.name)

    def dial_alternative(self, numbers: set[str]) -> None:
        """Part of `LegsDialed`: of those that a redirect named, the ones up to these have had their turn."""
        at = next((at for at, number in enumerate(self.alternatives) if number in numbers), -1)
        self.alternatives = self.alternatives[at + 1 :]

    def refuse_early(self, why: Cause, at: datetime) -> None:
        """Part of what ends an early dialog: a change of media that waits there for its answer gets none."""
        if self.early is not None and self.early.pending:
            self.early = msgspec.structs.replace(self.early, refusal=why, at=at)

    def last_heard(self, leg: Leg, early: str) -> int:
        """The CSeq of the newest request of `leg`'s phone, in the early dialog that stands for `early` if any.

        Each early dialog counts for itself (RFC 3261 12.2.2).
        """
        if not leg.caller or not early or leg.transaction is None:
            return leg.last_heard
        return max(leg.transaction.cseq, self.legs[early].asked_cseq)

    def other(self, leg: str) -> Leg:
        """The party that `leg` talks with."""
        return self.callee if leg == self.caller_leg else self.caller

    def crossing(self, leg: str) -> str:
        """Why a new offer of `leg` cannot be taken now: it has one `pending` itself, or ours `crossed` it; or empty."""
        if self.state is CallState.RINGING:
            by = self.early.by if self.early is not None and self.early.pending else self.caller_leg
            return "pending" if leg == by else "crossed"
        pending = self.renegotiation
        if self.state is CallState.RENEGOTIATING and pending is not None and pending.by == leg:
            return "crossed" if self.answer_owed else "pending"
        busy = self.state is CallState.RENEGOTIATING or self.answer_owed or self.unaccepted
        return "crossed" if busy or (self.refresh is not None and not self.refresh.done) else ""

    @fact
    class Offered(Created):
        """A caller asked for a number; `secure` asks for TLS on every way."""

        TOPIC = "call.offered.3"
        FORMER = ("call.offered.2", "call.offered.1")

        leg: str
        domain: str
        extension: str
        name: str
        dialled: str
        dialog: Dialog
        transaction: Transaction
        sdp: str
        user_agent: str
        shown: Presentation = OPEN
        ability: Ability = PLAIN
        terms: Terms = ENDLESS
        secure: bool = False

        def apply(self, aggregate: Call) -> None:
            aggregate.first_terms, aggregate.secure = self.terms, self.secure
            aggregate.tenant, aggregate.domain = self.context.tenant, self.domain
            aggregate.name, aggregate.shown = self.name, self.shown
            aggregate.late_offer, aggregate.caller_leg = not self.sdp, self.leg
            aggregate.legs = {
                self.leg: Leg(
                    id=self.leg,
                    caller=True,
                    number=self.extension,
                    state=LegState.OFFERED,
                    dialog=self.dialog,
                    epoch=self.context.epoch,
                    transaction=self.transaction,
                    sdp=self.sdp,
                    ability=self.ability,
                )
            }
            aggregate.state = CallState.RINGING

    @fact
    class Routed(Event):
        """The routing engine decided; the plan says what and why."""

        TOPIC = "call.routed.3"
        FORMER = ("call.routed.2", "call.routed.1")

        plan: RoutePlan

        def apply(self, aggregate: Call) -> None:
            aggregate.voicemail = Voicemail(self.plan.mailbox)

    @fact
    class LegsDialed(Event):
        """Devices are offered the call, until `ring_until`."""

        TOPIC = "call.legs_dialed.3"
        FORMER = ("call.legs_dialed.2", "call.legs_dialed.1")

        origin: str
        ring_until: datetime
        legs: tuple[DialedLeg, ...]

        def apply(self, aggregate: Call) -> None:
            aggregate.ring_until = self.ring_until
            aggregate.dial_alternative({dialed.number for dialed in self.legs})
            for dialed in self.legs:
                if dialed.dialog.flow == MEDIA:
                    aggregate.venue = Venue(dialed.kind or ROOM, dialed.number)
                aggregate.legs[dialed.leg] = Leg(
                    id=dialed.leg,
                    caller=False,
                    number=dialed.number,
                    state=LegState.DIALED,
                    dialog=dialed.dialog,
                    dialed=dialed.dialog,
                    terms=dialed.terms,
                    diverted=dialed.diverted,
                    epoch=self.context.epoch,
                )

    LegRinging: TypeAlias = progress.LegRinging
    ProgressConfirmed: TypeAlias = progress.ProgressConfirmed
    LegsFailed: TypeAlias = progress.LegsFailed

    @fact
    class Connected(Event):
        """A device answered; the others' offers are taken back. Both parties hear each other from now on."""

        TOPIC = "call.connected.2"
        FORMER = ("call.connected.1",)

        caller: str
        callee: str
        caller_dialog: Dialog
        callee_dialog: Dialog
        sdp: str
        user_agent: str
        media: str
        cancelled: tuple[str, ...]
        ability: Ability = PLAIN
        terms: Terms = ENDLESS

        def apply(self, aggregate: Call) -> None:
            aggregate.callee_leg = self.callee
            caller, callee = aggregate.caller, aggregate.callee
            caller.state = callee.state = LegState.CONNECTED
            caller.dialog, callee.dialog = self.caller_dialog, self.callee_dialog
            callee.taken = callee.invited
            callee.sdp, callee.ability = self.sdp, self.ability
            caller.renew(aggregate.first_terms, self.timestamp)
            callee.renew(self.terms, self.timestamp)
            caller.sdp = callee.agreed or callee.answer or caller.sdp
            aggregate.refuse_early(OVERTAKEN, self.timestamp)
            aggregate.unaccepted = callee.unconfirmed and bool(callee.rung and callee.rung.sdp)
            for leg in self.cancelled:
                aggregate.legs[leg].state = LegState.CANCELLED
            aggregate.answered_at = aggregate.agreed_at = self.timestamp
            if aggregate.late_offer and not callee.answer and not aggregate.unaccepted:
                aggregate.answer_owed = self.caller
            aggregate.state = CallState.TALKING
            if aggregate.relay is not None and aggregate.relay.astray.intersection(aggregate.talked):
                relay.move_on(aggregate, self.timestamp)

    RenegotiationRequested: TypeAlias = media.RenegotiationRequested
    CounterOffered: TypeAlias = media.CounterOffered
    AnswerGiven: TypeAlias = media.AnswerGiven
    Renegotiated: TypeAlias = media.Renegotiated
    RenegotiationRefused: TypeAlias = media.RenegotiationRefused
    RenegotiationWithdrawn: TypeAlias = media.RenegotiationWithdrawn
    RenegotiationRetried: TypeAlias = media.RenegotiationRetried
    SessionRefreshed: TypeAlias = session.SessionRefreshed
    RefreshRequested: TypeAlias = session.RefreshRequested
    RefreshDeferred: TypeAlias = session.RefreshDeferred
    LegRedialed: TypeAlias = session.LegRedialed
    TurnedToMailbox: TypeAlias = redirect.TurnedToMailbox
    Redirected: TypeAlias = redirect.Redirected
    RequestSent: TypeAlias = passing.RequestSent
    EarlyOffered: TypeAlias = early.EarlyOffered
    EarlyAgreed: TypeAlias = early.EarlyAgreed
    EarlyRefused: TypeAlias = early.EarlyRefused
    RelayRequested: TypeAlias = relay.RelayRequested
    MediaRelayed: TypeAlias = relay.MediaRelayed
    RelayWidened: TypeAlias = relay.RelayWidened
    WayOffered: TypeAlias = relay.WayOffered
    WayTaken: TypeAlias = relay.WayTaken
    WayRefused: TypeAlias = relay.WayRefused
    WayAbandoned: TypeAlias = relay.WayAbandoned
    RelayReleased: TypeAlias = relay.RelayReleased
    RecordingStarted: TypeAlias = recording.RecordingStarted
    RecordingAnnounced: TypeAlias = recording.RecordingAnnounced
    RecordingMasked: TypeAlias = recording.RecordingMasked
    RecordingPaused: TypeAlias = recording.RecordingPaused
    RecordingEnded: TypeAlias = recording.RecordingEnded
    RecordingStopped: TypeAlias = recording.RecordingStopped
    RecordingErased: TypeAlias = recording.RecordingErased

    LegHungUp: TypeAlias = ending.LegHungUp
    ForkHungUp: TypeAlias = ending.ForkHungUp
    Ended: TypeAlias = ending.Ended
    Closed: TypeAlias = ending.Closed
    LegMeasured: TypeAlias = quality.LegMeasured
    AudioLost: TypeAlias = quality.AudioLost
    AudioRestored: TypeAlias = quality.AudioRestored


EVENTS: tuple[type[Event], ...] = (
    Call.Offered,
    Call.Routed,
    Call.LegsDialed,
    Call.RelayRequested,
    Call.MediaRelayed,
    Call.RelayWidened,
    Call.WayOffered,
    Call.WayTaken,
    Call.WayRefused,
    Call.WayAbandoned,
    Call.RelayReleased,
    Call.RecordingStarted,
    Call.RecordingAnnounced,
    Call.RecordingMasked,
    Call.RecordingPaused,
    Call.RecordingEnded,
    Call.RecordingStopped,
    Call.RecordingErased,
    Call.LegRinging,
    Call.ProgressConfirmed,
    Call.EarlyOffered,
    Call.EarlyAgreed,
    Call.EarlyRefused,
    Call.LegsFailed,
    Call.Connected,
    Call.RenegotiationRequested,
    Call.CounterOffered,
    Call.AnswerGiven,
    Call.Renegotiated,
    Call.RenegotiationRefused,
    Call.RenegotiationWithdrawn,
    Call.RenegotiationRetried,
    Call.SessionRefreshed,
    Call.RefreshRequested,
    Call.RefreshDeferred,
    Call.LegRedialed,
    Call.RequestSent,
    Call.Redirected,
    Call.TurnedToMailbox,
    Call.LegHungUp,
    Call.ForkHungUp,
    Call.Ended,
    Call.Closed,
    Call.LegMeasured,
    Call.AudioLost,
    Call.AudioRestored,
)
