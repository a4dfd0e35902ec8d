"""Who exists: an immutable view of the configuration that decisions are made on.

A snapshot is replaced, never changed; `version` is the journal position of the last configuration event in it, and
is what `Routed` names.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from domain.country import LANGUAGE
from domain.room import NOTHING
from domain.values import DIRECT, STRIP_ALL, IdentityPolicy, MediaPolicy


class Extension(msgspec.Struct, frozen=True):
    """A number inside a tenant; `devices` are the digest user names of its phones."""

    tenant: str
    number: str
    name: str
    devices: tuple[str, ...]
    ring_s: int = 60
    media: MediaPolicy = DIRECT


class Room(msgspec.Struct, frozen=True):
    """A number inside a tenant by which a conference is joined; PINs are sealed, empty where none is asked for.

    `language` is what is spoken there, empty for that of its tenant.
    """

    tenant: str
    number: str
    name: str
    pin: str = ""
    moderator_pin: str = ""
    language: str = ""
    announce: str = NOTHING
    """one of `domain.room.ANNOUNCED`"""


class Box(msgspec.Struct, frozen=True):
    """A mailbox, by the number whose messages are in it: those that nobody answered, if an extension has the number.

    As declared (`domain.letterbox.Wanted`): the PIN is sealed, empty where none is asked for.
    """

    tenant: str
    number: str
    pin: str = ""
    pinless: bool = False
    language: str = ""
    greetings: Mapping[str, str] = {}
    message_s: int = 180
    messages: int = 100
    keep_days: int = 30
    email: str = ""


class Tenant(msgspec.Struct, frozen=True):
    """A customer: its SIP domains in lower case, the first one being the main one."""

    slug: str
    name: str
    domains: tuple[str, ...]
    country: str
    timezone: str
    identity: IdentityPolicy = STRIP_ALL
    language: str = LANGUAGE
    """what its callers are spoken to in, as declared or as in its country"""
    voicemail: str = ""
    """the number that is dialled to hear one's messages, empty for none"""


class Directory(msgspec.Struct, frozen=True):
    """Look-ups by exact key: their cost does not depend on the number of tenants."""

    version: int = 0
    tenants: Mapping[str, Tenant] = {}
    domains: Mapping[str, str] = {}
    """SIP domain -> tenant slug"""
    extensions: Mapping[tuple[str, str], Extension] = {}
    """(tenant, number) -> extension"""
    devices: Mapping[tuple[str, str], Extension] = {}
    """(tenant, device user name) -> its extension"""
    rooms: Mapping[tuple[str, str], Room] = {}
    """(tenant, number) -> room"""
    boxes: Mapping[tuple[str, str], Box] = {}
    """(tenant, number) -> mailbox"""

    def tenant_of(self, domain: str) -> str | None:
        """The tenant that a SIP domain belongs to."""
        return self.domains.get(domain.lower())

    def extension(self, tenant: str, number: str) -> Extension | None:
        return self.extensions.get((tenant, number))

    def room(self, tenant: str, number: str) -> Room | None:
        return self.rooms.get((tenant, number))

    def language(self, tenant: str, number: str = "") -> str:
        """What is spoken to callers of a tenant, or in one of its rooms, or at one of its mailboxes."""
        declared = self.rooms.get((tenant, number)) or self.boxes.get((tenant, number))
        owner = self.tenants.get(tenant)
        return (declared.language if declared else "") or (owner.language if owner else LANGUAGE)

    def box(self, tenant: str, number: str) -> Box | None:
        return self.boxes.get((tenant, number))

    def voicemail(self, tenant: str) -> str:
        """The number that is dialled to hear one's messages; empty for none."""
        known = self.tenants.get(tenant)
        return known.voicemail if known is not None else ""

    def extension_of(self, tenant: str, device: str) -> Extension | None:
        """The extension whose phone has this user name."""
        return self.devices.get((tenant, device))
