"""The TLS contexts of the sessions: from the files that the settings name, at the start and whenever that is asked.

What may live here: which files there are and when they are read. What is in them is `certificate`'s.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from switchlog.setting.address import addresses, is_wildcard
from switchlog.tls.certificate import CertificateError, client_context, self_signed, server_context

if TYPE_CHECKING:
    from switchlog.setting.settings import Settings

_log = structlog.get_logger(__name__)


class Tls(NamedTuple):
    """The contexts of connections in and out; `server` is None if nobody is to come by TLS."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext


def read_tls(settings: Settings, now: datetime) -> Tls:
    """From the files as they are now. Raises CertificateError; `now` dates what is made at the first start."""
    ca = Path(settings.tls_ca) if settings.tls_ca else None
    if settings.tls_cert:
        cert, key = Path(settings.tls_cert), Path(settings.tls_key)
        return Tls(server_context(cert, key, ca, settings.tls_client), client_context(cert, key, ca))
    if not settings.sip_tls:
        return Tls(None, client_context(None, None, ca))
    hosts = [one.host for one in addresses(settings.sip_tls)]
    names = dict.fromkeys([*(settings.advertised(host) for host in hosts), *hosts, "localhost"])
    made = self_signed(settings.data, now, tuple(name for name in names if name and not is_wildcard(name)))
    return Tls(server_context(*made, ca, settings.tls_client), client_context(None, None, ca))


def read_link(settings: Settings) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The contexts of a server and a client for the link between nodes, with the cluster's authority alone.

    Raises CertificateError.
    """
    cert, key, ca = Path(settings.link_cert), Path(settings.link_key), Path(settings.link_ca)
    return server_context(cert, key, ca, "required"), client_context(cert, key, ca)


async def renew_whenever(
    asked: asyncio.Event,
    read: Callable[[], Tls],
    put: Callable[[ssl.SSLContext | None, ssl.SSLContext], Awaitable[None]],
) -> None:
    """Read the certificates again whenever that is asked for; whatever is wrong with them, the old ones stay.

    `read` is called in a thread. Ends only by being cancelled.
    """
    while True:
        await asked.wait()
        asked.clear()
        try:
            await put(*await asyncio.to_thread(read))
        except Exception as error:  # noqa: BLE001  boundary: the next SIGHUP must find somebody
            _log.error("certificates not read again, the old ones stay", reason=_reason(error))
        else:
            _log.info("certificates read again")


def _reason(error: Exception) -> str:
    if isinstance(error, CertificateError):
        return str(error)
    kind = type(error).__name__
    return f"{kind}: {error}; see that the files can be read and open files are not used up, then send SIGHUP again"
