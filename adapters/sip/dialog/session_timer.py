"""Session timers in headers (RFC 4028): what a peer asks for, what we grant, and what we ask for ourselves.

What may live here: Session-Expires and Min-SE, read and written. How long a session lasts is `domain.call.terms`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.sip.dialog.capability import TIMER
from adapters.sip.message.header import split_list
from adapters.sip.message.message import Request, Response
from domain.call.terms import ENDLESS, LEAST_S, Terms, Wish

_DIGITS = 10
"""Of a number of seconds that is read at all."""


class TooBriefWish(ValueError):
    """A session shorter than anything that is allowed here (422)."""


def wish_of(request: Request) -> Wish:
    """What a request asks for. Raises TooBriefWish, or ValueError for a number that cannot be read."""
    asked = request.get("Session-Expires")
    able = any(tag.lower() == TIMER for value in request.get_all("Supported") for tag in split_list(value))
    if asked is None:
        return Wish(able, minimum_s=minimum_of(request)) if able else Wish()
    interval, refresher = _read(asked)
    if able and interval < LEAST_S:
        raise TooBriefWish(asked)
    return Wish(able, max(interval, LEAST_S), minimum_of(request), refresher == "uas")


def terms_of(response: Response) -> Terms:
    """What a 2xx to our request grants. A session shorter than is allowed counts as one of 90 s."""
    granted = response.get("Session-Expires")
    if granted is None:
        return ENDLESS
    try:
        interval, refresher = _read(granted)
    except ValueError:
        return ENDLESS
    return Terms(max(interval, LEAST_S), refresher != "uas", minimum_of(response))


def minimum_of(message: Request | Response) -> int:
    """Min-SE in seconds; 0 if there is none that can be read."""
    text = (message.get("Min-SE") or "").partition(";")[0].strip()
    return int(text) if _is_number(text) else 0


def offered_terms(terms: Terms, within: bool) -> Iterator[tuple[str, str]]:
    """Headers of a request of ours; `within` a dialog who refreshes stays who it was (RFC 4028 section 7.4)."""
    if not terms.interval_s:
        return
    refresher = (";refresher=uac" if terms.ours else ";refresher=uas") if within else ""
    yield "Session-Expires", f"{terms.interval_s}{refresher}"
    if terms.minimum_s:
        yield "Min-SE", str(terms.minimum_s)


def answered_terms(terms: Terms) -> Iterator[tuple[str, str]]:
    """Headers of our 2xx: the peer is the client here, and must be told what it cannot leave aside (section 9)."""
    if not terms.interval_s:
        return
    yield "Session-Expires", f"{terms.interval_s};refresher={'uas' if terms.ours else 'uac'}"
    if not terms.ours:
        yield "Require", TIMER


def _read(value: str) -> tuple[int, str]:
    number, _, parameters = value.partition(";")
    text = number.strip()
    if not _is_number(text):
        raise ValueError("Malformed Session-Expires")
    given = dict(one.strip().lower().partition("=")[::2] for one in parameters.split(";"))
    return int(text), given.get("refresher", "").strip()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
