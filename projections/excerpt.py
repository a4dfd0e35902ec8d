"""What projections read of the frequent events: an excerpt of each, decoded without the rest.

An event is large (dialogs, SDP) and a projection needs a few of its fields. An excerpt has the fields of its event
that folds read, under the same names; whatever has no excerpt here, older versions of a type too, is decoded whole.
A fold must come to the same from both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from domain.base import Event
from domain.call.call import Call
from domain.catalog import topic
from domain.registration import Registration
from domain.values import Cause, binding_key
from projections.ports import Decode


class Writer(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.base.Context`."""

    tenant: str
    node: str
    epoch: int


class Excerpt(msgspec.Struct, frozen=True, gc=False):
    """What is read of every event."""

    originator_version: int
    timestamp: datetime
    context: Writer


Seen = Event | Excerpt
"""An event as a fold takes it in."""


class DialogName(msgspec.Struct, frozen=True, gc=False):
    call_id: str
    device: str = ""


class PlanName(msgspec.Struct, frozen=True, gc=False):
    rule: str
    version: int


class DialedName(msgspec.Struct, frozen=True, gc=False):
    leg: str
    number: str
    device: str
    user_agent: str
    dialog: DialogName
    kind: str = ""


class Offered(Excerpt, frozen=True, gc=False):
    originator_id: UUID
    leg: str
    extension: str
    name: str
    dialled: str
    dialog: DialogName
    user_agent: str


class Routed(Excerpt, frozen=True, gc=False):
    plan: PlanName


class LegsDialed(Excerpt, frozen=True, gc=False):
    legs: tuple[DialedName, ...]


class LegRinging(Excerpt, frozen=True, gc=False):
    leg: str
    user_agent: str


class Connected(Excerpt, frozen=True, gc=False):
    caller: str
    callee: str
    user_agent: str
    cancelled: tuple[str, ...]


class Ended(Excerpt, frozen=True, gc=False):
    by: str
    outcome: str
    why: Cause
    expected: tuple[str, ...] = ()


class FlowName(msgspec.Struct, frozen=True, gc=False):
    transport: str
    remote: str


class ContactName(msgspec.Struct, frozen=True, gc=False):
    uri: str
    device: str
    flow: FlowName
    instance: str
    user_agent: str
    expires_at: datetime
    reg_id: int

    @property
    def key(self) -> str:
        return binding_key(self.uri, self.instance, self.reg_id)


class ContactBound(Excerpt, frozen=True, gc=False):
    number: str
    contact: ContactName
    replaces: str
    replaces_key: str


EXCERPTS: Mapping[type[Event], type[Excerpt]] = {
    Call.Offered: Offered,
    Call.Routed: Routed,
    Call.LegsDialed: LegsDialed,
    Call.LegRinging: LegRinging,
    Call.Connected: Connected,
    Call.Ended: Ended,
    Registration.ContactBound: ContactBound,
}
"""Event -> its excerpt."""


def table(handlers: Mapping[type[Event], Callable[..., None]]) -> dict[type, Callable[..., None]]:
    """`handlers` by event, for their excerpts as well."""
    return {**handlers, **{EXCERPTS[event]: handler for event, handler in handlers.items() if event in EXCERPTS}}


@cache
def _decoders() -> dict[str, msgspec.json.Decoder[Any]]:
    return {topic(event): msgspec.json.Decoder(excerpt) for event, excerpt in EXCERPTS.items()}


def excerpts(decode: Decode) -> Callable[[str, bytes], Seen]:
    """(type, data) -> the excerpt, or the event by `decode`, which also says what is wrong with bytes that are none."""
    decoders = _decoders()

    def read(kind: str, data: bytes) -> Seen:
        decoder = decoders.get(kind)
        if decoder is not None:
            try:
                seen: Excerpt = decoder.decode(data)
            except msgspec.DecodeError:
                return decode(kind, data)
            return seen
        return decode(kind, data)

    return read
