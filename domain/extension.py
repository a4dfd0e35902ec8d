"""The aggregate `Extension`: a number inside a tenant and the devices that ring for it.

No secret is ever in an event: a device carries a fingerprint of its credential (a keyed hash), which only tells that
the credential has changed.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec

from domain import base
from domain.base import Aggregate, Event, Step, fact
from domain.ids import CONFIG_SHARD, named_stream_id
from domain.values import DIRECT, MediaPolicy

DEFAULT_RING_S = 60


def extension_id(tenant: str, number: str) -> UUID:
    """The stream of the extension."""
    return named_stream_id(CONFIG_SHARD, "extension", tenant, number)


class Device(msgspec.Struct, frozen=True):
    """A phone: its digest user name and the fingerprint of its credential."""

    username: str
    credential: str


class Wanted(NamedTuple):
    """All that is declared of an extension beside its number."""

    name: str
    ring_s: int
    devices: tuple[Device, ...]
    media: MediaPolicy = DIRECT


class Extension(Aggregate):
    """What is declared about a number. The default device's user name is the number."""

    TOPIC = "extension"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.name = ""
        self.ring_s = DEFAULT_RING_S
        self.devices: tuple[Device, ...] = ()
        self.media = DIRECT

    @fact
    class Created(base.Created):
        """The number can be called from now on."""

        TOPIC = "extension.created.2"
        FORMER = ("extension.created.1",)

        number: str
        name: str
        ring_s: int
        devices: tuple[Device, ...]
        media: MediaPolicy = DIRECT

        def apply(self, aggregate: Extension) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number
            aggregate.name = self.name
            aggregate.ring_s = self.ring_s
            aggregate.devices = self.devices
            aggregate.media = self.media

    @fact
    class Changed(Event):
        """The extension is declared otherwise; the fields are the whole new declaration."""

        TOPIC = "extension.changed.2"
        FORMER = ("extension.changed.1",)

        number: str
        name: str
        ring_s: int
        devices: tuple[Device, ...]
        media: MediaPolicy = DIRECT

        def apply(self, aggregate: Extension) -> None:
            aggregate.name = self.name
            aggregate.ring_s = self.ring_s
            aggregate.devices = self.devices
            aggregate.media = self.media


EVENTS: tuple[type[Event], ...] = (Extension.Created, Extension.Changed)


def declare(current: Extension | None, number: str, wanted: Wanted, step: Step) -> Event | None:
    """The event that makes the extension so; None if it is so already."""
    if current is None:
        return Extension.Created(step.stream, step.version + 1, step.at, step.context, Extension.TOPIC, number, *wanted)
    if Wanted(current.name, current.ring_s, current.devices, current.media) == wanted:
        return None
    return Extension.Changed(step.stream, step.version + 1, step.at, step.context, number, *wanted)


def shown_media(media: MediaPolicy) -> dict[str, object]:
    """It as the declared format has it, as far as it is not as usual."""
    shown: dict[str, object] = {}
    how: dict[str, object] = {"mode": media.recording, "layout": media.layout}
    if media.keep_days:
        how["keep_days"] = media.keep_days
    if media.announce:
        how["announce"] = True
    if not media.keys:
        how["keys"] = False
    if how != {"mode": DIRECT.recording, "layout": DIRECT.layout}:
        shown["recording"] = how
    if media.relayed:
        shown["media"] = "relay"
    if media.srtp is not None:
        shown["srtp"] = media.srtp
    if not media.transcode:
        shown["transcode"] = False
    return shown
