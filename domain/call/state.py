"""What a call's state is made of, beside its legs: values that events carry or that are folded from them."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import msgspec

from domain.call.terms import ENDLESS, Terms
from domain.values import Cause, Dialog, Transaction


class CallState(Enum):
    """Where a call stands; the rows of the table in `turn`."""

    NEW = "new"
    RINGING = "ringing"
    TALKING = "talking"
    RENEGOTIATING = "renegotiating"
    ENDED = "ended"


class Voicemail(msgspec.Struct, frozen=True):
    """The `number` of the mailbox that takes a message if nobody answers, empty for none.

    `state` is why the call was turned there, `busy` or `away`, empty as long as it was not; `unrelayed` says that its
    media went through us until then.
    """

    number: str = ""
    state: str = ""
    unrelayed: bool = False


class DialedLeg(msgspec.Struct, frozen=True):
    """A device that is offered the call: its dialog carries the derived Call-ID and tag, and the flow to it.

    `diverted` is the number whose device named this one to be called instead; empty for who was dialled. `kind` is that
    of the venue where a leg ends that ends at our own media, in former events empty for a room.
    """

    leg: str
    number: str
    device: str
    user_agent: str
    dialog: Dialog
    diverted: str = ""
    terms: Terms = ENDLESS
    kind: str = ""


class EndedLeg(msgspec.Struct, frozen=True):
    """A leg whose dialog we end: `dialog.local_cseq` is the BYE's."""

    leg: str
    dialog: Dialog


class Fork(msgspec.Struct, frozen=True):
    """A dialog beside a leg's own one, from a second answer to the same offer: confirmed, then ended by `bye`."""

    leg: str
    dialog: Dialog
    bye: Dialog


class Refresh(msgspec.Struct, frozen=True):
    """A refresh of a leg's session that we asked for, or its outcome while that may need repeating (`done`).

    One that is not done yet may offer another way of the media: through us (`to_us`), or to the other phone. It `turns`
    if the leg's phone was told of the other one of these two before.
    """

    leg: str
    dialog: Dialog
    sdp: str
    prompt: bool
    terms: Terms
    at: datetime
    done: bool = False
    to_us: bool | None = None
    turns: bool = False


class EarlyChange(msgspec.Struct, frozen=True):
    """An offer of other media before the answer, in the early dialog that stands for `leg`, or its outcome while that
    may need repeating.

    It comes from leg `by` in `transaction`; `dialog` is that in which it is passed on to leg `to`.
    """

    leg: str
    by: str
    to: str
    transaction: Transaction
    dialog: Dialog
    sdp: str
    at: datetime
    answer: str = ""
    refusal: Cause | None = None

    @property
    def pending(self) -> bool:
        """Passed on, and neither answered nor refused."""
        return not self.answer and self.refusal is None


class Renegotiation(msgspec.Struct, frozen=True):
    """An offer of other media on its way from leg `by` to leg `to`, or its outcome while that may need repeating."""

    by: str
    to: str
    transaction: Transaction
    dialog: Dialog
    sdp: str
    direction: str
    at: datetime
    answer: str = ""
    """What the other party said to it; an offer of its own if there was none in `sdp`."""
    acknowledgement: str = ""
    """The answer of `by` to that offer."""
    refusal: Cause | None = None
    prompt_by: bool = False
    """Whether `by` expects its answer at once, with nobody asked: it neither waits for long nor confirms it."""
    prompt_to: bool = False
    """Whether it is passed on to `to` in the same manner."""
    by_terms: Terms = ENDLESS
    to_terms: Terms = ENDLESS
    withdrawn: bool = False
    """Whether the offer is taken back from `to`, by `by` or because that was refused for its silence; `to` may have
    taken it already."""
    acknowledged: bool = False
    """Whether a refusal of ours is of something that the other party took: that is acknowledged all the same."""
    retries: int = 0
    """So often it was offered once more, with a longer session."""
