"""What a request may ask of the way on which it goes: through where (Route), and how securely (sips).

What may live here: refusals before anybody is asked who they are. No state.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.sip.message.error import NotAllowed
from adapters.sip.message.header import NameAddr
from adapters.sip.message.message import MessageError, Request
from adapters.sip.message.uri import Uri
from domain.values import Flow


def check_route(request: Request, ours: Callable[[Uri], bool]) -> None:
    """This server is where a route ends (RFC 3261 16.4): it sends nothing on to a place that a peer names.

    The first Route is the way by which the request came here, whatever name of ours it has; any further one must be
    ours as well, such as the Service-Route. Raises NotAllowed(403), or MessageError(400).
    """
    for place, value in enumerate(request.get_all("Route")):
        try:
            uri = NameAddr.parse(value).uri
        except ValueError as error:
            raise MessageError(400, "Malformed Route", request) from error
        if place and not ours(uri):
            raise NotAllowed(403, "this server is no proxy for other places")


def check_secure(request: Request, flow: Flow) -> None:
    """A sips URI asks for TLS on every hop (RFC 3261 26.2.2), this one included. Raises NotAllowed(403)."""
    if flow.transport != "tls" and request.uri[:5].lower() == "sips:":
        raise NotAllowed(403, "a sips URI needs TLS")
