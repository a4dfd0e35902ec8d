"""SIP statuses and Q.850 causes for each other (RFC 3398 section 7.2.4.1 and 8.2.6.1, RFC 3326's Reason header)."""

from __future__ import annotations

from domain.values import Cause

_Q850_OF_STATUS = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    487: 16, 488: 65, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 580: 47, 600: 17, 603: 21,
    604: 1, 606: 58,
}  # fmt: skip


def cause_of(status: int, reason: str) -> Cause:
    """The cause of a final response that was no success; the peer's words are kept, at most 200 characters."""
    return Cause(status, _Q850_OF_STATUS.get(status, 31), reason[:200])


_OURS = frozenset({401, 407, 420, 421, 422, 423, 494, 503})
"""About our request to the device, or only understood with headers that we do not pass on."""


def passed_on(status: int) -> int:
    """The status that the other party gets for one that a device gave us (RFC 3261 16.7 steps 5 and 6)."""
    return 480 if status < 400 or status in _OURS else status


def reason_header(why: Cause, *, sip: bool = False) -> str:
    """The Reason header's value: the Q.850 cause, or the SIP status for a CANCEL after an answer elsewhere."""
    text = why.reason.replace("\\", "").replace('"', "")
    if sip:
        return f'SIP;cause={why.sip_status};text="{text}"'
    return f'Q.850;cause={why.q850};text="{text}"'
