"""The first request to a device, which offers it a call or a message, with every identifier that it carries. Pure."""

from __future__ import annotations

from uuid import UUID

from domain.call.scene import World
from domain.call.state import DialedLeg
from domain.call.terms import Terms
from domain.ids import leg_id
from domain.values import MEDIA, Contact, Dialog, Venue


def dialed_leg(
    call: UUID, index: int, caller: str, callee: tuple[str, str], contact: Contact, world: World, diverted: str = ""
) -> DialedLeg:
    """The leg `index` of a call from the URI `caller` to (number, domain), at one binding of that number.

    `diverted` is the number whose device named this one instead.
    """
    leg, identifiers = leg_id(call, index), world.identifiers
    dialog = first_dialog(identifiers.call_id(leg), identifiers.tag(leg), caller, callee, contact)
    return DialedLeg(leg, callee[0], contact.device, contact.user_agent, dialog, diverted, Terms(world.session_s))


def media_leg(call: UUID, index: int, caller: str, venue: Venue, domain: str, world: World) -> DialedLeg:
    """The leg `index` of a call from the URI `caller` that ends at our media, at a venue of the domain.

    Its session needs no refreshing: it is lost with the whole node only.
    """
    leg = leg_id(call, index)
    dialog = Dialog(
        call_id=world.identifiers.call_id(leg),
        local_tag=world.identifiers.tag(leg),
        remote_tag="",
        local_uri=caller,
        remote_uri=f"sip:{venue.number}@{domain}",
        remote_target="",
        routes=(),
        local_cseq=1,
        remote_cseq=0,
        flow=MEDIA,
    )
    return DialedLeg(leg, venue.number, "", "", dialog, kind=venue.kind)


def first_dialog(call_id: str, tag: str, caller: str, callee: tuple[str, str], contact: Contact) -> Dialog:
    """What the first request from the URI `caller` to (number, domain) at a binding of it says; no answer came yet."""
    number, domain = callee
    return Dialog(
        call_id=call_id,
        local_tag=tag,
        remote_tag="",
        local_uri=caller,
        remote_uri=f"sip:{number}@{domain}",
        remote_target=contact.uri,
        routes=contact.path,
        local_cseq=1,
        remote_cseq=0,
        flow=contact.flow,
        device=contact.device,
        instance=contact.instance,
    )
