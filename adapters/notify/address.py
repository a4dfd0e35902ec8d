"""Where mails are given: a setting, as text.

What may live here: what such an address says. Nothing that speaks to a server: every process reads the settings.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_PORTS = {"smtp": 25, "smtps": 465}
LOOKS_LIKE = "smtp://user@host:port or smtps://user@host:port"


class MailServer(NamedTuple):
    """Where mails are given; `tls` from the start (`smtps`), else as soon as the server offers it."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = ""
    sender: str = ""


def parse(address: str, password: str = "", sender: str = "") -> MailServer:
    """Raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or parts.password:
        raise ValueError(f"this is no mail server: use {LOOKS_LIKE}; the password is a setting of its own")
    user = unquote(parts.username or "")
    if bool(user) != bool(password):
        raise ValueError("a user and a password need each other")
    return MailServer(
        parts.hostname, parts.port or _PORTS[parts.scheme], parts.scheme == "smtps", user, password, sender
    )
