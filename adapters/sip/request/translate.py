"""SIP into inputs of calls. Pure reading: what a request or response says, in the domain's words.

What may live here: functions from messages to `domain.call.input`. Authentication, dialogs' look-up and answers are
the application's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import unquote
from uuid import UUID

from adapters.sip.dialog.capability import ENCODINGS, RELIABLE
from adapters.sip.dialog.dialog import caller_dialog, confirmed, contact_uri, host_of, refreshed_target, transaction_of
from adapters.sip.dialog.reason import cause_of, heard
from adapters.sip.dialog.session_timer import TooBriefWish, minimum_of, terms_of, wish_of
from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import NameAddr
from adapters.sip.message.message import MessageError, Request, Response
from adapters.sip.message.multipart import SDP, NotUnderstood, is_optional, session_part
from adapters.sip.message.text import to_text
from adapters.sip.message.uri import Uri
from adapters.sip.request.gruu import Meant
from domain.call.input import (
    Answered,
    AnswerGiven,
    Failed,
    Input,
    Offer,
    ProgressConfirmed,
    Progressed,
    Redirected,
    Refreshed,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    TooBrief,
)
from domain.call.leg import Leg
from domain.call.presentation import OPEN, Presentation
from domain.call.terms import Wish
from domain.ports import Sealer
from domain.routing.directory import Directory, Extension
from domain.sdp import Sdp, map_crypto, media_line, sections
from domain.values import Ability, Flow, Transaction

_SDP_RANGES = (SDP, "application/*", "*/*")
_ESCAPES = re.compile(r"(?:[^%]|%[2-7][0-9A-Fa-f])*")  # of ASCII only, so that strict decoding cannot fail
USER_AGENT_LIMIT = 100
_OF_MEDIA = ("m=", "c=", "a=rtpmap:", "a=fmtp:", "a=crypto:")
_REDIRECTS = frozenset({300, 301, 302})
"""Statuses by which the callee names others; 305 and 380 ask for what we do not do."""
_TARGETS = 10


class Caller(NamedTuple):
    """Who asks: the tenant, the domain that chose it, the extension, and the device that proved itself."""

    tenant: str
    domain: str
    extension: Extension
    device: str
    instance: str
    shown: Presentation = OPEN


def request_uri(request: Request) -> Uri:
    """The Request-URI. Raises MessageError: 416 for a scheme that is not served, 400 for no URI at all."""
    try:
        return Uri.parse(request.uri)
    except ValueError as error:
        if request.uri.partition(":")[0].lower() not in ("sip", "sips", "tel"):
            raise MessageError(416, "", request) from error
        raise MessageError(400, "Malformed Request-URI", request) from error


def number_of(uri: Uri) -> str:
    """The number or name in a URI's user part: without its parameters (RFC 3966), escapes resolved (19.1.4).

    An escape that hides something unprintable stays as written: it names nobody, and is recorded as it came.
    """
    written = uri.user.partition(";")[0]
    plain = unquote(written, errors="strict") if "%" in written and _ESCAPES.fullmatch(written) else written
    return plain if plain.isprintable() else written


def tenant_of(request: Request, directory: Directory) -> tuple[str, str]:
    """(tenant, domain): by the Request-URI's domain, else by From's. Raises NotAllowed.

    A From of another tenant than the Request-URI's is refused: nothing crosses tenants.
    """
    asked, claimed = host_of(request_uri(request)), host_of(request.from_.uri)
    domain = asked if directory.tenant_of(asked) else claimed
    tenant = directory.tenant_of(domain)
    if tenant is None:
        raise NotAllowed(404, "no tenant has this domain")
    if directory.tenant_of(claimed) not in (None, tenant):
        raise NotAllowed(403, "this domain belongs to somebody else")
    return tenant, domain


def offer(request: Request, flow: Flow, call: UUID, caller: Caller, dialled: Meant, tag: str, sealer: Sealer) -> Offer:
    """An INVITE outside a dialog. Raises MessageError or NotAllowed if it offers no media that can be passed on."""
    sdp = offered_sdp(request, sealer)
    return Offer(
        cause=request.via.branch,
        actor=f"sip:{caller.device}",
        call=call,
        tenant=caller.tenant,
        domain=caller.domain,
        extension=caller.extension.number,
        name=caller.extension.name,
        dialled=dialled.number,
        instance=dialled.instance,
        secure=request.uri[:5].lower() == "sips:",
        dialog=caller_dialog(request, flow, tag, caller.device, caller.instance),
        transaction=transaction_of(request, flow),
        sdp=sdp,
        user_agent=user_agent(request),
        shown=caller.shown,
        ability=ability_of(request),
        wish=wish(request),
        encrypted="SAVP" in sdp,
    )


def wish(request: Request) -> Wish:
    """How long the session may last. Raises NotAllowed(422) for too short a time, MessageError for none that is one."""
    try:
        return wish_of(request)
    except TooBriefWish as why:
        raise NotAllowed(422, "") from why
    except ValueError as error:
        raise MessageError(400, str(error), request) from error


def change(request: Request, flow: Flow, leg: Leg, early: str, sealer: Sealer) -> Reoffered | Refreshed:
    """An INVITE or UPDATE inside a dialog: an offer, or the session's refresh if it changes no media.

    Before the answer it is in the early dialog that stands for leg `early`, whose media are its own: each offer counts.
    Raises NotAllowed or MessageError.
    """
    sdp, prompt = offered_sdp(request, sealer), request.method == "UPDATE"
    cause, actor, transaction = request.via.branch, f"leg:{leg.id}", transaction_of(request, flow)
    target = contact_uri(request)
    if (prompt and not sdp) or (sdp and not early and same_session(sdp, leg.sdp)):
        return Refreshed(cause, actor, leg.id, transaction, target, bool(sdp), wish(request), early)
    return Reoffered(cause, actor, leg.id, transaction, target, sdp, direction_of(sdp), prompt, wish(request), early)


def same_session(sdp: str, before: str) -> bool:
    """Whether a description says what the one before said; its keys are sealed anew each time, so they do not count."""
    return map_crypto(sdp, _no_key) == map_crypto(before, _no_key)


def same_media(sdp: str, before: str, sealer: Sealer) -> bool:
    """Whether the streams of a description are where those of the one before were, in the same formats and keys."""
    return _media(map_crypto(sdp, sealer.unseal)) == _media(map_crypto(before, sealer.unseal))


def _media(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith(_OF_MEDIA)]


def _no_key(key: str) -> str:
    return ""


def dial_response(response: Response, flow: Flow, leg: Leg, secure: bool, sealer: Sealer) -> Input | None:
    """A response to the INVITE that dialled a leg in a call that is `secure` or not; None for a 100.

    A tag may be missing (12.1.2).
    """
    cause, actor = response.via.branch, f"leg:{leg.id}"
    if response.status in _REDIRECTS and (targets := redirect_targets(response, secure)):
        return Redirected(cause, actor, leg.id, heard(response, cause_of(response.status, response.reason)), targets)
    if response.status == 422 and minimum_of(response) > leg.terms.interval_s:
        return TooBrief(cause, actor, leg.id, minimum_of(response))
    if response.status >= 300:
        return Failed(cause, actor, leg.id, heard(response, cause_of(response.status, response.reason)))
    if response.status == 100:
        return None
    dialog = confirmed(leg.dialog, response, flow)
    sdp = sealed_sdp(response, sealer)
    ability = ability_of(response)
    if response.status < 200:
        serial = serial_of(response) if ability.must_confirm else 0
        return Progressed(cause, actor, leg.id, dialog, sdp, user_agent(response), ability, serial)
    return Answered(cause, actor, leg.id, dialog, sdp, user_agent(response), ability, terms_of(response))


def serial_of(response: Response) -> int:
    """RSeq (RFC 3262 7.1), or 0: a response whose number cannot be read counts as one that asks for nothing."""
    text = (response.get("RSeq") or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**32 else 0


def progress_confirmed(prack: Request, flow: Flow, leg: str, invite: Transaction, sealer: Sealer) -> ProgressConfirmed:
    """A PRACK. Raises NotAllowed(481) if its RAck does not name a response to `invite`, MessageError for no RAck."""
    numbers = (prack.get("RAck") or "").split()
    if len(numbers) != 3 or not all(one.isascii() and one.isdecimal() and len(one) <= 10 for one in numbers[:2]):
        raise MessageError(400, "Malformed RAck", prack)
    if (int(numbers[1]), numbers[2]) != (invite.cseq, invite.method):
        raise NotAllowed(481, "")
    sdp = offered_sdp(prack, sealer)
    return ProgressConfirmed(prack.via.branch, f"leg:{leg}", leg, int(numbers[0]), transaction_of(prack, flow), sdp)


def ability_of(message: Request | Response) -> Ability:
    """What the peer says that it can do."""
    return _ability(
        ",".join(message.get_all("Supported")), ",".join(message.get_all("Require")), ",".join(message.get_all("Allow"))
    )


@lru_cache(maxsize=256)
def _ability(supported: str, required: str, allow: str) -> Ability:
    """Cached: phones of one make say the same in every message."""
    must = RELIABLE in _words(required)
    return Ability(confirms=must or RELIABLE in _words(supported), must_confirm=must, updates="update" in _words(allow))


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def redirect_targets(response: Response, secure: bool) -> tuple[tuple[str, str], ...]:
    """Whom a 3xx names, as (domain, number), by falling q (RFC 3261 20.10). What cannot be read is left aside, and in a
    secure call whatever is no sips URI (8.1.3.4, RFC 5630 section 5.3).
    """
    found = []
    try:
        values = response.get_all("Contact")
    except MessageError:
        return ()
    for value in values[:_TARGETS]:
        try:
            contact = NameAddr.parse(value)
            wanted = float(contact.params.get("q") or 1)
        except ValueError:  # MessageError is one
            continue
        if contact.uri.host and 0 <= wanted <= 1 and (not secure or contact.uri.scheme == "sips"):
            found.append((-wanted, host_of(contact.uri), number_of(contact.uri)))
    return tuple((domain, number) for _, domain, number in sorted(found, key=lambda one: one[0]))


def reoffer_response(response: Response, leg: Leg, number: int, sealer: Sealer) -> Input | None:
    """A response to the re-INVITE or UPDATE of ours with that number; None for a provisional one."""
    cause, actor = response.via.branch, f"leg:{leg.id}"
    if response.status < 200:
        return None
    if response.status >= 300:
        why = cause_of(response.status, response.reason)
        return ReofferRefused(cause, actor, leg.id, number, why, minimum_of(response), chance_of(cause))
    target = refreshed_target(response, leg.dialog.remote_target)
    sdp = sealed_sdp(response, sealer)
    terms, hears, kept = terms_of(response), has_audio(sdp), same_media(sdp, leg.sdp, sealer)
    return ReofferAccepted(cause, actor, leg.id, number, target, sdp, direction_of(sdp), terms, hears, kept)


def chance_of(branch: str) -> float:
    """A number from 0 to 1, the same for the same branch; nobody can guess it, since our branches end in a MAC."""
    return int.from_bytes(blake2b(branch.encode(), digest_size=4).digest(), "big") / 2**32


def answer_given(ack: Request, leg: str, sealer: Sealer) -> AnswerGiven:
    """The ACK of a 2xx that held an offer. What cannot be read in it is no answer: an ACK cannot be refused."""
    sdp = sealed_sdp(ack, sealer)
    try:
        Sdp.parse(sdp)
    except ValueError:
        sdp = ""
    return AnswerGiven(ack.via.branch, f"leg:{leg}", leg, sdp, direction_of(sdp))


def direction_of(sdp: str) -> str:
    """Which way the media go, from the view of who wrote this; both ways if it cannot be read."""
    try:
        return Sdp.parse(sdp).direction
    except ValueError:
        return "sendrecv"


def has_audio(sdp: str) -> bool:
    """Whether a stream of audio is open in it."""
    try:
        lines = [media_line(stream[0]) for stream in sections(sdp).streams]
    except ValueError:
        return False
    return any(line.kind == "audio" and line.port for line in lines)


def offered_sdp(request: Request, sealer: Sealer) -> str:
    """The offer of an INVITE with its SRTP keys sealed, or empty. Raises NotAllowed(406, 415) or MessageError(400)."""
    if not request.body:
        return ""  # the other side is to make the offer (13.2.1)
    try:
        part = _understood(request)
    except NotUnderstood as why:
        if ignores_body(request):
            return ""
        raise NotAllowed(415, str(why)) from why
    accepted = request.get_all("Accept")
    if accepted and not any(one.split(";")[0].strip().lower() in _SDP_RANGES for one in accepted):
        raise NotAllowed(406, "the answer could not be in a format that Accept names")
    sdp = map_crypto(to_text(part), sealer.seal)
    try:
        Sdp.parse(sdp)
    except ValueError as error:
        raise MessageError(400, f"SDP: {error}", request) from error
    return sdp


def ignores_body(request: Request) -> bool:
    """Whether a body that is not understood may be left aside: `handling=optional` (20.11)."""
    return is_optional(request.get("Content-Disposition") or "")


def _understood(request: Request) -> bytes:
    coding = (request.get("Content-Encoding") or "identity").strip().lower()
    if coding not in ENCODINGS:
        raise NotUnderstood("this content coding is not understood")
    return session_part(request.get("Content-Type") or "", request.body)


def sealed_sdp(message: Request | Response, sealer: Sealer) -> str:
    """The session description with its SRTP keys sealed; empty if there is none."""
    if not message.body:
        return ""
    try:
        part = session_part(message.get("Content-Type") or SDP, message.body)
    except NotUnderstood:
        return ""
    return map_crypto(to_text(part), sealer.seal)


def user_agent(message: Request | Response) -> str:
    return (message.get("User-Agent") or message.get("Server") or "")[:USER_AGENT_LIMIT]
