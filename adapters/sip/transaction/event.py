"""What the transaction layer tells its user (the TU, RFC 3261 section 5). Facts only: no methods, no behaviour."""

from __future__ import annotations

import msgspec

from adapters.sip.message.message import Request, Response
from adapters.sip.transaction.key import ClientKey, ServerKey
from domain.values import Flow


class RequestReceived(msgspec.Struct, frozen=True):
    """A new request (not an ACK, not a CANCEL), to be answered by `respond(key, ...)`."""

    key: ServerKey
    request: Request
    flow: Flow


class AckReceived(msgspec.Struct, frozen=True):
    """An ACK of a 2xx. `key` is the INVITE's transaction while it is alive, None otherwise.

    The TU checks the dialog, then calls `acknowledged(key)`; until then the 2xx goes on being repeated.
    """

    key: ServerKey | None
    request: Request
    flow: Flow


class CancelReceived(msgspec.Struct, frozen=True):
    """A CANCEL; the TU answers it by `key`. `invite_key` is the INVITE it means, None if there is none (481)."""

    key: ServerKey
    invite_key: ServerKey | None
    request: Request
    flow: Flow


class ResponseReceived(msgspec.Struct, frozen=True):
    """A response that the TU has not seen: every provisional, the first final, a 2xx of each new To tag.

    A 300-699 to an INVITE comes again with each repetition until the TU has acknowledged it.

    `ack` confirms a 300-699 to an INVITE, and where it goes: the TU hands it to `acknowledge` once it has noted the
    refusal for good, because the peer says it again only until then.
    """

    key: ClientKey
    response: Response
    flow: Flow
    ack: tuple[Request, Flow] | None = None


class StrayResponse(msgspec.Struct, frozen=True):
    """A response without a transaction: late, forged, or of a transaction from before a restart."""

    response: Response
    flow: Flow


class TimedOut(msgspec.Struct, frozen=True):
    """No final response in time (timers B and F, or 64*T1 after a CANCEL). RFC 3261 8.1.3.1: like a 408."""

    key: ClientKey


class TransportFailed(msgspec.Struct, frozen=True):
    """The flow was lost before a final response. RFC 3261 8.1.3.1: like a 503."""

    key: ClientKey


class Unacknowledged(msgspec.Struct, frozen=True):
    """Our 2xx had no ACK for 64*T1: the TU ends the dialog with a BYE (RFC 3261 13.3.1.4).

    One that was taken up after a restart (`restored`) may have had it before.
    """

    key: ServerKey
    restored: bool = False


class Unconfirmed(msgspec.Struct, frozen=True):
    """Our reliable provisional response had no PRACK for 64*T1: the TU refuses the INVITE with a 5xx (RFC 3262)."""

    key: ServerKey


Event = (
    RequestReceived
    | AckReceived
    | CancelReceived
    | ResponseReceived
    | StrayResponse
    | TimedOut
    | TransportFailed
    | Unacknowledged
    | Unconfirmed
)
