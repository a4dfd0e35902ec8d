"""Value objects that events carry. Frozen, comparable, JSON-encodable; no behaviour that needs a clock or chance."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Flow(msgspec.Struct, frozen=True, order=True):
    """The way by which a peer was heard and can be answered (RFC 5626's flow).

    `transport` is `udp`, `tcp` or `tls`, or `media` for what ends at media of our own and is in no network;
    `local` and `remote` are `host:port` (IPv6 in brackets);
    `connection` numbers the stream connection within this run of the process (0 for UDP). `node` is whose socket it
    is, by name; empty where there is one node only.
    """

    transport: str
    local: str
    remote: str
    connection: int = 0
    node: str = ""


MEDIA = Flow("media", "", "")


class Venue(msgspec.Struct, frozen=True):
    """Where at our own media a leg ends: which kind of thing, by its number inside the tenant."""

    kind: str
    number: str


ROOM = "room"
"""The kind of a venue where all callers hear each other."""
MAILBOX = "mailbox"
"""Where a caller leaves a message."""
MESSAGES = "messages"
"""Where a caller hears the messages for its own number."""


class Dialog(msgspec.Struct, frozen=True):
    """A SIP dialog as the journal keeps it (RFC 3261 section 12). The domain stores it and hands it back.

    `routes` is the route set in the order in which requests carry it. `device` is the digest user name of the
    phone at the other end; with `instance` it finds the phone again when its connection is gone.
    """

    call_id: str
    local_tag: str
    remote_tag: str
    local_uri: str
    remote_uri: str
    remote_target: str
    routes: tuple[str, ...]
    local_cseq: int
    remote_cseq: int
    flow: Flow
    device: str = ""
    instance: str = ""


class Transaction(msgspec.Struct, frozen=True):
    """A request of the peer's that is still to be answered: what a response copies from it (RFC 3261 8.2.6)."""

    method: str
    branch: str
    cseq: int
    call_id: str
    from_: str
    to: str
    vias: tuple[str, ...]
    record_routes: tuple[str, ...]
    flow: Flow


class Contact(msgspec.Struct, frozen=True):
    """One binding of an address-of-record (RFC 3261 section 10): where a device can be reached, and until when.

    `reg_id` numbers the flows of one instance (RFC 5626), 0 if it has one flow only. `q` is the device's own
    preference in thousandths.
    """

    uri: str
    device: str
    flow: Flow
    path: tuple[str, ...]
    instance: str
    user_agent: str
    expires_at: datetime
    call_id: str
    cseq: int
    reg_id: int = 0
    q: int = 1000

    @property
    def key(self) -> str:
        """Tells the bindings of one address-of-record apart."""
        return binding_key(self.uri, self.instance, self.reg_id)


def binding_key(uri: str, instance: str, reg_id: int) -> str:
    """What names a binding: its flow of its instance (RFC 5626), or its URI."""
    if not instance:
        return uri
    return f"{instance};reg-id={reg_id}" if reg_id else instance


class IdentityPolicy(msgspec.Struct, frozen=True):
    """What a tenant's phones may say of the way that a call has come: `pass` or `strip` (RFC 5806, RFC 7044)."""

    diversion: str = "strip"
    history: str = "strip"


STRIP_ALL = IdentityPolicy()


class MediaPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of the media of an extension's calls.

    `recording` is `off`, `on_demand` or `always`; `layout` is `stereo` (the caller on the left) or `mixed`, `keep_days`
    how long a recording is kept, 0 for ever; `announce` says whether both parties are told when one begins, `keys`
    whether keys that are pressed in the audio begin one on demand: they are heard only if the media go through us from
    the beginning. `relayed` says whether media go through us for no other reason, `srtp` whether phones of the
    extension are offered SRTP; None: as the caller offers it. `transcode` says whether a call is brought through us of
    which the phones have no codec in common.
    """

    recording: str = "off"
    layout: str = "stereo"
    keep_days: int = 0
    announce: bool = False
    relayed: bool = False
    srtp: bool | None = None
    keys: bool = True
    transcode: bool = True

    @property
    def heard(self) -> bool:
        """Whether recordings, or what begins them, need the media to go through us from the beginning."""
        return self.recording == "always" or (self.recording == "on_demand" and self.keys)


DIRECT = MediaPolicy()


class Ability(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a phone says that it can do beyond a plain call.

    `confirms` progress when asked to, and `must_confirm` all of it; `updates` its media without a new invitation.
    """

    confirms: bool = False
    must_confirm: bool = False
    updates: bool = False


PLAIN = Ability()


class Cause(msgspec.Struct, frozen=True):
    """Why something ended: SIP status, Q.850 cause (RFC 3398's pairs) and words for people."""

    sip_status: int
    q850: int
    reason: str


NORMAL = Cause(200, 16, "normal clearing")
UNALLOCATED = Cause(404, 1, "no such number")
NOT_REGISTERED = Cause(480, 20, "no device is registered")
NO_ANSWER = Cause(480, 19, "nobody answered")
NO_MEDIA_WORKER = Cause(503, 41, "no media worker has answered")
CANCELLED = Cause(487, 16, "cancelled by the caller")
ANSWERED_ELSEWHERE = Cause(200, 26, "answered elsewhere")
LATE_ANSWER = Cause(487, 26, "answered after the call had gone")
NOT_ACKNOWLEDGED = Cause(408, 102, "the caller never acknowledged the answer")
UNREACHABLE = Cause(503, 27, "the connection to the device is gone")
NOT_CONFIRMED = Cause(504, 102, "the caller never confirmed the progress of its call")
SESSION_LOST = Cause(408, 102, "the session was not refreshed in time")
VANISHED = Cause(408, 27, "the other side no longer knows the call")
EARLY_OVER = Cause(487, 31, "the early dialog ended before the change was agreed")
OVERTAKEN = Cause(491, 31, "the call was answered before the change was agreed")
GONE = frozenset({408, 481})
"""Statuses of a request inside a dialog by which its peer shows that it is gone (RFC 3261 12.2.1.2)."""
