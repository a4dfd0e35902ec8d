"""A leg: one party's side of a call, as folded from the call's events."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from domain.call.terms import ENDLESS, Terms, refresh_at
from domain.values import MEDIA, PLAIN, Ability, Cause, Dialog, Transaction

CSEQ_JUMP = 1000
"""Added to a dialog's CSeq at the first request after a take-over, past any request that left no event."""


class LegState(Enum):
    """Where a leg stands. A caller starts OFFERED, a dialled leg DIALED."""

    OFFERED = "offered"
    DIALED = "dialed"
    RINGING = "ringing"
    CONNECTED = "connected"
    CANCELLED = "cancelled"
    FAILED = "failed"
    HUNG_UP = "hung_up"


_WAITING = frozenset({LegState.DIALED, LegState.RINGING})


class Progress(msgspec.Struct, frozen=True):
    """Progress of a dialled leg that we are to confirm: its number, and the dialog in which our request goes."""

    serial: int
    dialog: Dialog
    offers: bool
    at: datetime


class Rung(msgspec.Struct, frozen=True):
    """Progress of a dialled leg as the caller was told of it, so that it must confirm that."""

    serial: int
    sdp: str
    confirmed: bool = False


class Renewal(msgspec.Struct, frozen=True):
    """A request of the peer's by which its session goes on, and what it is answered."""

    transaction: Transaction
    sdp: str
    terms: Terms
    at: datetime


class Settled(msgspec.Struct, frozen=True):
    """The dialog of an offer of ours that was answered, which is confirmed as long as the answer may come again."""

    dialog: Dialog
    at: datetime


class Leg(msgspec.Struct):
    """`epoch` is the term in which `dialog.local_cseq` was last raised; `why` is the cause of a leg that failed,
    `dialed` the dialog as it was dialled: an offer is taken back by the very names that it was made with.

    `sent_cseq` and `heard_cseq` are the numbers of requests that change nothing (`RequestSent`). They stay out of
    `dialog`, whose numbers are those of the offers that may still have to be confirmed.
    """

    id: str
    caller: bool
    number: str
    state: LegState
    dialog: Dialog
    epoch: int
    transaction: Transaction | None = None
    sdp: str = ""
    why: Cause | None = None
    dialed: Dialog | None = None
    diverted: str = ""
    sent_cseq: int = 0
    heard_cseq: int = 0
    ability: Ability = PLAIN
    progress: Progress | None = None
    rung: Rung | None = None
    confirmed_by: Transaction | None = None
    confirmed_at: datetime | None = None
    """The caller's newest request that confirmed progress of this leg."""
    answer: str = ""
    """The caller's answer to the offer that this leg made in its progress."""
    asked_cseq: int = 0
    """The newest request of the caller's in the early dialog that stands for this leg."""
    agreed: str = ""
    """The caller's media in that early dialog, once they were changed there."""

    taken: Dialog | None = None
    """The dialog as it was when the leg answered: its confirmation is the same whatever moves later."""
    terms: Terms = ENDLESS
    refreshed_at: datetime | None = None
    refresh_at: datetime | None = None
    """When we are to refresh the session, if it is ours to do."""
    renewal: Renewal | None = None
    settled: Settled | None = None
    """Its newest answer to an offer of another way of the media."""

    def renew(self, terms: Terms, at: datetime) -> None:
        """The session begins anew under `terms`."""
        self.terms = terms
        self.refreshed_at = at if terms.interval_s else None
        self.refresh_at = refresh_at(terms, at) if terms.interval_s and terms.ours else None

    @property
    def media(self) -> bool:
        """Whether it ends at media of our own instead of a phone."""
        return self.dialog.flow.transport == MEDIA.transport

    @property
    def waiting(self) -> bool:
        """Dialled, and neither answered, failed nor taken back."""
        return self.state in _WAITING

    @property
    def invited(self) -> Dialog:
        """The dialog with the CSeq of the request that dialled the leg, whatever was asked in it since."""
        if self.taken is not None:
            return self.taken
        if self.dialed is None or self.dialed.local_cseq == self.dialog.local_cseq:
            return self.dialog
        return msgspec.structs.replace(self.dialog, local_cseq=self.dialed.local_cseq)

    @property
    def unconfirmed(self) -> bool:
        """The caller has not confirmed yet what it was told of this leg."""
        return self.rung is not None and not self.rung.confirmed

    def next_dialog(self, epoch: int) -> Dialog:
        """The dialog with the CSeq of our next request in it, as the owner of term `epoch`."""
        step = 1 if epoch == self.epoch else CSEQ_JUMP
        last = max(self.dialog.local_cseq, self.sent_cseq)
        return msgspec.structs.replace(self.dialog, local_cseq=last + step)

    @property
    def last_heard(self) -> int:
        """The CSeq of the peer's newest request."""
        return max(self.dialog.remote_cseq, self.heard_cseq)
