"""A device that is to be offered a call, with every identifier that the offer carries. Pure."""

from __future__ import annotations

from uuid import UUID

from domain.call.piece import DialedLeg
from domain.call.scene import World
from domain.call.session import Terms
from domain.ids import leg_id
from domain.values import Contact, Dialog


def dialed_leg(
    call: UUID, index: int, caller: str, callee: tuple[str, str], contact: Contact, world: World, diverted: str = ""
) -> DialedLeg:
    """The leg `index` of a call from the URI `caller` to (number, domain), at one binding of that number.

    `diverted` is the number whose device named this one instead.
    """
    leg, (number, domain) = leg_id(call, index), callee
    dialog = Dialog(
        call_id=world.identifiers.call_id(leg),
        local_tag=world.identifiers.tag(leg),
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
    return DialedLeg(leg, number, contact.device, contact.user_agent, dialog, diverted, Terms(world.session_s))
