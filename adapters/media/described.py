"""What the phones of a call are told of each other where its media go through us: a pure function of the call.

What may live here: what of a call that depends on. How descriptions are written is `shown`'s.
"""

from __future__ import annotations

from adapters.media.shown import End, Wide, nothing, shown
from domain.call.call import Call
from domain.call.relay import RelayPlace


def end_of(call: Call, leg: str, host: str, place: RelayPlace, secret: bytes) -> End:
    """Our end towards a leg's party. All who are called have one place, and each has keys of its own: who does not
    answer must not know those of who does."""
    port = place.caller_port if leg == call.caller_leg else place.callee_port
    return End(host, port, secret, leg)


def described(call: Call, leg: str, theirs: str, tag: str, end: End, codecs: frozenset[str]) -> str:
    """What the phone of a leg is told of `theirs`, which the other party said, in the dialog of our `tag`.

    Never does one party's nonsense keep from the other one what it is owed.
    """
    assert call.relay is not None
    encrypted = None if leg == call.caller_leg else call.relay.encrypted
    try:
        wide = Wide.ENOUGH if call.relay.wide else Wide.NOT
        return shown(theirs, end, _said(call, leg, tag), codecs, encrypted, wide)
    except ValueError:
        return nothing(end)


def _said(call: Call, leg: str, tag: str) -> str:
    """What a leg's party said of its media last. A caller says so in each early dialog, until one is answered."""
    if leg != call.caller_leg or call.talked:
        return call.legs[leg].sdp
    rings = (one for one in call.legs.values() if not one.caller and one.dialog.local_tag == tag)
    return next((said for one in rings if (said := one.agreed or one.answer)), call.caller.sdp)
