"""The Unix sockets by which the processes of one node reach each other, in a folder that only they can open.

What may live here: those sockets and their names. What is said by them is SIP, and `adapters.sip.edge.link`'s.
"""

from __future__ import annotations

import socket
from pathlib import Path

from adapters.command.local import short_path

_BACKLOG = 128


class NearSockets:
    """Of the process `me`; see `adapters.sip.edge.link.Near`. By the names of its sockets others know who it is."""

    def __init__(self, folder: Path, me: str) -> None:
        self._folder, self._me = folder, me

    def listener(self) -> socket.socket:
        """In place of one that is left over by a process that is gone."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        made = self._bound(self._folder / self._me)
        made.listen(_BACKLOG)
        return made

    def dial(self, name: str) -> socket.socket:
        """Connected at once, or not at all: nobody is waited for."""
        ours = self._folder / f"{self._me}>{name}"
        made = self._bound(ours)
        try:
            with short_path(self._folder / name) as there:
                made.connect(there)
        except BaseException:
            made.close()
            raise
        finally:
            ours.unlink(missing_ok=True)  # the name stays the connection's
        return made

    def _bound(self, path: Path) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            path.unlink(missing_ok=True)
            with short_path(path) as name:
                made.bind(name)
        except BaseException:
            made.close()
            raise
        return made
