"""What a call can owe the world, as data. Each carries all that is needed to perform it, also after a restart.

An effect is equal to itself when computed again from the same state: adapters derive every identifier from it.
"""

from __future__ import annotations

import msgspec

from domain.call.recording import Recording
from domain.call.relay import RelayPlace
from domain.call.terms import ENDLESS, Terms
from domain.values import Cause, Dialog, Transaction, Venue


class Effect(msgspec.Struct, frozen=True):
    """Something to be said to the peer of `leg`."""

    leg: str


class Proceed(Effect, frozen=True):
    """Tell a party that its request is being worked on."""

    transaction: Transaction


class Ring(Effect, frozen=True):
    """Tell the caller that a dialled leg is alerted, with early media if `sdp`. `tag` names the early dialog.

    With a `serial`, from 1 in each early dialog, it is repeated until the caller confirms it.
    """

    transaction: Transaction
    tag: str
    sdp: str
    serial: int = 0


class Confirm(Effect, frozen=True):
    """Confirm the progress `serial` of the request `of`; `dialog.local_cseq` is this request's own.

    `sdp` answers an offer that came with the progress.
    """

    dialog: Dialog
    serial: int
    of: int
    sdp: str


class Accept(Effect, frozen=True):
    """Tell a party that its offer was taken, or that its session goes on; `tag` is our end of the dialog."""

    transaction: Transaction
    tag: str
    sdp: str
    terms: Terms = ENDLESS


class Refuse(Effect, frozen=True):
    """Tell a party that its offer was not taken."""

    transaction: Transaction
    tag: str
    why: Cause


class Dial(Effect, frozen=True):
    """Offer the call to a device. `display` and `dialog.local_uri` are what it shows.

    `confirms` says whether its progress may be such that we are to confirm it.
    """

    dialog: Dialog
    display: str
    sdp: str
    confirms: bool = True
    terms: Terms = ENDLESS


class Cancel(Effect, frozen=True):
    """Take back an offer that was dialled."""

    dialog: Dialog
    why: Cause


class Acknowledge(Effect, frozen=True):
    """Confirm the answer to the request that carried `dialog.local_cseq`; `sdp` answers an offer that came with it."""

    dialog: Dialog
    sdp: str = ""


class Reoffer(Effect, frozen=True):
    """Offer other media inside the dialog, or let its session go on; `dialog.local_cseq` is this request's.

    `prompt` asks for an answer at once, with nobody asked, that needs no confirmation.
    """

    dialog: Dialog
    sdp: str
    prompt: bool = False
    terms: Terms = ENDLESS


class Mix(Effect, frozen=True):
    """Let the caller take part in what goes on at a venue, as long as the call goes on.

    `leg` is the one that ends at our media; `theirs` and `ours` are what the caller and we said of the stream.
    """

    venue: Venue
    theirs: str
    ours: str


class MediaEffect(Effect, frozen=True):
    """Something to be said to our media instead of a phone; `leg` is the caller's."""


class OpenRelay(MediaEffect, frozen=True):
    """Open our ends of the call's media, which the caller described as `offered` (empty: it leaves that to others).

    In a call that goes on `answered` is what the other party said.
    """

    offered: str
    answered: str = ""


class Relay(MediaEffect, frozen=True):
    """Pass media on between the two parties, as long as the call goes on.

    `other` is the leg of the caller's party. `caller` and `callee` are what each said of its stream last; as long as
    one of them said nothing nobody is heard.
    """

    place: RelayPlace
    other: str
    caller: str
    callee: str
    recording: Recording | None = None


class KeepRecording(MediaEffect, frozen=True):
    """Bring the file of a recording that is over to where it is to stay."""

    recording: str


class CloseRelay(MediaEffect, frozen=True):
    """Close our ends of the call's media."""


class HangUp(Effect, frozen=True):
    """End a dialog; `dialog.local_cseq` is this request's."""

    dialog: Dialog
    why: Cause


class Conclude(Effect, frozen=True):
    """Confirm to a party that the call which it ended is over."""

    transaction: Transaction
