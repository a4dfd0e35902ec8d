"""The names inside the data folder, and which roles run there."""

from __future__ import annotations

from pathlib import Path

LOCK = "switchlog.lock"
"""Held by the parent of the roles, which writes into it which they are."""
JOURNAL = "journal.db"
SESSIONS_SOCKET = "sessions.sock"
MEDIA_SOCKET = "media.sock"
"""Where the media worker hears the sessions."""
LINKS = "links"
"""Where the processes of a node of several workers reach each other."""
PROJECTOR_SOCKET = "projector.sock"
CLICKHOUSE = "clickhouse"
"""The embedded engine's own folder."""
HANDLE = "api.json"
"""Where the command line on the same machine finds URL and key of the API."""
TRACE = "trace"
"""SIP messages as seen on the wire, if they are kept."""


def roles_of(folder: Path) -> frozenset[str]:
    """The roles that the last server of this folder has, or had when it ended; none if there was none."""
    try:
        return frozenset((folder / LOCK).read_text().split())
    except OSError:
        return frozenset()
