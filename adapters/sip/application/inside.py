"""Which call a request inside a dialog means, and whether its turn has come (RFC 3261 12.2.2).

What may live here: look-ups that need the application's parts. No answers, no state.
"""

from __future__ import annotations

from adapters.sip.application.parts import Parts
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.message import Request
from domain.call.call import Call
from domain.call.leg import Leg
from domain.ids import call_of_leg, shard_of
from domain.switchboard import NotOwned

OLD = "this request is older than one that was already handled"
_PASSING = frozenset({"INFO", "MESSAGE"})


def dialog_of(parts: Parts, request: Request) -> tuple[Call, Leg]:
    """The leg whose dialog a request is in: Call-ID and both tags must fit.

    NotAllowed(481) if there is none, NotOwned if that cannot be known at the moment.
    """
    named = parts.identifiers.leg_of_tag(request.to.tag)
    call = parts.switchboard.find(call_of_leg(named)) if named else None
    if named and call is None and not parts.switchboard.owns(shard_of(call_of_leg(named))):
        raise NotOwned("the shard of this dialog is being claimed")
    if call is not None:
        call_id, theirs, ours = request.call_id, request.from_.tag, request.to.tag
        for leg in call.legs.values():
            dialog = leg.dialog
            if dialog.call_id != call_id or dialog.remote_tag != theirs:
                continue
            if dialog.local_tag == ours or (leg.caller and call.answered_at is None):
                return call, leg
    raise NotAllowed(481, "")


def check_order(request: Request, call: Call, leg: Leg, early: str) -> None:
    """NotAllowed(500) for a request older than one that was served in its dialog (`early`: as `early_of` says)."""
    number, last = request.cseq.number, call.last_heard(leg, early)
    # What is passed on is kept nowhere, so its repetition after a restart is served as if it were the first.
    if number < last or (number == last and request.method not in _PASSING):
        raise NotAllowed(500, OLD)


def early_of(parts: Parts, request: Request, call: Call, leg: Leg) -> str:
    """Before the answer: the dialled leg for which the early dialog of a request of `leg`'s stands; or empty."""
    if call.talked:
        return ""
    named = parts.identifiers.leg_of_tag(request.to.tag) if leg.caller else leg.id
    return named if named in call.legs and named != call.caller_leg else ""
