"""A node of several workers: its processes, and what the settings mean for each of them.

One is the edge, which has the addresses for phones and no shards. The others are workers, which hold shards and have no
addresses but the link. To each other, and to other nodes, all of them are nodes (`docs/decisions/0056-workers.md`).

What may live here: names, and what follows from settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from adapters.sip.message.via import join_host_port
from domain.node import number_of, worker_of
from switchlog.node.near import NearSockets
from switchlog.node.strain import StrainFile, Strains
from switchlog.setting.address import address
from switchlog.setting.folder import LINKS, SESSIONS_SOCKET
from switchlog.setting.given import Given

if TYPE_CHECKING:
    from switchlog.session.wiring import SessionParts
    from switchlog.setting.settings import Settings

SESSIONS = "sessions"
MEDIA = "media"
EDGE = "edge"


def parts_of(role: str, settings: Settings) -> tuple[str, ...]:
    """The processes of a role, in the order in which they are ended: the edge hears phones as long as others answer."""
    if role == MEDIA:
        return tuple(f"{MEDIA}-{number}" for number in media_numbers(settings))
    if role != SESSIONS or settings.workers == 1:
        return (role,)
    return (*(f"{SESSIONS}-{number}" for number in range(1, settings.workers + 1)), EDGE)


def media_numbers(settings: Settings) -> range:
    """Of the media workers; there is one more than mix."""
    return range(1, settings.media_workers + 2)


def role_of(part: str) -> str:
    """The role of a process."""
    return SESSIONS if part == EDGE else part.partition("-")[0]


def seated(settings: Settings, part: str) -> Settings:
    """The settings of a process: those of its node, but for what a worker has of its own."""
    role, _, number = part.partition("-")
    if role not in (SESSIONS, MEDIA) or not number:
        return settings
    name = worker_of(settings.node, int(number))
    if role == MEDIA:
        return cast("Settings", Given({**vars(settings), "node": name}))
    links = {name: _later(getattr(settings, name), int(number)) for name in ("link", "link_advertise")}
    phones = dict.fromkeys(("sip_udp", "sip_tcp", "sip_tls", "hep"), "")
    return cast("Settings", Given({**vars(settings), **links, **phones, "trace_bytes": 0, "node": name}))


def is_edge(settings: Settings) -> bool:
    """Whether these are the settings of an edge."""
    return settings.workers > 1 and not number_of(settings.node)


def with_others(parts: SessionParts, settings: Settings) -> SessionParts:
    """What a session has to do with the other processes of its node: nothing where there is but one.

    Raises OSError.
    """
    if settings.workers == 1:
        return parts
    folder = settings.data / LINKS
    parts = parts._replace(near=NearSockets(folder, settings.node))
    if not is_edge(settings):
        return parts._replace(tell_strain=StrainFile(folder / f"{settings.node}.strain").tell)
    names = (worker_of(settings.node, number) for number in range(1, settings.workers + 1))
    return parts._replace(strain_elsewhere=Strains([folder / f"{name}.strain" for name in names]).worst)


def socket_of(settings: Settings) -> str:
    """Where a process hears commands: the edge speaks for its node."""
    number = number_of(settings.node) if settings.workers > 1 else 0
    return socket_of_worker(number) if number else SESSIONS_SOCKET


def socket_of_worker(number: int) -> str:
    """Where one of several workers hears commands."""
    return f"{SESSIONS}-{number}.sock"


def _later(where: str, number: int) -> str:
    """`host:port`, so many ports later; port 0 is any."""
    if not where:
        return ""
    host, port = address(where)
    return join_host_port(host, port + number if port else 0)
