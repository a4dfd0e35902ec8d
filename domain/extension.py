"""The aggregate `Extension`: a number inside a tenant and the devices that ring for it.

No secret is ever in an event: a device carries a fingerprint of its credential (a keyed hash), which only tells that
the credential has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from domain import base
from domain.base import Aggregate, Event, Step
from domain.ids import CONFIG_SHARD, named_stream_id

DEFAULT_RING_S = 60


def extension_id(tenant: str, number: str) -> UUID:
    """The stream of the extension."""
    return named_stream_id(CONFIG_SHARD, "extension", tenant, number)


class Device(msgspec.Struct, frozen=True):
    """A phone: its digest user name and the fingerprint of its credential."""

    username: str
    credential: str


class Extension(Aggregate):
    """What is declared about a number. The default device's user name is the number."""

    TOPIC = "extension"

    def __init__(self) -> None:
        self.tenant = ""
        self.number = ""
        self.name = ""
        self.ring_s = DEFAULT_RING_S
        self.devices: tuple[Device, ...] = ()

    @dataclass(frozen=True)
    class Created(base.Created):
        """The number can be called from now on."""

        TOPIC = "extension.created.1"

        number: str
        name: str
        ring_s: int
        devices: tuple[Device, ...]

        def apply(self, aggregate: Extension) -> None:
            aggregate.tenant = self.context.tenant
            aggregate.number = self.number
            aggregate.name = self.name
            aggregate.ring_s = self.ring_s
            aggregate.devices = self.devices

    @dataclass(frozen=True)
    class Changed(Event):
        """The extension is declared otherwise; the fields are the whole new declaration."""

        TOPIC = "extension.changed.1"

        number: str
        name: str
        ring_s: int
        devices: tuple[Device, ...]

        def apply(self, aggregate: Extension) -> None:
            aggregate.name = self.name
            aggregate.ring_s = self.ring_s
            aggregate.devices = self.devices


EVENTS: tuple[type[Event], ...] = (Extension.Created, Extension.Changed)


def declare(
    current: Extension | None, number: str, name: str, ring_s: int, devices: tuple[Device, ...], step: Step
) -> Event | None:
    """The event that makes the extension so; None if it is so already."""
    if current is None:
        return Extension.Created(
            step.stream,
            step.version + 1,
            step.at,
            step.context,
            originator_topic=Extension.TOPIC,
            number=number,
            name=name,
            ring_s=ring_s,
            devices=devices,
        )
    if (current.name, current.ring_s, current.devices) == (name, ring_s, devices):
        return None
    return Extension.Changed(step.stream, step.version + 1, step.at, step.context, number, name, ring_s, devices)
