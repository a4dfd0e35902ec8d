"""What every request must satisfy before anybody looks at what it wants (RFC 3261 8.2 and 16.3, RFC 5393).

What may live here: pure checks of one message, the headers that explain a refusal, and the memory that knows a merged
request. No dialogs, no identities, no answers of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from adapters.sip.dialog.capability import (
    ACCEPT,
    ACCEPT_ENCODING,
    ALLOW,
    ALLOW_EVENTS,
    BODIES,
    ENCODINGS,
    METHODS,
    OPTION_TAGS,
    REGISTERED,
    REGISTRAR_TAGS,
)
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import split_list
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.multipart import media_type
from adapters.sip.request.translate import ignores_body, request_uri
from adapters.sip.transaction.key import ServerKey, server_key
from domain.call.terms import LEAST_S

MAX_HOPS = 255
DEFAULT_HOPS = 70
"""What a request without Max-Forwards counts as (RFC 3261 16.6 step 3)."""

_PASSED_ON = frozenset({"INVITE", "MESSAGE"})
"""Outside a dialog: whatever else comes is for us, and who is addressed answers also with 0 hops left (16.3)."""
_READ = frozenset({"INVITE", "OPTIONS", "UPDATE", "PRACK", "REGISTER"})
"""Whose bodies we read. Those of INFO and MESSAGE are the other party's; a BYE is not refused for its report."""
_EXPLAINING = frozenset({200, 405, 501})


def admit(request: Request) -> None:
    """Raises NotAllowed or MessageError with what a request deserves that cannot be served, whatever it wants."""
    _, within = request.from_, request.to.tag  # MessageError if either cannot be read
    if request.method not in METHODS:
        raise NotAllowed(405 if request.method in REGISTERED else 501, "this method is not served")
    if not within:
        request_uri(request)  # 416 for a scheme that is not served (8.2.2.1)
        if hops_of(request) == 0 and request.method in _PASSED_ON:
            raise NotAllowed(483, "")
    if unsupported(request):
        raise NotAllowed(420, "")
    if request.body:
        _check_body(request)


def hops_of(request: Request) -> int:
    """Max-Forwards (20.22). Raises MessageError for what is no number from 0 to 255."""
    text = request.get("Max-Forwards")
    if text is None:
        return DEFAULT_HOPS
    if not (text.isascii() and text.isdecimal()) or len(text) > 3 or int(text) > MAX_HOPS:
        raise MessageError(400, "Malformed Max-Forwards", request)
    return int(text)


def unsupported(request: Request) -> tuple[str, ...]:
    """The option tags that a request requires of us and we do not have, as written.

    Proxy-Require counts as Require: to the phones of a tenant we are both ends of the way (16.3 step 5).
    """
    if request.get("Require") is None and request.get("Proxy-Require") is None:
        return ()
    required = [tag for value in request.get_all("Proxy-Require") for tag in split_list(value)]
    tags = dict.fromkeys([*request.get_all("Require"), *required])
    return tuple(tag for tag in tags if tag.lower() not in _tags_for(request))


def _tags_for(request: Request) -> tuple[str, ...]:
    """What we have for this request: who registers, or asks what we can do, speaks to the registrar too."""
    to_registrar = request.method == "REGISTER" or (request.method == "OPTIONS" and not request.to.tag)
    return (*OPTION_TAGS, *REGISTRAR_TAGS) if to_registrar else OPTION_TAGS


def serves_other(cancel: Request, lives: Callable[[ServerKey], bool]) -> bool:
    """Whether a CANCEL means a request that is no INVITE: it is confirmed, and has no effect (9.2)."""
    return any(lives(server_key(cancel, method)) for method in METHODS if method not in ("INVITE", "ACK", "CANCEL"))


def _check_body(request: Request) -> None:
    """8.2.3, for requests whose body we would have to read."""
    if request.method not in _READ or ignores_body(request):
        return
    coding = (request.get("Content-Encoding") or "identity").strip().lower()
    if coding not in ENCODINGS:
        raise NotAllowed(415, "this content coding is not understood")
    if request.method != "INVITE":  # an INVITE's is looked into where it is read
        kind = media_type(request.get("Content-Type") or "")
        if kind not in BODIES and not kind.startswith("multipart/"):
            raise NotAllowed(415, "this kind of body is not understood")


def explain(response: Response, request: Request) -> None:
    """Add what RFC 3261 table 2 wants in a response of this status: what is served, or what was not understood."""
    status = response.status
    if status in _EXPLAINING:
        response.add("Allow", ALLOW)
    if status == 200:
        response.add("Supported", ", ".join(_tags_for(request)))
    if status == 415 or (status == 200 and request.method == "OPTIONS"):
        response.add("Accept", ACCEPT)
        response.add("Accept-Encoding", ACCEPT_ENCODING)
    if status == 489 or (status == 200 and request.method == "OPTIONS"):
        response.add("Allow-Events", ALLOW_EVENTS)
    if status == 422:
        response.add("Min-SE", str(LEAST_S))
    if status == 420 and (tags := unsupported(request)):
        response.add("Unsupported", ", ".join(tags))


class Merged:
    """Requests outside dialogs that are being served, to know one that comes by another way (8.2.2.2).

    `lives(key)` says whether a transaction is still there. REGISTER is left out: it is not forked on its way, and
    its own order by CSeq refuses what is older (10.3). Bounded by the live transactions: each new request looks at
    the two oldest and drops those that are over.
    """

    def __init__(self, lives: Callable[[ServerKey], bool]) -> None:
        self._lives = lives
        self._served: OrderedDict[str, ServerKey] = OrderedDict()

    def __len__(self) -> int:
        return len(self._served)

    def check(self, request: Request, key: ServerKey) -> None:
        """Raises NotAllowed(482) for a request that another transaction already serves; remembers it otherwise."""
        if request.method == "REGISTER" or request.to.tag:
            return
        name = f"{request.from_.tag}\n{request.call_id}\n{request.get('CSeq')}"
        first = self._served.get(name)
        if first is not None and first != key and self._lives(first):
            raise NotAllowed(482, "")
        self._tidy()
        self._served[name] = key

    def _tidy(self) -> None:
        served = self._served
        for _ in range(min(2, len(served))):
            oldest = next(iter(served))
            if self._lives(served[oldest]):
                served.move_to_end(oldest)
            else:
                del served[oldest]
