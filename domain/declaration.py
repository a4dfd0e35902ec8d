"""What a file declares: tenants with their extensions, devices and conferences, checked as far as one file can be.

What may live here: shapes and rules of the declared format. What contradicts the rest of the system (a domain or a
device name that somebody else has) is checked by the office, which knows the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from zoneinfo import available_timezones

import msgspec

from domain.country import CODES
from domain.declaration_mailbox import MailboxDeclaration, mailbox
from domain.document import Item, Mapping, read
from domain.extension import DEFAULT_RING_S
from domain.room import ANNOUNCED, TONES
from domain.values import DIRECT, STRIP_ALL, IdentityPolicy, MediaPolicy
from domain.word import has_pin, language, line, match
from domain.word import number as number_of
from domain.word import pin as pin_of

HA1_HEX = {"SHA-256": 64, "MD5": 32}
"""Digest algorithm -> length of an HA1 in hexadecimal digits."""

_THINGS = frozenset({"extensions", "conferences", "mailboxes"})
_TENANT = frozenset({"slug", "name", "domains", "country", "timezone", "identity", "language", "voicemail"}) | _THINGS
_IDENTITY = frozenset({"diversion", "history"})
_PASSING = ("pass", "strip")
_EXTENSION = frozenset(
    {"number", "name", "ring_s", "password", "ha1", "devices", "recording", "media", "srtp", "transcode"}
)
_RECORDING = frozenset({"mode", "layout", "keep_days", "announce", "keys"})
_DEVICE = frozenset({"username", "password", "ha1"})
_CONFERENCE = frozenset(
    {"number", "name", "pin", "moderator_pin", "has_pin", "has_moderator_pin", "language", "announce"}
)
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_USERNAME = re.compile(r"[A-Za-z0-9._~*#+-]{1,64}")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
MAX_NAME = 200
MOST_DAYS = 36_500
MAX_PASSWORD = 256


class DeviceDeclaration(msgspec.Struct, frozen=True):
    """A phone. `ha1` is domain -> algorithm -> H(username:domain:password), the domain empty for the main one.

    Neither `password` nor `ha1` = the credential that the device has stays.
    """

    place: Item
    username: str
    password: str | None
    ha1: dict[str, dict[str, str]] | None

    @property
    def secret(self) -> bool:
        """Whether a credential is given."""
        return self.password is not None or self.ha1 is not None


class ExtensionDeclaration(msgspec.Struct, frozen=True):
    """A number. `default` is the device whose user name is the number, if the declaration speaks of it."""

    place: Item
    number: str
    name: str
    ring_s: int
    default: DeviceDeclaration | None
    devices: tuple[DeviceDeclaration, ...]
    media: MediaPolicy = DIRECT


class ConferenceDeclaration(msgspec.Struct, frozen=True):
    """A room. A PIN is digits, empty for none from now on, or None = as it is.

    `kept` names the PINs that it has to have already: an export says of them no more than that.
    """

    place: Item
    number: str
    name: str
    pin: str | None
    moderator_pin: str | None
    kept: tuple[str, ...]
    language: str
    announce: str


class TenantDeclaration(msgspec.Struct, frozen=True):
    """A customer with those of its extensions and conferences that the file names.

    `domain_places` are where each domain stands.
    """

    place: Item
    domain_places: tuple[Item, ...]
    slug: str
    name: str
    domains: tuple[str, ...]
    country: str
    timezone: str
    language: str
    """in lower case, empty for that of its country"""
    identity: IdentityPolicy
    extensions: tuple[ExtensionDeclaration, ...]
    conferences: tuple[ConferenceDeclaration, ...]
    mailboxes: tuple[MailboxDeclaration, ...]
    voicemail: str


class Document(msgspec.Struct, frozen=True):
    """A text with the name that errors call it by."""

    source: str
    text: str


def declared(documents: Sequence[Document]) -> tuple[TenantDeclaration, ...]:
    """The tenants of all documents. Raises Refusal(`invalid`) with source, line and field."""
    tenants: list[TenantDeclaration] = []
    for document in documents:
        root = read(document.text, document.source).mapping(frozenset({"tenants"}))
        tenants += [_tenant(item) for item in root.need("tenants").items()]
    _check_doubles((tenant.place.mapping().need("slug"), tenant.slug) for tenant in tenants)
    places = ((at, domain) for t in tenants for at, domain in zip(t.domain_places, t.domains, strict=True))
    _check_doubles(places)
    return tuple(tenants)


def _check_doubles(named: Iterator[tuple[Item, str]]) -> None:
    first: dict[str, Item] = {}
    for place, name in named:
        if name in first:
            other = first[name]
            place.refuse(f"{name!r} is doubled: it is already in {other.source} line {other.line}")
        first[name] = place


def _tenant(item: Item) -> TenantDeclaration:
    fields = item.mapping(_TENANT)
    domains = fields.need("domains")
    places = domains.items()
    if not places:
        domains.refuse("needs at least one SIP domain")
    extensions, conferences = fields.get("extensions"), fields.get("conferences")
    found = [_extension(one) for one in extensions.items()] if extensions else []
    rooms = [_conference(one) for one in conferences.items()] if conferences else []
    boxes = [mailbox(one) for one in given.items()] if (given := fields.get("mailboxes")) else []
    numbers = [(one.place, one.number) for one in found] + [(one.place, one.number) for one in rooms]
    _check_doubles((place.mapping().need("number"), number) for place, number in numbers)
    _check_doubles((one.place.mapping().need("number"), one.number) for one in boxes)
    _check_apart(boxes, rooms)
    _check_doubles((device.place, device.username) for one in found for device in _devices_of(one))
    return TenantDeclaration(
        place=item,
        domain_places=tuple(places),
        slug=match(fields.need("slug"), _SLUG, "lower-case letters, digits and hyphens, at most 63"),
        name=_name(fields.need("name")),
        domains=tuple(_domain(place) for place in places),
        country=_country(fields.need("country")),
        timezone=_timezone(fields.need("timezone")),
        identity=_identity(fields.get("identity")),
        language=language(fields.get("language")),
        extensions=tuple(found),
        conferences=tuple(rooms),
        mailboxes=tuple(boxes),
        voicemail=number_of(access) if (access := fields.get("voicemail")) else "",
    )


def _check_apart(boxes: Sequence[MailboxDeclaration], rooms: Sequence[ConferenceDeclaration]) -> None:
    taken = {room.number for room in rooms}
    for box in boxes:
        if box.number in taken:
            box.place.refuse(f"the number {box.number} belongs to a conference")


def _identity(item: Item | None) -> IdentityPolicy:
    if item is None:
        return STRIP_ALL
    fields = item.mapping(_IDENTITY)
    return IdentityPolicy(_passing(fields.get("diversion")), _passing(fields.get("history")))


def _passing(item: Item | None) -> str:
    return _one_of(item, _PASSING) if item else "strip"


def _devices_of(extension: ExtensionDeclaration) -> Iterator[DeviceDeclaration]:
    if extension.default is not None:
        yield extension.default
    yield from extension.devices


def _extension(item: Item) -> ExtensionDeclaration:
    fields = item.mapping(_EXTENSION)
    place = fields.need("number")
    number = number_of(place)
    name, ring, devices = fields.get("name"), fields.get("ring_s"), fields.get("devices")
    default = _credential(fields, place, number)
    return ExtensionDeclaration(
        place=item,
        number=number,
        name=_name(name) if name else number,
        ring_s=ring.whole(1, 600) if ring else DEFAULT_RING_S,
        default=default if default.secret else None,
        devices=tuple(_device(one) for one in devices.items()) if devices else (),
        media=_media(fields),
    )


def _media(fields: Mapping) -> MediaPolicy:
    recording, media, srtp = fields.get("recording"), fields.get("media"), fields.get("srtp")
    how = recording.mapping(_RECORDING) if recording else None
    found = MediaPolicy(
        recording=_one_of(how.need("mode"), ("off", "on_demand", "always")) if how else DIRECT.recording,
        layout=_one_of(layout, ("stereo", "mixed")) if how and (layout := how.get("layout")) else DIRECT.layout,
        keep_days=keep.whole(1, MOST_DAYS) if how and (keep := how.get("keep_days")) else DIRECT.keep_days,
        announce=told.truth() if how and (told := how.get("announce")) else DIRECT.announce,
        keys=keys.truth() if how and (keys := how.get("keys")) else DIRECT.keys,
        relayed=media is not None and _one_of(media, ("direct", "relay")) == "relay",
        srtp=srtp.truth() if srtp is not None and not srtp.is_nothing else None,
        transcode=transcode.truth() if (transcode := fields.get("transcode")) else DIRECT.transcode,
    )
    return DIRECT if found == DIRECT else found


def _one_of(item: Item, words: Sequence[str]) -> str:
    value = item.text()
    if value not in words:
        item.refuse(f"{value!r} is not usable: {' or '.join(words)}")
    return value


def _conference(item: Item) -> ConferenceDeclaration:
    fields = item.mapping(_CONFERENCE)
    number = number_of(fields.need("number"))
    name, pin, moderator_pin = fields.get("name"), pin_of(fields.get("pin")), pin_of(fields.get("moderator_pin"))
    if pin and pin == moderator_pin:
        fields.need("moderator_pin").refuse("must be another PIN than that of all others")
    return ConferenceDeclaration(
        place=item,
        number=number,
        name=_name(name) if name else number,
        pin=pin,
        moderator_pin=moderator_pin,
        kept=tuple(one for one in ("pin", "moderator_pin") if has_pin(fields, one)),
        language=language(fields.get("language")),
        announce=_announce(fields.get("announce")),
    )


def _announce(item: Item | None) -> str:
    value = item.text() if item else TONES
    if item and value not in ANNOUNCED:
        item.refuse(f"{value!r} is not usable: {', '.join(ANNOUNCED)}")
    return value


def _device(item: Item) -> DeviceDeclaration:
    fields = item.mapping(_DEVICE)
    place = fields.need("username")
    return _credential(fields, place, match(place, _USERNAME, "letters, digits and . _ ~ * # + -, at most 64"))


def _credential(fields: Mapping, place: Item, username: str) -> DeviceDeclaration:
    password, ha1 = fields.get("password"), fields.get("ha1")
    if password and ha1:
        ha1.refuse("give either password or ha1, not both")
    return DeviceDeclaration(
        place=place,
        username=username,
        password=line(password, MAX_PASSWORD) if password else None,
        ha1=_ha1(ha1) if ha1 else None,
    )


def _ha1(item: Item) -> dict[str, dict[str, str]]:
    """`{SHA-256: ..., MD5: ...}` for a tenant with one domain, `{domain: {SHA-256: ...}}` for several."""
    named = list(item.mapping())
    if not named:
        item.refuse(f"needs at least one of {', '.join(HA1_HEX)}")
    if all(name in HA1_HEX for name, _ in named):
        return {"": _hashes(item)}
    return {_domain_name(name, value): _hashes(value) for name, value in named}


def _hashes(item: Item) -> dict[str, str]:
    found: dict[str, str] = {}
    for algorithm, value in item.mapping(frozenset(HA1_HEX)):
        text, length = value.text().lower(), HA1_HEX[algorithm]
        if not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
            value.refuse(f"must be {length} hexadecimal digits")
        found[algorithm] = text
    if not found:
        item.refuse(f"needs at least one of {', '.join(HA1_HEX)}")
    return found


def _domain(item: Item) -> str:
    return _domain_name(item.text(), item)


def _domain_name(text: str, item: Item) -> str:
    value = text.lower()
    if not _DOMAIN.fullmatch(value):
        item.refuse(f"{text!r} is not a domain name")
    return value


def _name(item: Item) -> str:
    return line(item, MAX_NAME)


def _country(item: Item) -> str:
    value = item.text()
    if value not in CODES:
        item.refuse(f"{value!r} is not a country code (ISO 3166, two capital letters such as GB)")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _timezone(item: Item) -> str:
    value = item.text()
    if value not in _zones():
        item.refuse(f"{value!r} is not a time zone of the IANA database (such as Europe/London)")
    return value
