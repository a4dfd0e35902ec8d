"""SIP statuses and Q.850 causes for each other (RFC 3398 section 7.2.4.1 and 8.2.6.1, RFC 3326's Reason header)."""

from __future__ import annotations

from adapters.sip.message.header import header_params, split_list
from adapters.sip.message.message import MessageError, Request, Response
from domain.call.outcome import for_callers
from domain.values import ANSWERED_ELSEWHERE, Cause

_WORDS = 200
_REASONS = 8
_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'

_Q850_OF_STATUS = {
    400: 41, 401: 21, 402: 21, 403: 21, 404: 1, 405: 63, 406: 79, 407: 21, 408: 102, 410: 22, 413: 127, 414: 127,
    415: 79, 416: 127, 420: 127, 421: 127, 423: 127, 480: 18, 481: 41, 482: 25, 483: 25, 484: 28, 485: 1, 486: 17,
    487: 16, 488: 65, 500: 41, 501: 79, 502: 38, 503: 41, 504: 102, 505: 127, 513: 127, 580: 47, 600: 17, 603: 21,
    604: 1, 606: 58,
}  # fmt: skip


def cause_of(status: int, reason: str) -> Cause:
    """The cause of a final response that was no success; the peer's words are kept, at most 200 characters."""
    return Cause(status, _Q850_OF_STATUS.get(status, 31), reason[:_WORDS])


def passed_on(status: int) -> int:
    """The status that the other party gets for one that a device gave us (RFC 3261 16.7 steps 5 and 6)."""
    return status if for_callers(status) else 480


def reasons_header(why: Cause) -> list[tuple[str, str]]:
    """The Reason headers of a BYE: the Q.850 cause, and the SIP status if something went wrong."""
    said = [("Reason", _written("Q.850", why.q850, why.reason))]
    return [*said, ("Reason", _written("SIP", why.sip_status, why.reason))] if why.sip_status >= 300 else said


def reason_of_refusal(why: Cause) -> str:
    """The Reason of a final response (RFC 6432): the Q.850 cause, as the status says the rest."""
    return _written("Q.850", why.q850, why.reason)


def reason_of_cancel(why: Cause) -> str:
    """The Reason of a CANCEL: who lost to another device is told so by the words that phones know (RFC 3326)."""
    if why.q850 == ANSWERED_ELSEWHERE.q850:
        return _ELSEWHERE
    return reason_of_refusal(why)


def heard(message: Request | Response, base: Cause) -> Cause:
    """`base` with what the peer's Reason says of it: its Q.850 cause and its words. What cannot be read says nothing.

    A SIP cause alone counts where it means something to us: 200 is an answer elsewhere, 300 and above a failure.
    """
    if message.get("Reason") is None:
        return base
    said = _reasons(message)
    q850, words = said.get("q.850", (0, ""))
    status, more = said.get("sip", (0, ""))
    if not 0 < q850 < 128:
        q850 = ANSWERED_ELSEWHERE.q850 if status == 200 else _Q850_OF_STATUS.get(status, base.q850)
    failed = 300 <= status < 700 and base.sip_status < 300
    return Cause(status if failed else base.sip_status, q850, (words or more or base.reason)[:_WORDS])


def _reasons(message: Request | Response) -> dict[str, tuple[int, str]]:
    """Protocol in lower case -> (cause, text), the first of each."""
    said: dict[str, tuple[int, str]] = {}
    try:
        values = [one for value in message.get_all("Reason") for one in split_list(value)]
        for value in values[:_REASONS]:
            protocol, _, rest = value.partition(";")
            params = header_params(f";{rest}")
            number = params.get("cause") or ""
            if number.isascii() and number.isdecimal() and len(number) <= 3:
                said.setdefault(protocol.strip().lower(), (int(number), _plain(params.get("text") or "")))
    except MessageError:
        return said
    return said


def _plain(text: str) -> str:
    text = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    text = text.replace("\\", "")
    return text if text.isprintable() else ""


def _written(protocol: str, number: int, reason: str) -> str:
    text = reason.replace("\\", "").replace('"', "")
    return f'{protocol};cause={number};text="{text}"'
