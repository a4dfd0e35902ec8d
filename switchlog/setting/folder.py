"""The names inside the data folder, and which roles run there."""

from __future__ import annotations

import os
from pathlib import Path

_LONGEST_NAME = 108

LOCK = "switchlog.lock"
"""Held by the parent of the roles, which writes into it which they are."""
JOURNAL = "journal.db"
SESSIONS_SOCKET = "sessions.sock"
MEDIA_KEYS = "media-keys"
"""What handshakes of calls that go on gave, sealed."""
SOUNDS = "sounds"
"""Words that were spoken once, and are not again."""
LINKS = "links"
"""Where the processes of a node of several workers reach each other."""
PROJECTOR_SOCKET = "projector.sock"
CLICKHOUSE = "clickhouse"
"""The embedded engine's own folder."""
HANDLE = "api.json"
"""Where the command line on the same machine finds URL and key of the API."""
SPOOL = "spool"
"""Recordings and messages as long as they grow, and copies of messages that are being heard."""
STORAGE = "storage"
"""Recordings and messages, unless they are elsewhere."""
TRACE = "trace"
"""SIP messages as seen on the wire, if they are kept."""


def media_socket(number: int) -> str:
    """Where one of the media workers hears the sessions; from 1."""
    return f"media-{number}.sock"


def socket_name(path: Path, inherited: bool = False) -> Path:
    """Another name of a Unix socket if its own is too long for an address (108 bytes): by its folder, which stays open.

    `inherited` is for a program that replaces this process. Raises OSError.
    """
    path = path.absolute()
    if len(os.fsencode(path)) < _LONGEST_NAME:
        return path
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(folder, inherited)
    return Path(f"/proc/self/fd/{folder}/{path.name}")


def roles_of(folder: Path) -> frozenset[str]:
    """The roles that the last server of this folder has, or had when it ended; none if there was none."""
    try:
        return frozenset((folder / LOCK).read_text().split())
    except OSError:
        return frozenset()
