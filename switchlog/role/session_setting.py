"""What the settings say to a session, be its node alone or one of several: its parts, and where it hears phones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from adapters.keys.store import SecretStore
from adapters.sip.gate.gate import GateSettings, Policy
from adapters.sip.gate.source import SourceLimits
from adapters.sip.message.via import join_host_port
from domain.ports import Journal
from switchlog.node.worker import is_edge, media_numbers
from switchlog.office.office import Office
from switchlog.session.session import Session
from switchlog.session.wiring import SessionParts
from switchlog.setting.address import addresses, networks
from switchlog.setting.folder import MEDIA_KEYS, SPOOL, media_socket, socket_name
from switchlog.store.storage import storage_of
from switchlog.studio.clerk import Clerk
from switchlog.studio.reel import ReelStore
from switchlog.studio.studio import MediaSettings
from switchlog.tls.context import Tls

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings


def session_parts(
    settings: Settings, store: SecretStore, journal: Journal, office: Office, epochs: Mapping[int, int]
) -> SessionParts:
    """Of a session that begins with the shards of `epochs`."""
    return SessionParts(
        node=settings.node,
        journal=journal,
        epochs=epochs,
        credentials=store,
        sealer=store,
        directory=office.directory,
        identifier_secret=store.wire_secret("identifier"),
        nonce_secret=store.wire_secret("nonce"),
        media_secret=store.wire_secret("media certificate"),
        algorithms=settings.digest_algorithms,
        session_s=settings.session_expires,
        gate=_gate(settings),
        probe_s=settings.probe_s,
        media=_media(settings),
        reels=ReelStore(lambda: storage_of(settings), (settings.data / SPOOL).absolute(), store.wire_secret),
        clerk=_clerk(settings),
    )


def _media(settings: Settings) -> MediaSettings | None:
    if settings.media_range is None or is_edge(settings):  # which has no shards, and so no rooms
        return None
    workers = tuple(socket_name(settings.data / media_socket(number)) for number in media_numbers(settings))
    keys, shared = settings.data / MEDIA_KEYS, settings.workers > 1
    return MediaSettings(*settings.media_range, workers, settings.media_advertise, keys, shared)


def no_media(settings: Settings) -> str:
    """Why nothing can be declared here that needs media of our own, such as conferences; empty if it can."""
    return "" if settings.media_range else "there are no ports for audio: set SWITCHLOG_MEDIA_PORTS and restart"


def _clerk(settings: Settings) -> Clerk:
    mailer = None
    if settings.mail_server is not None:
        from adapters.notify.mail import Mailer  # slow to load, and most send no mails

        mailer = Mailer(settings.mail_server)
    return Clerk(partial(storage_of, settings), (settings.data / SPOOL).absolute(), mailer)


async def listen(settings: Settings, session: Session, tls: Tls) -> None:
    """Open the addresses for phones. Raises EdgeError."""
    for transport, where in (("udp", settings.sip_udp), ("tcp", settings.sip_tcp), ("tls", settings.sip_tls)):
        for host, port in addresses(where):
            advertised = settings.advertised(host)
            advertise = join_host_port(advertised, port) if advertised else ""
            await session.listen(transport, host, port, advertise, tls.server if transport == "tls" else None)


def _gate(settings: Settings) -> GateSettings:
    allow, deny, exempt = (networks(one) for one in (settings.sip_allow, settings.sip_deny, settings.sip_exempt))
    return GateSettings(Policy(allow, deny, exempt), SourceLimits(rate=settings.sip_rate, burst=4 * settings.sip_rate))
