"""The answer to a request that cannot be taken, without any state (RFC 3261 8.2.7)."""

from __future__ import annotations

import contextlib
import hashlib

from adapters.sip.message.message import MessageError, Response, response_to
from adapters.sip.message.text import to_wire
from adapters.sip.message.via import stamp_via
from domain.values import Flow


def answer_to(error: MessageError, flow: Flow) -> Response | None:
    """For a request that came by `flow` and could be read far enough; None for everything else."""
    request = error.request
    if request is None or request.method == "ACK":
        return None
    tag = hashlib.blake2b(to_wire(request.get("Via") or ""), digest_size=8).hexdigest()  # the same at each repetition
    try:
        with contextlib.suppress(MessageError):  # a Via that cannot be read goes back as it came, to its sender
            stamp_via(request, flow)
        return response_to(request, error.status, error.reason, tag)
    except MessageError:  # not even what a response copies can be read
        return None
